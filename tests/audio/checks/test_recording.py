"""Every fault is found by its name and nothing else is; clean speech has no fault at all."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qwen3_tts.audio.checks import Finding, check_recording
from qwen3_tts.audio.checks.measures import bandwidth_hz, clipping, snr_db
from qwen3_tts.audio.checks.music import TONES_LIMIT, tones
from qwen3_tts.audio.files import resample
from qwen3_tts.audio.levels import BLOCK_S, levels
from qwen3_tts.errors import InvalidAudio
from tests.audio.checks.faults import (
    RATE,
    Wave,
    at_peak,
    chords,
    clipped,
    drums,
    gap,
    noisy,
    telephone,
    under,
)
from tests.audio.conftest import Spoken
from tests.refusal import refused


def found(wave: Wave, rate: int = RATE) -> dict[str, str]:
    return {finding.code: finding.severity for finding in check_recording(wave, rate)}


def one(wave: Wave, rate: int = RATE) -> Finding:
    (finding,) = check_recording(wave, rate)
    return finding


def test_clean_speech_has_no_fault(speeches: list[Spoken]) -> None:
    for speech in speeches:
        assert found(speech.wave, speech.rate) == {}


@pytest.mark.parametrize("rate", [12_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_nor_at_another_rate(rate: int, clean: Spoken) -> None:
    assert found(resample(clean.wave, RATE, rate), rate) == {}


@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
def test_nor_at_another_level(level: float, spoken: list[Spoken]) -> None:
    for speech in spoken:
        assert found(at_peak(speech.wave, level)) == {}
        assert found(-at_peak(speech.wave, level)) == {}


def test_nor_with_silence_around_it_or_sixteen_bits(clean: Spoken) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    assert found(np.concatenate([silence, clean.wave, silence])) == {}
    assert found(np.round(clean.wave * 32768).astype(np.float32) / 32768) == {}


FAULTS: dict[str, tuple[Callable[[Wave], Wave], dict[str, str]]] = {
    "clipped": (lambda w: clipped(w, 2), {"clipping": "warning"}),
    "clipped and turned down": (lambda w: clipped(w, 2, 0.2), {"clipping": "warning"}),
    "badly clipped": (lambda w: clipped(w, 4.5), {"clipping": "error"}),
    "very soft": (lambda w: at_peak(w, 0.02), {"low_level": "warning"}),
    "hardly there": (lambda w: at_peak(w, 0.002), {"low_level": "error"}),
    "off its middle": (lambda w: w + np.float32(0.05), {"dc_offset": "info"}),
    "white noise": (lambda w: noisy(w, 12), {"noise": "warning"}),
    "loud white noise": (lambda w: noisy(w, 3), {"noise": "error"}),
    "pink noise": (lambda w: noisy(w, 12, 3), {"noise": "warning"}),
    "a telephone": (telephone, {"narrow_band": "warning"}),
    "too short": (lambda w: w[: 2 * RATE], {"too_short": "warning", "cut_off": "info"}),
    "much too short": (lambda w: w[: RATE // 2], {"too_short": "error", "cut_off": "info"}),
    "a pause": (lambda w: gap(w, 2), {"long_pause": "warning"}),
    "mostly pause": (lambda w: gap(w, 8), {"long_pause": "warning", "mostly_silence": "warning"}),
    "cut in a vowel": (lambda w: w[: loudest(w)], {"cut_off": "info"}),
    "begun in a vowel": (lambda w: w[loudest(w, 0.25) :], {"cut_off": "info"}),
    "silent": (lambda w: at_peak(w, 0.0009), {"silent": "error"}),
    "nothing": (lambda w: 0 * w, {"silent": "error"}),
    "too long": (lambda w: np.concatenate([w, w, w]), {"too_long": "warning"}),
}  # fmt: skip


def loudest(wave: Wave, share: float = 0.6) -> int:
    """The middle of the loudest 20 ms within a second of this share of the wave."""
    start = round(share * len(wave)) - RATE // 2
    power = np.convolve(wave[start : start + RATE] ** 2, np.ones(480), "same")
    return start + int(power.argmax())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_no_other(name: str, spoken: list[Spoken]) -> None:
    make, expected = FAULTS[name]
    for speech in spoken:
        assert found(make(speech.wave)) == expected


def test_two_faults_are_both_found(clean: Spoken) -> None:
    assert set(found(noisy(clean.wave[: 2 * RATE], 10))) == {"noise", "too_short"}
    assert set(found(clipped(gap(clean.wave, 2), 4))) == {"clipping", "long_pause"}


@pytest.mark.parametrize("beats_per_minute", [70, 90, 133])
def test_music_is_found_alone_and_behind_a_voice(
    beats_per_minute: float, spoken: list[Spoken]
) -> None:
    music = chords(8, beats_per_minute)
    assert "music" in found(music)
    for speech in spoken:
        assert "music" in found(under(speech.wave, music, 0))


@pytest.mark.parametrize("beats_per_minute", [70, 110, 133])
def test_a_beat_without_a_tone_is_music_too(beats_per_minute: float) -> None:
    wave = drums(8, beats_per_minute)
    assert tones(wave, RATE) < TONES_LIMIT
    assert "music" in found(wave)


def test_soft_music_behind_a_voice_is_let_pass(clean: Spoken) -> None:
    """25 dB under it: the check is careful, and says so."""
    assert "music" not in found(under(clean.wave, chords(7), 25))


def test_every_finding_says_what_to_do(clean: Spoken) -> None:
    for make, _ in FAULTS.values():
        for finding in check_recording(make(clean.wave), RATE):
            assert finding.message
            assert finding.advice
            assert "\n" not in finding.message + finding.advice
            assert finding.value is not None
            assert math.isfinite(finding.value)


def test_values_are_what_was_measured(clean: Spoken) -> None:
    assert one(clean.wave + np.float32(0.05)).value == pytest.approx(0.05, abs=0.003)
    assert one(gap(clean.wave, 2)).value == pytest.approx(2, abs=0.3)  # and what was there before
    assert one(telephone(clean.wave)).value == pytest.approx(3_900, abs=100)
    long = np.concatenate([clean.wave] * 3)
    assert one(long).value == pytest.approx(len(long) / RATE)
    softer, soft = (one(at_peak(clean.wave, level)).value for level in (0.01, 0.02))
    assert softer is not None
    assert soft is not None
    assert soft - softer == pytest.approx(6.02, abs=0.01)


@pytest.mark.parametrize("snr", [0, 5, 10, 15, 20])
@pytest.mark.parametrize("colour", [0.0, 3.0])
def test_the_noise_is_as_loud_as_it_was_made(
    snr: float, colour: float, spoken: list[Spoken]
) -> None:
    """Within 3 dB, as promised: the noise is known here."""
    for speech in spoken:
        wave = noisy(speech.wave, snr, colour)
        speaking = levels(speech.wave, RATE).speech
        measured = snr_db(wave, RATE, speaking, BLOCK_S)
        assert measured is not None
        assert measured == pytest.approx(true_snr(speech.wave, snr, colour), abs=3)


def true_snr(wave: Wave, snr: float, colour: float) -> float:
    """Of the band that is measured, 100 to 7,000 Hz, during speech."""
    with_noise = noisy(wave, snr, colour)
    scale = float(wave @ with_noise) / float(wave @ wave)
    noise = with_noise - scale * wave
    speaking = np.repeat(levels(wave, RATE).speech, round(BLOCK_S * RATE))
    loud, soft = (band_power((scale * wave)[: len(speaking)][speaking]), band_power(noise))
    return 10 * math.log10(loud / soft)


def band_power(wave: Wave) -> float:
    power = np.abs(np.fft.rfft(wave)) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(power[(hz >= 100) & (hz <= 7_000)].sum()) / len(wave) ** 2


def test_louder_clipping_is_more_clipping(clean: Spoken) -> None:
    shares = [clipping(clipped(clean.wave, over), RATE)[0] for over in (0, 2, 4, 6, 10, 20)]
    assert shares == sorted(shares)
    assert shares[0] < 1e-4


def test_the_bandwidth_follows_the_rate_it_came_through(clean: Spoken) -> None:
    for rate in (6_000, 8_000, 12_000):
        through = resample(resample(clean.wave, RATE, rate), rate, RATE)
        assert bandwidth_hz(through, RATE) == pytest.approx(rate / 2, rel=0.05)


def test_what_is_too_short_to_measure_is_not_measured(rng: np.random.Generator) -> None:
    wave = rng.standard_normal(RATE // 2 - 1).astype(np.float32)
    assert bandwidth_hz(wave, RATE) is None
    assert snr_db(wave, RATE, np.ones(50, bool), BLOCK_S) is None


@pytest.mark.parametrize("rate", [1_000, 8_000, 24_000, 768_000])
@pytest.mark.parametrize("num_samples", [1, 2, 239, 5_000, 60_000])
def test_anything_can_be_checked(rate: int, num_samples: int, rng: np.random.Generator) -> None:
    """No warning of numpy's, no division by nothing."""
    noise = (0.1 * rng.standard_normal(num_samples)).astype(np.float32)
    click = np.zeros(num_samples, np.float32)
    click[num_samples // 2] = 1
    for wave in (noise, click, np.ones_like(click), np.sign(noise)):
        for finding in check_recording(wave, rate):
            assert finding.value is None or math.isfinite(finding.value)


def test_a_long_recording_costs_no_more_than_its_beginning(clean: Spoken) -> None:
    hour = np.zeros(3_600 * 8_000, np.float32)
    part = resample(clean.wave, RATE, 8_000)
    hour[: len(part)] = part
    assert {"too_long", "narrow_band"} <= set(found(hour, 8_000))


@pytest.mark.parametrize(
    ("wave", "rate", "parts"),
    [
        (np.zeros(0, np.float32), RATE, ("holds no samples",)),
        (np.zeros((2, 9), np.float32), RATE, ("a wave is a float array [N]",)),
        (np.array([0.0, math.nan]), RATE, ("1 NaN or infinite samples of 2",)),
        (np.zeros(9, np.float32), 0, ("sample rate `0`", "1000..768000")),
    ],
)
def test_no_recording_is_refused(wave: Any, rate: int, parts: tuple[str, ...]) -> None:
    with refused(InvalidAudio, *parts):
        check_recording(wave, rate)
