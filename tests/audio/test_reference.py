"""A recording is made ready to be cloned: what is cut, what is kept, which way, and why."""

import json

import numpy as np
import pytest

from qwen3_tts.audio.reference import prepare_reference
from qwen3_tts.errors import InvalidAudio
from tests.audio.conftest import Spoken


@pytest.fixture(scope="module")
def long(spoken: list[Spoken]) -> Spoken:
    """All three with a pause between them: over 15 s."""
    rate = spoken[0].rate
    pause = np.zeros(rate // 2, np.float32)
    waves = [part for each in spoken for part in (each.wave, pause)]
    return Spoken(np.concatenate(waves[:-1]), rate, " ".join(each.text for each in spoken))


def test_a_good_recording_is_left_as_it_is(clean: Spoken) -> None:
    found = prepare_reference(clean.wave, clean.rate, clean.text, language="english")
    again = prepare_reference(found.wave, found.rate, found.text, language="english")
    assert np.array_equal(again.wave, found.wave)
    assert (again.notes, again.mode, again.text) == ((), "icl", clean.text)
    assert again.gain_db is not None
    assert again.report.reason.startswith("the transcript fits")


def test_a_small_offset_and_short_ends_are_no_reason_to_touch_it() -> None:
    rate = 24_000
    noise = np.random.default_rng(1).normal(0, 0.1, 4 * rate).astype(np.float32)
    noise[: rate // 10] = noise[-rate // 5 :] = 0  # 0.1 and 0.2 s
    found = prepare_reference(noise + np.float32(0.001), rate)
    assert np.array_equal(found.wave, noise + np.float32(0.001))
    assert found.notes == ()


def test_silent_ends_go(clean: Spoken) -> None:
    ends = np.zeros(2 * clean.rate, np.float32)
    wave = np.concatenate([ends, clean.wave, ends])
    found = prepare_reference(wave, clean.rate, clean.text, language="english")
    assert len(found.wave) <= len(clean.wave) + 0.4 * clean.rate  # what is left at the ends
    assert found.checks["cleaned"] == list(found.notes)
    assert "silence was taken off" in found.notes[0]
    assert found.report.seconds == pytest.approx(len(wave) / clean.rate)  # examined as it came


def test_what_is_too_long_is_cut_with_its_text(long: Spoken) -> None:
    found = prepare_reference(long.wave, long.rate, long.text, language="english")
    assert len(found.wave) <= 15 * found.rate
    assert found.mode == "icl"
    assert found.text
    assert long.text.startswith(found.text)
    assert len(found.text) < len(long.text)
    assert "too_long" in {each.code for each in found.report.findings}
    assert any(
        "what is over 15 s will be cut off; cut it yourself" in line for line in found.complaints()
    )


def test_without_a_sentence_end_the_vector_alone_is_left(long: Spoken) -> None:
    text = long.text.replace(".", "")
    found = prepare_reference(long.wave, long.rate, text, language="english")
    assert (found.mode, found.text) == ("x_vector", None)
    assert "cut" in found.report.reason
    assert any("cloned from the sound alone" in line for line in found.complaints())
    asked = prepare_reference(long.wave, long.rate, text, mode="icl", language="english")
    assert (asked.mode, asked.text) == ("icl", text)
    assert len(asked.wave) > 15 * asked.rate  # whole, as its text is


def test_x_vector_is_cut_without_its_text(long: Spoken) -> None:
    found = prepare_reference(long.wave, long.rate, long.text, mode="x_vector")
    assert len(found.wave) <= 15 * found.rate
    assert found.mode == "x_vector"
    assert not any("sound alone" in line for line in found.complaints())  # it was asked for


def test_a_swapped_transcript(spoken: list[Spoken]) -> None:
    found = prepare_reference(
        spoken[0].wave,
        spoken[0].rate,
        spoken[2].text,
        language="english",
        target=spoken[2].text,
    )
    assert found.mode == "x_vector"
    assert "transcript_swapped" in {each.code for each in found.report.findings}


def test_a_transcriber_hears_what_is_left(long: Spoken, clean: Spoken) -> None:
    heard: list[tuple[int, int, str | None]] = []

    def transcribe(wave: np.ndarray, rate: int, language: str | None) -> str:
        heard.append((len(wave), rate, language))
        return f"  {clean.text} "

    found = prepare_reference(clean.wave, clean.rate, language="english", transcribe=transcribe)
    assert (found.mode, found.text) == ("icl", clean.text)
    assert heard == [(len(found.wave), clean.rate, "english")]
    del heard[:]
    cut = prepare_reference(long.wave, long.rate, transcribe=transcribe)
    assert heard == [(len(cut.wave), long.rate, None)]
    assert heard[0][0] <= 15 * long.rate
    assert (
        cut.report.reason != "the recording is cut, and the transcript no longer says what is left"
    )
    del heard[:]
    told = prepare_reference(clean.wave, clean.rate, clean.text, transcribe=transcribe)
    alone = prepare_reference(clean.wave, clean.rate, mode="x_vector", transcribe=transcribe)
    assert (told.text, alone.text, heard) == (clean.text, None, [])


def test_a_transcriber_that_hears_nothing_or_gives_no_text(clean: Spoken) -> None:
    found = prepare_reference(clean.wave, clean.rate, transcribe=lambda *given: " \n")
    assert (found.mode, found.text) == ("x_vector", None)
    with pytest.raises(InvalidAudio, match="the transcriber gave a NoneType"):
        prepare_reference(clean.wave, clean.rate, transcribe=lambda *given: None)  # type: ignore[arg-type,return-value]


def test_several_speakers_are_looked_for_in_what_is_kept(long: Spoken) -> None:
    lengths: list[int] = []

    def embed(wave: np.ndarray, rate: int) -> np.ndarray:
        lengths.append(len(wave))
        return np.eye(2)[int(len(lengths) > 4)]

    found = prepare_reference(long.wave, long.rate, embed=embed)
    assert sum(lengths) <= len(found.wave) <= 15 * long.rate
    assert "several_speakers" in {each.code for each in found.report.findings}


def test_silence_is_left_to_the_caller() -> None:
    found = prepare_reference(np.zeros(24_000, np.float32), 24_000, "Words.")
    assert [each.code for each in found.report.findings] == ["silent"]
    assert found.gain_db is None


def test_checks_are_plain_data(long: Spoken) -> None:
    checks = prepare_reference(long.wave, long.rate, long.text, language="english").checks
    assert json.loads(json.dumps(checks, allow_nan=False))["mode"] == "icl"
