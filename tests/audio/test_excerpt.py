"""A recording and its transcript are cut at the same sentence, or not at all."""

from itertools import combinations

import numpy as np
import pytest

from qwen3_tts.audio.checks import check_transcript, codes, examine
from qwen3_tts.audio.excerpt import cut_with_transcript
from qwen3_tts.audio.levels import levels
from qwen3_tts.errors import InvalidAudio, InvalidRequest
from tests.audio.conftest import Spoken
from tests.refusal import refused

RATE = 24_000


def joined(spoken: list[Spoken], pause_s: float = 0.4) -> tuple[np.ndarray, str, list[float]]:
    """The speeches one after the other, what they say, and when each ends in seconds."""
    parts, ends_s = [], []
    for speech in spoken:
        span = levels(speech.wave, RATE).spans(speech=True)
        part = speech.wave[round(span[0][0] * RATE) : round(span[-1][1] * RATE)]
        parts.append(part)
        ends_s.append(sum(map(len, parts)) / RATE)
        parts.append(np.zeros(round(pause_s * RATE), np.float32))
    return np.concatenate(parts), " ".join(s.text for s in spoken), ends_s


@pytest.mark.parametrize("pause_s", [0.3, 0.6, 1.2])
def test_sentences_are_kept_whole(pause_s: float, spoken: list[Spoken]) -> None:
    wave, text, ends_s = joined([*spoken, spoken[0]], pause_s)
    got = cut_with_transcript(wave, RATE, text, "english")
    assert got is not None
    cleaned, said = got
    assert said == " ".join(speech.text for speech in spoken[:2])
    assert ends_s[1] <= cleaned.end_s <= ends_s[1] + 0.3
    assert len(cleaned.wave) == round((cleaned.end_s - cleaned.start_s) * RATE)
    assert cleaned.cut
    assert "at a sentence end" in cleaned.notes[-1]
    # so a clone in context needs nothing more
    report = examine(cleaned.wave, RATE, text=said, language="english")
    assert report.mode == "icl"
    assert codes(report.findings) <= {"cut_off"}  # at its beginning, where the test has cut


def test_in_any_order(spoken: list[Spoken]) -> None:
    """Where an excerpt is found it is the right one."""
    found = 0
    for pair in combinations(range(3), 2):
        order = [*pair, ({0, 1, 2} - set(pair)).pop(), pair[0]]
        wave, text, ends_s = joined([spoken[index] for index in order])
        for longest_s in (8.0, 15.0, 20.0):
            got = cut_with_transcript(wave, RATE, text, "english", longest_s=longest_s)
            if got is None:
                continue
            found += 1
            cleaned, said = got
            assert cleaned.end_s <= longest_s
            sentence = [abs(end - cleaned.end_s) < 0.3 for end in ends_s]
            if any(sentence):
                count = sentence.index(True) + 1
                assert said == " ".join(spoken[index].text for index in order[:count])
            else:  # inside the speech of two sentences
                assert said.endswith("all year.")
    assert found >= 6


def test_an_offset_in_time_is_kept(spoken: list[Spoken]) -> None:
    wave, text, ends_s = joined([*spoken, spoken[0]])
    late = np.concatenate([np.zeros(2 * RATE, np.float32), wave])
    got = cut_with_transcript(late, RATE, text, "english")
    assert got is not None
    assert got[0].start_s == pytest.approx(1.9, abs=0.05)
    assert got[0].end_s == pytest.approx(ends_s[1] + 2.25, abs=0.05)


def test_a_transcript_that_does_not_fit_is_not_cut(spoken: list[Spoken]) -> None:
    wave, text, _ = joined([*spoken, spoken[0]])
    for wrong in (spoken[0].text, 3 * text, "", "...", 40 * "! "):
        assert check_transcript(wrong, len(wave) / RATE, "english")
        assert cut_with_transcript(wave, RATE, wrong, "english") is None


def test_without_sentences_or_pauses_there_is_no_excerpt(spoken: list[Spoken]) -> None:
    wave, text, _ = joined([*spoken, spoken[0]])
    one = text.replace(".", "").replace("?", "")
    assert cut_with_transcript(wave, RATE, one, "english") is None
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(wave))
    assert cut_with_transcript(noise.astype(np.float32), RATE, text, "english") is None


def test_two_sentence_ends_that_could_be_meant_are_none() -> None:
    """A word of its own beside the end of a sentence: which of them ends at the pause?"""
    rng = np.random.default_rng(0)
    parts = [0.2 * rng.standard_normal(5 * 8_000), np.zeros(4_000)] * 4
    wave = np.concatenate(parts).astype(np.float32)
    sentence = "the old lighthouse stood alone at the edge of the bay in the evening and waited"
    clear = ". ".join([sentence] * 4) + "."
    got = cut_with_transcript(wave, 8_000, clear, "english")
    assert got is not None
    assert got[1] == f"{sentence}. {sentence}."
    doubtful = ". ".join([f"{sentence}. Yes"] * 4) + "."
    assert cut_with_transcript(wave, 8_000, doubtful, "english") is None


def test_bad_input_is_refused() -> None:
    with refused(InvalidAudio, "holds no samples"):
        cut_with_transcript(np.zeros(0, np.float32), RATE, "Hello.", "english")
    with refused(InvalidRequest, "longest_s"):
        cut_with_transcript(np.ones(9, np.float32), RATE, "Hello.", "english", longest_s=-1)
