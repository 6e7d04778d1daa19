"""Run the official package on everything `cases` names and store what it computed.

    ORACLE/bin/python validation/dump_official.py FOLDER OUT.npz [--compact]

FOLDER is what checkpoints.py wrote. With --compact an array keeps only some of its values
(`signals.places`), which is how the dump in tests/golden stays small.
"""

import argparse
import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import cases
import numpy as np
import official_codec
import official_layers
import official_speech
import signals
import torch

Named = Iterator[tuple[str, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--compact", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    arrays, shapes, digests = {}, {}, {}
    for name, array in everything(args.folder, digests):
        shapes[name] = list(array.shape)
        arrays[name] = shortened(name, array) if args.compact else array
    about = {"shapes": shapes, "digests": digests, "versions": versions()}
    arrays["about"] = np.array(json.dumps(about))
    arrays["random"] = torch.empty(3072).exponential_(generator=torch.Generator().manual_seed(0))
    (np.savez_compressed if args.compact else np.savez)(args.out, **arrays)
    print(f"{args.out}: {len(shapes)} arrays, {args.out.stat().st_size} bytes")


def everything(folder: Path, digests: dict[str, str]) -> Named:
    """(group/case/part, array), and the digest of every folder that was opened."""
    for name in cases.CHECKPOINTS:
        digests[name] = signals.digest(folder / name)
        tts = official_speech.open_checkpoint(folder / name)
        for case in cases.CASES.values():
            if case.checkpoint == name:
                yield from prefixed(f"speech/{case.name}", official_speech.speak(tts, case))
        yield from codec_cases(name, tts)
    for name in cases.LAYERS:
        digests[f"layers/{name}"] = signals.digest(folder / "layers" / name)
        output = official_layers.run_layer(folder / "layers" / name, name)
        yield f"layer/{name}/{cases.LAYERS[name].part}", output.numpy()


def codec_cases(checkpoint: str, tts: Any) -> Named:
    """The codec and speaker cases of one checkpoint."""
    tokenizer = tts.model.speech_tokenizer
    for name, about in cases.DECODES.items():
        if about.checkpoint == checkpoint:
            yield from prefixed(f"codec/{name}", official_codec.decode(tokenizer, about))
    if cases.CHUNKED.checkpoint == checkpoint:
        yield from prefixed("codec/chunked", official_codec.chunked(tokenizer, cases.CHUNKED))
    for name, (where, *about) in cases.ENCODES.items():
        if where == checkpoint:
            yield from prefixed(f"codec/{name}", official_codec.encode(tokenizer, *about))
    for name, (where, *about) in cases.SPEAKERS.items():
        if where == checkpoint:
            yield from prefixed(f"codec/{name}", official_codec.speaker(tts, *about))


def prefixed(start: str, arrays: dict[str, np.ndarray]) -> Named:
    for name, array in arrays.items():
        yield f"{start}/{name}", array


def shortened(name: str, array: np.ndarray) -> np.ndarray:
    """The values a small dump keeps, flat; whole numbers all of them."""
    if array.dtype.kind == "i":
        assert np.abs(array).max(initial=0) < 2**15, name
        return array.astype(np.int16)
    return array.reshape(-1)[signals.places(array.size, cases.kept(name))]


def versions() -> dict[str, str]:
    names = ("qwen-tts", "transformers", "torch", "librosa", "soxr", "numpy")
    return {name: metadata.version(name) for name in names}


if __name__ == "__main__":
    main()
