"""Two voices in turn are found, one voice never is, whatever the encoder is like."""

import math

import numpy as np
import pytest

from qwen3_tts.audio.checks import check_speakers
from qwen3_tts.audio.checks.speakers import MOST_PARTS, PART_S
from qwen3_tts.errors import InvalidAudio
from tests.audio.checks.faults import RATE, Wave
from tests.audio.conftest import Spoken
from tests.refusal import refused


def timbre(wave: Wave, rate: int) -> np.ndarray:
    """A stand-in for a speaker encoder: how loud each of 24 bands is on average, in dB [24]."""
    windows = np.lib.stride_tricks.sliding_window_view(wave, 1_024)[::512]
    power = (np.abs(np.fft.rfft(windows * np.hanning(1_024))) ** 2).mean(axis=0)[4:340]
    bands = np.log(power.reshape(24, -1).mean(axis=1) + 1e-12)
    return bands - bands.mean()


class Told:
    """An encoder told who speaks in each part, and how unlike two parts of one voice are."""

    def __init__(self, speakers: str, spread: float, common: float = 0.0, seed: int = 0):
        rng = np.random.default_rng(seed)
        people = {name: rng.standard_normal(192) for name in sorted(set(speakers))}
        shared = common * rng.standard_normal(192)
        self.parts = [
            people[name] + spread * rng.standard_normal(192) + shared for name in speakers
        ]
        self.calls: list[tuple[int, int]] = []

    def __call__(self, wave: Wave, rate: int) -> np.ndarray:
        self.calls.append((len(wave), rate))
        return self.parts[len(self.calls) - 1]


def speech(parts: int, rng: np.random.Generator) -> Wave:
    """As many parts of loud noise as these."""
    wave = 0.2 * rng.standard_normal(round(parts * PART_S * 8_000))
    return wave.astype(np.float32)


@pytest.mark.parametrize("speakers", ["aaabbb", "abababab", "aabbbbbbb", "aaaaaabb", "abbabbaabb"])
@pytest.mark.parametrize("common", [0.0, 2.0])
def test_two_voices_are_found(speakers: str, common: float, rng: np.random.Generator) -> None:
    """`common`: an encoder whose vectors are all alike in the main."""
    (finding,) = check_speakers(
        speech(len(speakers), rng), 8_000, Told(speakers, spread=0.4, common=common)
    )
    assert (finding.code, finding.severity) == ("several_speakers", "warning")
    assert finding.value is not None
    assert -1 <= finding.value <= 1


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("count", [5, 6, 9, 20])
def test_one_voice_never_is(spread: float, count: int, rng: np.random.Generator) -> None:
    for seed in range(20):
        told = Told("a" * count, spread, seed=seed)
        assert check_speakers(speech(count, rng), 8_000, told) == []


def test_one_odd_part_is_no_second_speaker(rng: np.random.Generator) -> None:
    """A laugh, a cough: two parts at least have to be alike."""
    assert check_speakers(speech(7, rng), 8_000, Told("aaabaaa", 0.3)) == []


def test_too_little_speech_tells_nothing(rng: np.random.Generator) -> None:
    told = Told("aabb", 0.1)
    assert check_speakers(speech(4, rng), 8_000, told) == []
    assert told.calls == []


def test_parts_are_equally_long_and_not_too_many(rng: np.random.Generator) -> None:
    told = Told("a" * 60, 0.3)
    check_speakers(speech(60, rng), 8_000, told)
    assert told.calls == [(round(PART_S * 8_000), 8_000)] * MOST_PARTS


def test_pauses_are_in_no_part(rng: np.random.Generator) -> None:
    wave = speech(6, rng)
    silence = np.zeros(16_000, np.float32)
    told = Told("aaabbb", 0.3)
    assert check_speakers(np.concatenate([wave[:36_000], silence, wave[36_000:]]), 8_000, told)
    assert len(told.calls) == 6


def test_speech_of_two_voices(speeches: list[Spoken]) -> None:
    """Real parts, where one has both voices in it; and the same voice with itself."""
    one, same, other = speeches[0].wave, speeches[1].wave, speeches[3].wave
    assert [f.code for f in check_speakers(np.concatenate([one, other]), RATE, timbre)] == [
        "several_speakers"
    ]
    assert check_speakers(np.concatenate([one, same]), RATE, timbre) == []


def test_no_recording_is_refused(rng: np.random.Generator) -> None:
    with refused(InvalidAudio, "holds no samples"):
        check_speakers(np.zeros(0, np.float32), RATE, timbre)
    with refused(InvalidAudio, "1 NaN or infinite"):
        check_speakers(np.float32([0, math.nan]), RATE, timbre)
    assert check_speakers(np.zeros(RATE, np.float32), RATE, timbre) == []
