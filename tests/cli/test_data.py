"""`data make` and `data encode`: small, but all the way."""

import ctypes.util
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.audio.files import write_audio
from qwen3_tts.cli import data
from qwen3_tts.train.books import Books
from qwen3_tts.train.recipe import flite
from qwen3_tts.train.recipe.corpus import FRAME, read_utterances
from tests.cli.conftest import Run
from tests.conftest import WriteCheckpoint

needs_flite = pytest.mark.skipif(
    ctypes.util.find_library("flite") is None, reason="flite is not installed"
)
needs_words = pytest.mark.skipif(
    importlib.util.find_spec("wordfreq") is None, reason="wordfreq is not installed"
)


@needs_flite
@needs_words
def test_make_then_encode(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from qwen3_tts.train.recipe import sentences

    monkeypatch.setattr(sentences, "HELD_OUT_ENGLISH", sentences.HELD_OUT_ENGLISH[:2])
    words = ("--count", 5, "--voice", "slt=2", "--voice", "kal16", "--workers", 1)
    ran = cli("data", "make", "corpus", *words)
    assert (ran.code, ran.out) == (0, b""), ran.err
    assert ran.err.startswith("corpus: 9 utterances; slt 0.")
    found = read_utterances(Path("corpus"))
    expected = sentences.sentences("english", 5, seed=1)
    assert [u.text for u in found if u.split == "train"] == expected
    assert [u.speaker for u in found[:5]].count("slt") == 3  # two of three
    held_out = [(u.speaker, u.text) for u in found if u.split == "held_out"]
    assert held_out == [(v, t) for v in ("slt", "kal16") for t in sentences.held_out_english()]

    ran = cli("data", "encode", "corpus", "--books", 3, "--size", 16, "--width", 8, "--json")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert result["folder"] == "corpus"
    assert result["left"][0] == 1 > result["left"][1] > result["left"][2]
    codes = np.load("corpus/codes.npy")
    assert codes.shape == (sum(u.samples for u in found) // FRAME, 3)
    assert Books.load(Path("corpus/books.pt")).entries.shape == (3, 16, 8)
    codec = qwen3_tts.load_codec("corpus/codec", device="cpu")
    assert len(codec.decode(codes[:4])) == 4 * FRAME

    ran = cli("data", "make", "corpus", *words)
    assert (ran.code, ran.err) == (
        1, "qwen3-tts: folder `corpus` is not empty; give a new one, or pass --force\n"
    )  # fmt: skip
    ran = cli("data", "make", "corpus", *words, "--force", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["utterances"] == 9
    assert not Path("corpus/codes.npy").exists()  # codes of the sound that was there


def test_progress_is_a_line_for_terminals(
    terminal: Callable[[str], Callable[[], str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for show in (True, False):
        data.counter("Speaking", 25, show)(10)
    assert capsys.readouterr().err == ""
    shown = terminal("stderr")
    for show in (True, False):
        tell = data.counter("Speaking" if show else "Hidden", 25, show)
        for done in range(1, 26):
            tell(done)
    lines = (
        "Speaking: 10 of 25 (40%)",
        "Speaking: 20 of 25 (80%)",
        "Speaking: 25 of 25 (100%)\r\n",
    )
    assert shown() == "".join(f"\r{line}" for line in lines)


def test_make_without_flite(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    flite._library.cache_clear()
    try:
        ran = cli("data", "make", "corpus")
    finally:
        flite._library.cache_clear()
    assert ran.code == 1
    assert ran.err.startswith("qwen3-tts: libflite is not installed")
    assert "apt install flite" in ran.err
    assert not Path("corpus").exists()


def test_encode_a_list(
    cli: Run, checkpoint: WriteCheckpoint, recording: tuple[np.ndarray, int]
) -> None:
    write_audio("a.wav", *recording)
    line = {"audio": "a.wav", "text": "A tone.", "ref_audio": "a.wav"}
    Path("raw.jsonl").write_text(2 * (json.dumps(line) + "\n"))
    folder = checkpoint("custom_voice")
    words = ("--model", folder, "--device", "cpu", "--speaker", "Tone", "--held-out-every", 2)
    ran = cli("data", "encode", "--jsonl", "raw.jsonl", "-o", "out", *words)
    assert (ran.code, ran.err) == (0, "out: 2 utterances, 14 frames\n")
    expected = qwen3_tts.load_codec(folder, device="cpu").encode(Path("a.wav"))
    lines = [json.loads(text) for text in Path("out/train.jsonl").read_text().splitlines()]
    assert [one["audio_codes"] for one in lines] == 2 * [expected.tolist()]
    found = read_utterances(Path("out"))
    assert [(u.speaker, u.split) for u in found] == [("tone", "train"), ("tone", "held_out")]
    assert np.array_equal(np.load("out/codes.npy"), np.concatenate([expected, expected]))
    # the folder's own codec speaks them
    again = qwen3_tts.load_codec("out/codec", device="cpu").encode(Path("a.wav"))
    assert np.array_equal(again, expected)

    with Path("raw.jsonl").open("a") as file:
        file.write('{"audio": "a.wav"}\n')
    ran = cli("data", "encode", "--jsonl", "raw.jsonl", "-o", "new", *words)
    assert ran.code == 1
    assert ran.err.startswith("qwen3-tts: raw.jsonl line 3 has no `text`")
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("make", "c", "--voice", "anna=1"), 2, "'anna' is none of rms"),
        (("make", "c", "--voice", "rms=0"), 2, "share above 0"),
        (("make", "c", "--voice", "rms=nan"), 2, "share above 0"),
        (("make", "c", "--count", "0"), 2, "'0' is not a whole number above 0"),
        (("make", "c", "--language", "german"), 2, "invalid choice: 'german'"),
        (("encode",), 2, "either FOLDER"),
        (("encode", "c", "--jsonl", "x"), 2, "either FOLDER"),
        (("encode", "--jsonl", "x"), 2, "--jsonl needs --output"),
        (("encode", "c", "-o", "x"), 2, "--output goes with --jsonl"),
        (("encode", "c"), 1, "no utterances.jsonl in c"),
        (("encode", "--jsonl", "x", "-o", "y"), 1, "no file `x`"),
        (("encode", "--jsonl", "x", "-o", "file"), 1, "`file` is not a folder"),
    ],
)
def test_refusals(cli: Run, words: tuple[str, ...], code: int, part: str) -> None:
    Path("file").write_text("")
    ran = cli("data", *words)
    assert (ran.code, ran.out) == (code, b"")
    assert part in ran.err
    assert ran.err.count("\n") == 1
