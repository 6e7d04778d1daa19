"""The report holds what the checks found, and the mode follows from it."""

import json
import math

import numpy as np
import pytest

from qwen3_tts.audio.checks import (
    Finding,
    check_recording,
    check_transcript,
    choose_mode,
    examine,
)
from qwen3_tts.audio.loudness import loudness
from qwen3_tts.errors import InvalidAudio
from tests.audio.checks.faults import RATE, at_peak, clipped, gap, noisy, telephone
from tests.audio.conftest import Spoken
from tests.refusal import refused


def finding(code: str, severity: str = "warning") -> Finding:
    return Finding(code, severity, "what", "do", 1.0)  # type: ignore[arg-type]


def test_clean_speech_with_its_transcript(clean: Spoken) -> None:
    report = examine(clean.wave, clean.rate, text=clean.text, language="english")
    assert report.findings == ()
    assert (report.mode, report.quality, report.language) == ("icl", "good", "english")
    assert report.seconds == len(clean.wave) / clean.rate
    assert 0.8 * report.seconds < report.speech_s < report.seconds
    assert report.loudness_lufs == loudness(clean.wave, clean.rate)
    assert report.peak_db == pytest.approx(20 * math.log10(np.abs(clean.wave).max()))
    assert report.speaking_rate is not None
    assert 3 < report.speaking_rate < 5


def test_an_offset_is_told_and_changes_no_measure(clean: Spoken) -> None:
    more = {"text": clean.text, "language": "english"}
    report = examine(clean.wave, RATE, **more)  # type: ignore[arg-type]
    shifted = examine(clean.wave + np.float32(0.05), RATE, **more)  # type: ignore[arg-type]
    assert [f.code for f in shifted.findings] == ["dc_offset"]
    assert shifted.mode == "icl"
    for name in ("speech_s", "snr_db", "bandwidth_hz", "loudness_lufs", "speaking_rate"):
        # float32 rounds the sum
        assert getattr(shifted, name) == pytest.approx(getattr(report, name), rel=0.01)


def test_without_a_transcript(clean: Spoken) -> None:
    report = examine(clean.wave, clean.rate)
    assert (report.mode, report.reason) == ("x_vector", "there is no transcript")
    assert (report.quality, report.speaking_rate) == ("good", None)


def test_the_report_holds_what_the_checks_find(clean: Spoken) -> None:
    wave, target = noisy(gap(clean.wave, 2), 10), "Good morning to you."
    report = examine(wave, RATE, text="Hello.", language="english", target=target)
    transcript = check_transcript("Hello.", report.speech_s, "english", target=target)
    assert list(report.findings) == check_recording(wave, RATE) + transcript
    assert [f.code for f in report.findings] == ["noise", "long_pause", "transcript_short"]
    noise = report.findings[0]
    assert report.snr_db == pytest.approx(noise.value)
    assert report.quality == "poor"


def test_an_encoder_finds_several_speakers(clean: Spoken, other_voice: np.ndarray) -> None:
    both = np.concatenate([clean.wave, other_voice])
    count = 0

    def embed(wave: np.ndarray, rate: int) -> np.ndarray:
        nonlocal count
        count += 1
        return np.array([1.0, 0.0]) if count <= 4 else np.array([0.0, 1.0])

    report = examine(both, RATE, text=2 * clean.text, language="english", embed=embed)
    assert [f.code for f in report.findings] == ["several_speakers"]
    assert report.mode == "x_vector"
    assert "more than one speaker" in report.reason


def test_silence_is_reported_and_nothing_is_measured_in_it() -> None:
    report = examine(np.zeros(RATE, np.float32), RATE, text="Hello.", embed=lambda w, r: 1 / 0)
    assert (report.mode, report.quality) == ("x_vector", "poor")
    assert [f.code for f in report.findings] == ["silent"]
    assert (report.speech_s, report.snr_db, report.loudness_lufs) == (0.0, None, None)
    assert report.peak_db == -120


def test_as_data_it_is_json(clean: Spoken) -> None:
    for wave in (clean.wave, telephone(clean.wave), 0 * clean.wave):
        report = examine(wave, RATE, text=clean.text, language="english")
        data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
        assert data["mode"] == report.mode
        assert [Finding(**found) for found in data["findings"]] == list(report.findings)


def test_as_text_it_says_all(clean: Spoken) -> None:
    report = examine(telephone(clean.wave), RATE, text=clean.text, language="english")
    lines = report.as_text().splitlines()
    assert lines[0].startswith("recording   6.4 s (6.")
    for part in ("24000 Hz", "LUFS", "speech over noise", "syllables/s"):
        assert part in lines[0]
    assert lines[1] == "quality     fair"
    (found,) = report.findings
    assert lines[2] == f"warning     {found.message}"
    assert lines[3].strip() == found.advice
    assert lines[4] == f"mode        icl: {report.reason}"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("code", "severity", "mode"),
    [
        ("transcript_empty", "error", "x_vector"),
        ("transcript_swapped", "warning", "x_vector"),
        ("transcript_short", "warning", "x_vector"),
        ("transcript_long", "warning", "x_vector"),
        ("transcript_language", "warning", "x_vector"),
        ("language_differs", "info", "x_vector"),
        ("too_long", "warning", "x_vector"),
        ("several_speakers", "warning", "x_vector"),
        ("music", "warning", "x_vector"),
        ("long_pause", "warning", "x_vector"),
        ("silent", "error", "x_vector"),
        ("noise", "error", "x_vector"),
        ("noise", "warning", "icl"),
        ("clipping", "error", "x_vector"),
        ("clipping", "warning", "icl"),
        ("narrow_band", "warning", "icl"),
        ("dc_offset", "info", "icl"),
        ("too_short", "warning", "icl"),
    ],
)
def test_the_mode_and_its_reason(code: str, severity: str, mode: str) -> None:
    chosen, reason = choose_mode([finding("cut_off", "info"), finding(code, severity)], "Text.")
    assert chosen == mode
    assert reason
    # without a transcript there is nothing to choose
    for text in (None, "", "  "):
        assert choose_mode([finding(code, severity)], text) == (
            "x_vector",
            "there is no transcript",
        )


def test_the_quality_follows_from_the_findings(clean: Spoken) -> None:
    def quality(wave: np.ndarray) -> str:
        return examine(wave, RATE).quality

    assert quality(clean.wave + np.float32(0.05)) == "good"  # which is only told
    assert quality(telephone(clean.wave)) == "fair"
    assert quality(clipped(clean.wave, 8)) == "poor"
    assert quality(at_peak(noisy(gap(clean.wave, 2), 12), 0.02)) == "poor"  # three warnings


def test_no_recording_is_refused() -> None:
    with refused(InvalidAudio, "holds no samples"):
        examine(np.zeros(0, np.float32), RATE)
    with refused(InvalidAudio, "sample rate `0`"):
        examine(np.zeros(9, np.float32), 0)


@pytest.mark.parametrize("num_samples", [1, 239, 240, 2_000])
def test_a_moment_is_reported_too(num_samples: int) -> None:
    report = examine(np.full(num_samples, 0.5, np.float32), RATE, text="Hello.")
    assert report.quality == "poor"
    json.dumps(report.as_dict(), allow_nan=False)
