"""The official fine-tuning list: read with care, encoded by the codec, written both ways."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.audio.files import write_audio
from qwen3_tts.engine.codec import Codec
from qwen3_tts.errors import InvalidAudio, InvalidRequest, ModelNotFound
from qwen3_tts.train.jsonl import encode_lines, read_lines
from qwen3_tts.train.recipe.corpus import FRAME, read_utterances
from qwen3_tts.weights.load import load_codec
from qwen3_tts.weights.published import tiny_codec_config
from qwen3_tts.weights.random import random_codec
from tests.refusal import refused

NAMES = {"speaker": "Anna", "language": "English"}


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(random_codec(tiny_codec_config(), 4).requires_grad_(False).eval())


def wave(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    """Three recordings of 2, 3 and 4 frames, at two rates, and a list in a folder beside them."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "wav").mkdir()
    lines: list[dict[str, Any]] = []
    for index, (samples, rate) in enumerate(((2 * FRAME, 24_000), (4481, 24_000), (5000, 16_000))):
        write_audio(tmp_path / "wav" / f"{index}.wav", wave(samples, index), rate)
        name = f"../wav/{index}.wav"
        lines.append({"audio": name, "text": f"Text {index}, “äö”.", "ref_audio": "../wav/0.wav"})
    lines[1] |= {"language": "German", "speaker": "Bob", "note": [1]}
    source = tmp_path / "lists" / "raw.jsonl"
    text = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    source.write_text("\ufeff" + text + "\r\n", encoding="utf-8")
    return source


def test_both_formats(listing: Path, codec: Codec, tmp_path: Path) -> None:
    out, told = tmp_path / "out", []
    lines = read_lines(listing, **NAMES)
    frames = encode_lines(lines, out, codec, held_out_every=2, progress=told.append)
    assert (frames, told) == (2 + 3 + 4, [1, 2, 3])

    codes = np.load(out / "codes.npy")
    assert (codes.dtype, codes.shape) == (np.int16, (9, 16))
    utterances = read_utterances(out)
    official = [json.loads(x) for x in (out / "train.jsonl").read_text("utf-8").splitlines()]
    for index, (entry, line) in enumerate(zip(utterances, official, strict=True)):
        wav = (tmp_path / "wav" / f"{index}.wav").resolve()
        expected = codec.encode(wav)
        first = entry.start // FRAME
        assert np.array_equal(codes[first : first + entry.samples // FRAME], expected)
        assert line["audio_codes"] == expected.tolist()
        assert (line["audio"], line["ref_audio"]) == (str(wav), str(wav.with_name("0.wav")))
        assert line["text"] == entry.text == f"Text {index}, “äö”."
        assert entry.words == []
    assert (official[1]["language"], official[1]["note"]) == ("German", [1])
    assert [(u.speaker, u.language, u.split) for u in utterances] == [
        ("anna", "english", "train"), ("bob", "german", "held_out"), ("anna", "english", "train")
    ]  # fmt: skip
    saved = load_codec(out / "codec", device=torch.device("cpu")).state_dict()
    ours = codec.model.state_dict()
    assert all(torch.equal(saved[name], ours[name]) for name in ours)


def test_nothing_need_be_held_out(listing: Path, codec: Codec, tmp_path: Path) -> None:
    encode_lines(read_lines(listing, **NAMES)[:2], tmp_path / "out", codec, held_out_every=0)
    assert {u.split for u in read_utterances(tmp_path / "out")} == {"train"}


GOOD = {"audio": "../wav/0.wav", "text": "Yes.", "ref_audio": "../wav/1.wav"}


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("{'audio'", ["is not JSON: "]),
        (b"\xff\xfe", ["is not JSON: "]),
        ("[1, 2]", ["is not a JSON object but list"]),
        ({"text": None}, ["has no `text`", "audio, text and ref_audio"]),
        ({"ref_audio": None}, ["has no `ref_audio`"]),
        ({"text": "  "}, ["`text` must be a string that is not empty"]),
        ({"audio": 7}, ["`audio` must be a string"]),
        ({"audio": "no.wav"}, ["`audio` names `no.wav`", "there is no `"]),
        ({"ref_audio": "../wav"}, ["`ref_audio` names `../wav`", "there is no `"]),
    ],
    ids=str,
)
def test_a_bad_line_is_named(listing: Path, line: Any, parts: list[str]) -> None:
    if isinstance(line, dict):
        line = json.dumps({k: v for k, v in (GOOD | line).items() if v is not None})
    raw = line.encode() if isinstance(line, str) else line
    listing.write_bytes(json.dumps(GOOD).encode() + b"\n\n" + raw + b"\n")
    with refused(InvalidRequest, "raw.jsonl line 3", *parts):
        read_lines(listing, **NAMES)


def test_what_is_no_recording_is_named(listing: Path, codec: Codec, tmp_path: Path) -> None:
    (tmp_path / "wav" / "2.wav").write_text("no sound")
    lines = read_lines(listing, **NAMES)
    with refused(InvalidAudio, "raw.jsonl line 5", "cannot decode"):
        encode_lines(lines, tmp_path / "out", codec)
    assert not (tmp_path / "out" / "codes.npy").exists()


def test_no_list(tmp_path: Path) -> None:
    with refused(ModelNotFound, "no file", "raw.jsonl"):
        read_lines(tmp_path / "raw.jsonl", **NAMES)
    (tmp_path / "raw.jsonl").write_text("\n \n")
    with refused(InvalidRequest, "lists nothing"):
        read_lines(tmp_path / "raw.jsonl", **NAMES)
