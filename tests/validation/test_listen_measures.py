"""Distances in sound, likeness of voices, and the figures made of them."""

from collections.abc import Iterator

import numpy as np
import pytest
from listening import score, spectra, teacher
from listening.score import Take
from listening.speakers import Likeness, by_cepstra
from listening.words import Errors

RATE = teacher.RATE


def noise(seed: int, seconds: float = 0.6) -> np.ndarray:
    """Noise that changes its colour and loudness every 60 ms, as speech does."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(round(seconds / 0.06)):
        white = rng.normal(size=RATE * 6 // 100 + 63)
        colour = rng.normal(size=64) * np.exp(-np.arange(64) / rng.uniform(1, 16))
        pieces.append(rng.uniform(0.3, 1) * np.convolve(white, colour, "valid"))
    wave = np.concatenate(pieces)
    return (0.2 * wave / np.abs(wave).max()).astype(np.float32)


def test_the_distance_of_a_wave_to_itself_is_nothing() -> None:
    """Squares are taken apart and put together, so equal is equal to some 1e-6 dB."""
    assert spectra.mel_cepstral_distance(noise(1), noise(1)) < 1e-5
    assert spectra.mel_cepstral_distance(noise(1), noise(2)) > 1


def test_the_distance_is_symmetric_and_blind_to_loudness() -> None:
    one, other = noise(1), noise(2, 0.9)
    there = spectra.mel_cepstral_distance(one, other)
    assert spectra.mel_cepstral_distance(other, one) == pytest.approx(there, rel=1e-9)
    # float32 waves of another scale: rounding of 1e-7 before logarithms of values down to -60 dB
    assert spectra.mel_cepstral_distance(one * 0.3, other) == pytest.approx(there, rel=1e-3)


def test_the_distance_is_the_root_mean_square_over_the_bands() -> None:
    """Parseval: for spectra that thirteen cepstra describe, it is what a subtraction gives."""
    rng = np.random.default_rng(3)
    bands = np.arange(spectra.NUM_MELS) + 0.5
    waves = np.cos(np.pi * np.outer(np.arange(1, 14), bands) / spectra.NUM_MELS)  # [13, M]
    left, right = rng.normal(size=(2, 5, 13)) @ waves
    given = spectra._pairwise_db(spectra.cepstra_of(left), spectra.cepstra_of(right))
    difference_db = 20 / np.log(10) * (left[:, None] - right[None])
    np.testing.assert_allclose(given, np.sqrt(np.square(difference_db).mean(-1)), rtol=1e-9)


def test_a_constant_factor_is_not_compared() -> None:
    spectrum = np.random.default_rng(4).normal(size=(3, spectra.NUM_MELS))
    np.testing.assert_allclose(
        spectra.cepstra_of(spectrum), spectra.cepstra_of(spectrum + 2), atol=1e-12
    )


def paths(rows: int, columns: int) -> Iterator[list[tuple[int, int]]]:
    """All ways from (0, 0) to the last cell."""
    if (rows, columns) == (1, 1):
        yield [(0, 0)]
        return
    for down, right in ((1, 1), (1, 0), (0, 1)):
        if rows > down and columns > right:
            for path in paths(rows - down, columns - right):
                yield [*path, (rows - 1, columns - 1)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 5), (5, 4)])
def test_the_alignment_is_the_cheapest_of_all(shape: tuple[int, int]) -> None:
    costs = np.random.default_rng(sum(shape)).random(shape)
    every = list(paths(*shape))
    cheapest = min(every, key=lambda path: sum(costs[cell] for cell in path))
    expected = sum(costs[cell] for cell in cheapest) / len(cheapest)
    assert spectra._along_best_path(costs) == pytest.approx(expected, rel=1e-12)


def test_a_slower_reading_is_as_near() -> None:
    """Frames said twice align with themselves."""
    frames = spectra.cepstra(noise(5))
    slow = np.repeat(frames, 2, axis=0)
    assert spectra._along_best_path(spectra._pairwise_db(frames, slow)) < 1e-5


def test_trimming_takes_quiet_ends_and_keeps_the_middle() -> None:
    wave = noise(6)
    quiet = np.zeros(RATE // 2, dtype=np.float32)
    keep = RATE // 20
    whole = np.concatenate([quiet, wave, quiet, wave, quiet])
    cut = teacher.trimmed(whole, RATE)
    np.testing.assert_array_equal(cut, whole[len(quiet) - keep : len(whole) - len(quiet) + keep])
    np.testing.assert_array_equal(teacher.trimmed(cut, RATE), cut)


@pytest.mark.parametrize("length", [0, 100, RATE])
def test_silence_is_measured_without_a_fault(length: int) -> None:
    silent = np.zeros(length, dtype=np.float32)
    assert len(teacher.trimmed(silent, RATE)) == length
    assert np.isfinite(spectra.mel_cepstral_distance(silent, noise(1)))


def test_voices_are_told_apart_by_their_long_term_spectra() -> None:
    def voice(colour: float, seed: int) -> np.ndarray:
        kernel = np.array([1.0, colour])
        return np.convolve(noise(seed), kernel, "same").astype(np.float32)

    spoken = {
        name: [voice(colour, seed) for seed in range(4)]
        for name, colour in (("dull", 0.9), ("plain", 0.0), ("sharp", -0.9))
    }
    speakers = by_cepstra(spoken)
    same = speakers.likeness([voice(0.9, seed) for seed in (10, 11, 12)], "dull")
    other = speakers.likeness([voice(-0.9, seed) for seed in (10, 11, 12)], "dull")
    assert (same.nearest, other.nearest) == (1, 0)
    assert min(same.own) > max(other.own)


def test_the_nearest_voice_is_counted() -> None:
    assert Likeness([0.9, 0.2, 0.5], [0.1, 0.3, 0.5]).nearest == pytest.approx(1 / 3)


def take(frames: int, finish: str, retries: int = 0) -> Take:
    return Take(np.ones(frames * 1920, dtype=np.float32), 0.5, finish, retries)


def test_an_end_counts_when_the_model_made_it_in_time() -> None:
    taught = [np.ones(10 * 1920, dtype=np.float32)] * 5
    takes = [
        take(15, "stop"),  # exactly one and a half times as long
        take(16, "stop"),
        take(10, "length"),
        take(10, "guard:loop"),
        take(10, "stop", retries=1),
    ]
    figures = score.endings(takes, taught)
    assert figures["ends"] == pytest.approx(2 / 5)
    assert figures["guards"] == 2
    assert figures["finish"] == {"stop": 3, "length": 1, "guard:loop": 1}


def test_what_was_not_generated_has_no_end() -> None:
    wave = np.ones(1920, dtype=np.float32)
    assert score.endings([Take(wave)], [wave])["ends"] is None
    assert score.x_realtime([Take(wave)]) is None


def test_speed_is_all_sound_over_all_work() -> None:
    takes = [Take(np.ones(RATE, dtype=np.float32), 0.5), Take(np.ones(2 * RATE), 0.25)]
    assert score.x_realtime(takes) == pytest.approx(4)


def test_word_figures_of_a_list() -> None:
    figures = score.words(["one two three", "four"], ["one two", "four"])
    assert figures["word_error"] == pytest.approx(1 / 4)
    assert (figures["words"], figures["all_right"]) == (4, 0.5)


def test_the_interval_narrows_with_more_sentences() -> None:
    few = [Errors(i % 3, 8) for i in range(30)]
    low, high = score.interval(few)
    narrow = score.interval(few * 16)
    assert low < 1 / 8 < high
    assert narrow[0] < 1 / 8 < narrow[1]
    # by the square root of 16 sentences for one, give or take what 2,000 draws waver
    assert (narrow[1] - narrow[0]) / (high - low) == pytest.approx(1 / 4, rel=0.15)
