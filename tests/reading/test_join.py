"""Pauses of the right length, seams without clicks, one loudness; all of it measured."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading.join import LEAD_S, Gap, GapKind, Joiner, Joins, Sound
from qwen3_tts.reading.matching import Loudness, speech_level_db, window_powers
from qwen3_tts.types import Wave

RATE = 24_000
QUIET_DB = -50.0
WINDOW = RATE // 100


def speech(seconds: float, level_db: float = -20.0, seed: int = 0, pitch: float = 140.0) -> Wave:
    """A buzz with syllables, cut anywhere: it begins and ends in full sound."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.05, len(time_s))
    wave = sum(np.sin(2 * np.pi * pitch * k * time_s + seed) / k for k in range(1, 20)) + noise
    wave *= 0.75 + 0.25 * np.sin(2 * np.pi * 4 * time_s + 1)
    wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2)) if len(wave) else 1.0
    return wave.astype(np.float32)


def hiss(seconds: float, seed: int = 0, level_db: float = -65.0) -> Wave:
    noise = np.random.default_rng(seed).normal(0, 10 ** (level_db / 20), round(seconds * RATE))
    return noise.astype(np.float32)


def segment(lead_s: float, sound_s: float, tail_s: float, seed: int = 0) -> Wave:
    return np.concatenate([hiss(lead_s, seed), speech(sound_s, seed=seed), hiss(tail_s, seed + 1)])


def joined(
    waves: Sequence[Wave], gaps: Sequence[Gap], joins: Joins | None = None, size: int = 10**9
) -> list[Sound[int]]:
    """`gaps` stand before, between and after the waves, which are pushed `size` samples a time."""
    joiner = Joiner[int](RATE, joins or Joins())
    sounds: list[Sound[int]] = []
    for number, wave in enumerate(waves):
        joiner.begin(number, gaps[number], QUIET_DB)
        for start in range(0, len(wave), size):
            sounds += joiner.push(wave[start : start + size])
        sounds += joiner.end()
    return sounds + joiner.finish(gaps[len(waves)])


def whole(sounds: list[Sound[int]]) -> Wave:
    return np.concatenate([np.zeros(0, np.float32), *(sound.wave for sound in sounds)])


def pauses(wave: Wave) -> list[int]:
    """Lengths of the stretches in which no sample rises above the hiss, longest first."""
    loud = np.flatnonzero(np.abs(wave) > 10 ** (-40 / 20))
    return sorted((int(gap) - 1 for gap in np.diff(loud) if gap > 0.03 * RATE), reverse=True)


KINDS: list[GapKind] = ["none", "clause", "sentence", "paragraph", "section"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("tail_s", "lead_s"), [(0, 0), (0.03, 0.05), (0.2, 0.1), (0.9, 0.0), (0.0, 1.2), (1.9, 0.6)]
)
def test_a_pause_has_its_length_whatever_the_model_brought(
    kind: GapKind, tail_s: float, lead_s: float
) -> None:
    waves = [segment(0, 1, tail_s), segment(lead_s, 1, 0, seed=5)]
    sounds = joined(waves, [Gap("start"), Gap(kind), Gap("end")])
    least, most = getattr(Joins(), kind)
    # Silence is told in windows of 10 ms, so each of its ends may be off by one.
    found_s = (pauses(whole(sounds)) or [0])[0] / RATE
    assert least - 0.021 <= found_s <= most + 0.021
    own = tail_s + lead_s
    if least <= own <= most:
        assert found_s == pytest.approx(own, abs=0.021)


@pytest.mark.parametrize("samples", [0, 1, 100, 4_801, 12_000, 24_007])
def test_an_exact_pause_is_exact_to_the_sample(samples: int) -> None:
    """Between sounds that fill their windows; at the beginning and at the end as well."""
    gap = Gap("sentence", samples / RATE)
    waves = [speech(1.0), speech(0.5, seed=3)]
    sounds = joined(waves, [gap, gap, gap])
    assert [len(s.wave) for s in sounds if s.owner is None] == ([samples] * 3 if samples else [])
    assert len(whole(sounds)) == round(1.5 * RATE) + 3 * samples
    # With silence of the model's own around it, all of that together.
    sounds = joined([segment(0.3, 1, 0.2), segment(0.4, 1, 0.3)], [gap, gap, gap])
    assert len(whole(sounds)) == 2 * RATE + 3 * samples


def test_a_start_and_an_end_without_dead_air() -> None:
    wave = whole(joined([segment(1.0, 1, 2.0)], [Gap("start"), Gap("end")]))
    assert len(wave) == round((0.3 + 1 + 0.5) * RATE)
    early = whole(joined([segment(0.1, 1, 0.1)], [Gap("start"), Gap("end")]))
    assert len(early) == round(1.2 * RATE)


def test_no_step_at_any_seam() -> None:
    """Segments that begin and end in full sound: the steps at seams are those within speech."""
    waves = [speech(0.7, seed=seed, pitch=100 + 17 * seed) for seed in range(6)]
    inside = max(float(np.abs(np.diff(wave)).max()) for wave in waves)
    for kind in KINDS:
        sounds = joined(waves, [Gap("start"), *[Gap(kind)] * 5, Gap("end")])
        ends = np.cumsum([len(sound.wave) for sound in sounds])[:-1]
        wave = whole(sounds)
        at_seams = np.abs(wave[ends] - wave[ends - 1])
        assert len(at_seams) >= 5
        assert at_seams.max() < 0.02 < inside
    raw = np.concatenate(waves)
    cuts = np.cumsum([len(wave) for wave in waves])[:-1]
    assert np.abs(raw[cuts] - raw[cuts - 1]).max() > 0.1  # so there was something to mend


def test_fades_are_short_and_nothing_else_is_changed() -> None:
    wave = speech(1.0)
    joins = Joins(fade_s=0.005)
    out = whole(joined([wave], [Gap("start"), Gap("end")], joins))
    fade = round(0.005 * RATE)
    assert np.array_equal(out[fade:-fade], wave[fade:-fade])
    assert not np.array_equal(out[:fade], wave[:fade])
    unfaded = whole(joined([wave], [Gap("start"), Gap("end")], Joins(fade_s=0)))
    assert np.array_equal(unfaded, wave)


def test_a_crackle_before_the_first_sound_is_left_out() -> None:
    """As a decoder makes it in its first 10 ms. What leads softly into the sound stays."""
    fade = round(Joins().fade_s * RATE)
    for lead_s, crackle_s, kept_s in ((0.25, 0.01, LEAD_S), (0.06, 0.01, 0.05), (0.03, 0.02, 0.03)):
        wave, start = segment(lead_s, 1, 0), round(lead_s * RATE)
        wave[: round(crackle_s * RATE)] += 0.05
        plain = whole(joined([wave], [Gap("start"), Gap("end")]))
        begun = start - round(kept_s * RATE)
        assert not plain[:begun].any()
        assert np.array_equal(plain[begun + fade : start], wave[begun + fade : start])
        assert len(plain) == len(wave)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.4), st.floats(0, 0.5), st.floats(0, 0.4), st.sampled_from(KINDS)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 3_000),
)
def test_pieces_of_any_size_give_the_same(
    shapes: list[tuple[float, float, float, GapKind]], size: int
) -> None:
    """Also segments of a few samples, and silent ones."""
    waves = [segment(*shape[:3], seed=number) for number, shape in enumerate(shapes)]
    gaps = [Gap("start"), *(Gap(shape[3]) for shape in shapes[1:]), Gap("end")]
    assert np.array_equal(whole(joined(waves, gaps)), whole(joined(waves, gaps, size=size)))


def test_owners_and_silence_are_told_apart() -> None:
    waves = [speech(0.5), hiss(0.5), speech(0.5, seed=2)]
    sounds = joined(waves, [Gap("start"), Gap("sentence"), Gap("paragraph"), Gap("end")])
    owners = [sound.owner for sound in sounds]
    assert list(dict.fromkeys(owners)) == [0, None, 2]  # 1 had nothing to say
    silent = [sound.wave for sound in sounds if sound.owner is None]
    assert [len(wave) for wave in silent] == [12_000]  # the larger of its two gaps, once
    assert not silent[0].any()


def test_silence_alone_leaves_its_pauses() -> None:
    gap = Gap("sentence", 0.5)
    assert len(whole(joined([hiss(1.0)], [gap, gap]))) == RATE
    assert joined([], [Gap("end", 0.0)]) == []


@pytest.mark.parametrize("spread_db", [2.0, 5.0])
def test_matched_segments_differ_by_less_than_a_decibel_and_a_half(spread_db: float) -> None:
    """Levels scattered by up to twice `spread_db`, which the gains may mend."""
    random = np.random.default_rng(1)
    loudness = Loudness(10.0)
    before = None
    for seed in range(40):
        wave = speech(0.5 + random.random(), -22 + spread_db * random.uniform(-1, 1), seed)
        gain_db = loudness.gain_db(wave, RATE)
        after = speech_level_db(wave * np.float32(10 ** (gain_db / 20)), RATE)
        assert after is not None
        if before is not None:
            assert abs(after - before) < 1.5
        before = after


def test_gains_are_limited_and_never_clip() -> None:
    loudness = Loudness(4.0)
    assert loudness.gain_db(speech(1, -20), RATE) == 0.0
    assert loudness.gain_db(speech(1, -32), RATE) == 4.0
    assert loudness.gain_db(speech(1, -10), RATE) == -4.0
    peaky = speech(1, -24)
    peaky[100] = 0.97
    assert 0 <= loudness.gain_db(peaky, RATE) < 0.1
    assert loudness.gain_db(hiss(1), RATE) == 0.0
    off = Loudness(0.0)
    assert [off.gain_db(speech(1, level), RATE) for level in (-20, -30, -10)] == [0, 0, 0]
    assert off.gain_db(speech(1, -20), RATE, more_db=-6.0) == -6.0


def test_one_odd_segment_moves_nothing() -> None:
    loudness = Loudness(6.0)
    for _ in range(5):
        loudness.gain_db(speech(3, -20), RATE)
    loudness.gain_db(speech(3, -30), RATE)
    assert abs(loudness.gain_db(speech(3, -20), RATE)) <= 0.5


def test_the_level_is_that_of_the_speech_without_its_pauses() -> None:
    wave = speech(1.0, -23.0)
    level = speech_level_db(wave, RATE)
    padded = np.concatenate([hiss(2), wave, hiss(3)])
    assert speech_level_db(padded, RATE) == pytest.approx(level, abs=0.2)
    assert speech_level_db(wave, RATE) == pytest.approx(-23.0, abs=0.5)
    assert speech_level_db(hiss(1), RATE) is None
    assert len(window_powers(wave[:500], WINDOW)) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"sentence": (0.4, 0.3)},
        {"clause": (-0.1, 0.2)},
        {"section": (1.0, 601.0)},
        {"fade_s": 0.006},
        {"match_db": 21.0},
    ],
    ids=str,
)
def test_options_that_make_no_sense(values: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(values))):
        Joins(**values)
