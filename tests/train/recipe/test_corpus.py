"""The corpus: whole frames, words where they are said, the same folder each time."""

import ctypes.util
import json
from pathlib import Path

import numpy as np
import pytest

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.train.recipe import corpus
from qwen3_tts.train.recipe.corpus import (
    FRAME,
    LEAD_S,
    LEVEL,
    SAMPLE_RATE,
    STEP,
    TAIL_S,
    Line,
    build_corpus,
    cut,
    describe,
    match_words,
    read_audio,
    read_utterances,
    spread,
)
from qwen3_tts.train.recipe.flite import Spoken
from tests.refusal import refused

needs_flite = pytest.mark.skipif(
    ctypes.util.find_library("flite") is None, reason="flite is not installed"
)
TEXTS = ("Anna sings.", "Two birds, one tree!", "It costs 17 pounds.")
LINES = [
    Line(text, speaker, "english", split)
    for text, speaker, split in zip(
        TEXTS, ("rms", "slt", "rms"), ("train", "train", "held_out"), strict=True
    )
]
FILES = ("utterances.jsonl", "audio.i16", "phones.npy", "phones.json")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build_corpus(folder, LINES, workers=1)
    return folder


@needs_flite
def test_utterances_are_whole_frames_one_after_the_other(built: Path) -> None:
    found, audio = read_utterances(built), read_audio(built)
    assert [(u.id, u.text, u.speaker, u.language, u.split) for u in found] == [
        (i, line.text, line.speaker, line.language, line.split) for i, line in enumerate(LINES)
    ]
    position = 0
    for entry in found:
        assert entry.start == position
        assert entry.samples % FRAME == 0
        position += entry.samples
    assert len(audio) == position
    assert describe(built)["utterances"] == 3


@needs_flite
def test_words_are_those_of_the_text(built: Path) -> None:
    expected = (["Anna", "sings"], ["Two", "birds", "one", "tree"], ["It", "costs", "17", "pounds"])
    for entry, names in zip(read_utterances(built), expected, strict=True):
        assert [entry.text[a:b] for a, b, _, _ in entry.words] == names
        times = [time for _, _, start, end in entry.words for time in (start, end)]
        assert times == sorted(times)
        seconds = entry.samples / SAMPLE_RATE
        assert times[0] == pytest.approx(LEAD_S, abs=1e-3)  # speech begins on a frame's border
        assert TAIL_S - 1e-3 <= seconds - times[-1] < TAIL_S + FRAME / SAMPLE_RATE + 1e-3


@needs_flite
def test_sound_is_at_its_level_inside_the_words(built: Path) -> None:
    for entry in read_utterances(built):
        wave = read_audio(built)[entry.start : entry.start + entry.samples] / 32768
        first, last = entry.words[0][2], entry.words[-1][3]
        spoken = wave[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)]
        level = np.sqrt(np.mean(spoken**2))
        assert 0.5 < level / LEVEL < 2  # the gain is that of another sentence
        assert np.abs(wave[: round((first - 0.03) * SAMPLE_RATE)]).max() < level


@needs_flite
def test_phones_label_every_sub_frame(built: Path) -> None:
    labels, names = np.load(built / "phones.npy"), json.loads((built / "phones.json").read_text())
    assert labels.dtype == np.uint8
    assert len(labels) * STEP == len(read_audio(built))
    assert labels.max() == len(names) - 1
    for entry in read_utterances(built):
        own = [names[i] for i in labels[entry.start // STEP :][: entry.samples // STEP]]
        first, last = (
            round(t * SAMPLE_RATE / STEP) for t in (entry.words[0][2], entry.words[-1][3])
        )
        assert set(own[: first - 1]) == set(own[last + 1 :]) == {"pau"}
        assert "pau" not in own[first + 1 : round(entry.words[0][3] * SAMPLE_RATE / STEP) - 1]
    anna = [names[i] for i in labels[: read_utterances(built)[0].samples // STEP]]
    assert [x for x, y in zip(anna, ["", *anna], strict=False) if x != y] == [
        *("pau", "ae", "n", "ax", "s", "ih", "ng", "z", "pau")
    ]


@needs_flite
@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_lines_make_the_same_files(built: Path, tmp_path: Path, workers: int) -> None:
    told: list[int] = []
    for name in corpus.DERIVED:  # made of another corpus: would be taken for this one's
        (tmp_path / name).write_text("old")
    build_corpus(tmp_path, LINES, workers=workers, progress=told.append)
    assert told == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes(), name


@needs_flite
def test_what_cannot_be_spoken_is_left_out(built: Path, tmp_path: Path) -> None:
    build_corpus(tmp_path, [Line("...", "rms", "english", "train"), *LINES], workers=1)
    assert (tmp_path / "utterances.jsonl").read_text() == (built / "utterances.jsonl").read_text()
    with refused(InvalidRequest, "none of the 1 lines"):
        build_corpus(tmp_path, [Line("...", "rms", "english", "train")], workers=1)


def test_match_words_keeps_the_order() -> None:
    tokens = [("a", 0.0, 0.1), ("cat", 0.1, 0.4), ("a", 0.4, 0.5)]
    assert match_words("A? a cat, a!", tokens) == [
        (3, 4, 0.0, 0.1), (5, 8, 0.1, 0.4), (10, 11, 0.4, 0.5)
    ]  # fmt: skip
    assert match_words("cat a a", tokens) is None


def test_cut_trims_and_pads() -> None:
    """A tone from 0.3 to 0.8 s, in a second and a half of quiet."""
    rate = 16_000
    time_s = np.arange(rate * 3 // 2) / rate
    wave = np.where((time_s >= 0.3) & (time_s < 0.8), np.sin(2000 * time_s), 0) * 10_000
    phones = [("pau", 0.3), ("aa", 0.8), ("pau", 1.5)]
    said = Spoken(wave.astype(np.int16), rate, [("ah", 0.3, 0.8)], phones)
    pcm, words, shifted = cut(said, [(0, 2, 0.3, 0.8)], gain=1.0)
    assert len(pcm) == -(-round((LEAD_S + 0.5 + TAIL_S) * SAMPLE_RATE) // FRAME) * FRAME
    assert words == [(0, 2, pytest.approx(0.08), pytest.approx(0.58))]
    assert [end for _, end in shifted] == pytest.approx([0.08, 0.58, 1.28])
    loud = np.flatnonzero(np.abs(pcm) > 3000) / SAMPLE_RATE
    assert (loud[0], loud[-1]) == pytest.approx((0.08, 0.58), abs=2e-3)  # a period of the tone

    # no pause before the first phone: quiet is put there
    bare = Spoken(wave[rate * 3 // 10 :].astype(np.int16), rate, [], [("aa", 0.5), ("pau", 1.2)])
    again, _, _ = cut(bare, [(0, 2, 0.0, 0.5)], gain=1.0)
    assert len(again) == len(pcm)
    # the filter's ringing before the tone is cut off with the quiet it rang into
    assert np.abs(again.astype(int) - pcm)[round(0.081 * SAMPLE_RATE) :].max() <= 330


def test_spread_keeps_the_shares() -> None:
    texts = [str(i) for i in range(100)]
    lines = spread(texts, {"rms": 6, "slt": 2.5, "awb": 1.5}, "english")
    assert [line.text for line in lines] == texts
    counts = {name: sum(line.speaker == name for line in lines) for name in ("rms", "slt", "awb")}
    assert counts == {"rms": 60, "slt": 25, "awb": 15}
    early = [line.speaker for line in lines[:10]]
    assert early.count("rms") == 6  # mixed, not in blocks
    assert {(line.split, line.language) for line in lines} == {("train", "english")}
