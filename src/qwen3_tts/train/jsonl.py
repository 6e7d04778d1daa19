"""The data format of the official fine-tuning: read, encoded, and written as it and as a corpus.

A list has one JSON object a line: the files `audio` and `ref_audio` (relative to the list's folder)
and the `text` that `audio` says. The official program adds `audio_codes` and keeps the rest.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidAudio, InvalidRequest, ModelNotFound
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.train.recipe.corpus import FRAME
from qwen3_tts.weights.save import save_codec

FILES = ("audio", "ref_audio")


class WaveEncoder(Protocol):
    """What `qwen3_tts.load_codec` returns, as far as it is used here."""

    model: SpeechCodec

    def encode(self, audio: Any) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Recorded:
    """One line of a list: `where` it stands, and all its keys, files as absolute paths."""

    where: str
    data: dict[str, Any]
    speaker: str
    language: str


def read_lines(source: Path, *, speaker: str, language: str) -> list[Recorded]:
    """Read and check a whole list; empty lines do not count.

    `speaker` and `language` serve where a line names none. Raises `ModelNotFound` if there is no
    such list, `InvalidRequest` for the first line that is wrong.
    """
    if not source.is_file():
        raise ModelNotFound(
            f"no file `{source}`; give a list of recordings, one JSON object a line"
        )
    found = []
    for number, raw in enumerate(source.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if raw.strip():
            where = f"{source} line {number}"
            data = _checked(raw, where, source.parent)
            names = [
                str(data.get(key) or fallback).lower()
                for key, fallback in (("speaker", speaker), ("language", language))
            ]
            found.append(Recorded(where, data, *names))
    if not found:
        raise InvalidRequest(f"`{source}` lists nothing; it needs one JSON object a line")
    return found


def _checked(raw: bytes, where: str, folder: Path) -> dict[str, Any]:
    try:
        data = json.loads(raw)
    except ValueError as error:  # also what is not UTF-8
        raise InvalidRequest(f"{where} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidRequest(f"{where} is not a JSON object but {type(data).__name__}")
    for key in ("audio", "text", "ref_audio"):
        value = data.get(key)
        if value is None:
            raise InvalidRequest(f"{where} has no `{key}`; it needs audio, text and ref_audio")
        if not isinstance(value, str) or not value.strip():
            raise InvalidRequest(f"{where}: `{key}` must be a string that is not empty")
    for key in FILES:
        path = (folder / Path(data[key]).expanduser()).resolve()
        if not path.is_file():
            raise InvalidRequest(f"{where}: `{key}` names `{data[key]}`, and there is no `{path}`")
        data[key] = str(path)
    return data


def encode_lines(
    lines: Sequence[Recorded],
    out: Path,
    codec: WaveEncoder,
    *,
    held_out_every: int = 20,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Write a corpus folder without sound: utterances.jsonl, codes.npy, codec/; and train.jsonl.

    Every `held_out_every`th utterance is of the held-out split. Returns the number of frames.
    Raises `InvalidAudio` for a recording that cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    codes: list[NDArray[np.int64]] = []
    position = 0
    with (
        (out / "utterances.jsonl").open("w", encoding="utf-8") as table,
        (out / "train.jsonl").open("w", encoding="utf-8") as official,
    ):
        for index, line in enumerate(lines):
            found = _encode(line, codec)
            held_out = held_out_every > 0 and (index + 1) % held_out_every == 0
            entry = {
                "id": index,
                "text": line.data["text"],
                "speaker": line.speaker,
                "language": line.language,
                "split": "held_out" if held_out else "train",
                "start": position * FRAME,
                "samples": len(found) * FRAME,
                "words": [],  # nobody knows when each is said
            }
            table.write(json.dumps(entry, ensure_ascii=False) + "\n")
            full = line.data | {"audio_codes": found.tolist()}
            official.write(json.dumps(full, ensure_ascii=False) + "\n")
            codes.append(found)
            position += len(found)
            progress(index + 1)
    np.save(out / "codes.npy", np.concatenate(codes).astype(np.int16))
    save_codec(out / "codec", codec.model)
    return position


def _encode(line: Recorded, codec: WaveEncoder) -> NDArray[np.int64]:
    try:
        return codec.encode(Path(line.data["audio"]))
    except InvalidAudio as error:
        raise InvalidAudio(f"{line.where}: {error}") from error
