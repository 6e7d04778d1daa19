"""Runs under the official package's own Python: what its classes look like, and what they make.

usage: official.py signatures OUT.json
       official.py speak CASES.json OUT.npz

A case is {"name", "folder", "method", "arguments", "seed"}: one call of a method of the model in
`folder`, right after `torch.manual_seed(seed)`. `arguments` may hold {"npy": PATH, "rate": R} for
a recording. Gives NAME/codes [T, 16] and NAME/wave [N]; for the method "tokenizer" (arguments:
`npy`, `rate`) the codes of a recording and the wave of these codes.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

# Imported by the official package for another codec than the one used here.
for absent in ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "sox"):
    stub = ModuleType(absent)
    stub.__spec__ = ModuleSpec(absent, None)
    sys.modules[absent] = stub
    parent, _, child = absent.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, stub)

from described import described  # noqa: E402
from qwen_tts import Qwen3TTSModel, Qwen3TTSTokenizer, VoiceClonePromptItem  # noqa: E402

torch.set_num_threads(1)


def signatures(out: str) -> None:
    classes = (Qwen3TTSModel, Qwen3TTSTokenizer, VoiceClonePromptItem)
    Path(out).write_text(json.dumps({cls.__name__: described(cls) for cls in classes}))


def speak(cases: str, out: str) -> None:
    models: dict[str, Qwen3TTSModel] = {}
    made: dict[str, np.ndarray] = {}
    for case in json.loads(Path(cases).read_text()):
        folder, name = case["folder"], case["name"]
        if case["method"] == "tokenizer":
            codes, wave = tokenizer(Path(folder) / "speech_tokenizer", **case["arguments"])
        else:
            if folder not in models:
                models[folder] = Qwen3TTSModel.from_pretrained(
                    folder, dtype=torch.float32, attn_implementation="eager"
                )
            codes, wave = call(models[folder], case)
        made[f"{name}/codes"], made[f"{name}/wave"] = codes, wave
    np.savez(out, **made)


def call(model: Qwen3TTSModel, case: dict) -> tuple[np.ndarray, np.ndarray]:
    """Codes and wave of one call; the codes are seen on their way through."""
    seen = []
    generate = model.model.generate

    def watched(*args: object, **kwargs: object) -> tuple:
        result = generate(*args, **kwargs)
        seen.extend(result[0])
        return result

    model.model.generate = watched
    arguments = {name: recording(value) for name, value in case["arguments"].items()}
    torch.manual_seed(case["seed"])
    waves, rate = getattr(model, case["method"])(**arguments)
    model.model.generate = generate
    assert (len(waves), rate) == (1, 24000), (len(waves), rate)
    return seen[0].numpy(), waves[0]


def recording(value: object) -> object:
    if isinstance(value, dict):
        return np.load(value["npy"]), value["rate"]
    return value


def tokenizer(folder: Path, npy: str, rate: int) -> tuple[np.ndarray, np.ndarray]:
    codec = Qwen3TTSTokenizer.from_pretrained(str(folder))
    encoded = codec.encode(np.load(npy), sr=rate)
    waves, _ = codec.decode(encoded)
    return encoded.audio_codes[0].numpy(), waves[0]


if __name__ == "__main__":
    {"signatures": signatures, "speak": speak}[sys.argv[1]](*sys.argv[2:])
