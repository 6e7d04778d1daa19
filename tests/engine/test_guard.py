"""Guards fire on speech that has run away, at the frame they promise, and on no other."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.engine.guard import (
    LETTER_MS,
    Guard,
    LoopDetector,
    SilenceDetector,
    Verdict,
    frame_budget,
    slow_reading_s,
)
from qwen3_tts.errors import InvalidRequest, StreamFailed
from qwen3_tts.prompt.languages import ISO_639

RATE = 24_000
LANGUAGES = ["auto", "Auto", "sichuan_dialect", *ISO_639.values()]
TEXTS = st.text(st.characters() | st.sampled_from("aB7 .,。、%=漢か한й\n"), max_size=20)

# Sentences with their syllables (Japanese: morae) counted by hand, and the language's usual rate.
READINGS = [
    ("english", "The quick brown fox jumps over the lazy dog.", 11, 6.2),
    ("english", "KFC is located on the third floor.", 11, 6.2),
    ("english", "There were 777 people.", 13, 6.2),
    ("german", "Die Sonne scheint heute den ganzen Tag.", 10, 6.0),
    ("german", "1234567", 22, 6.0),
    ("french", "Nous avons visité un grand musée avec les enfants.", 14, 7.2),
    ("spanish", "Mañana por la mañana vamos a caminar por la montaña.", 18, 7.8),
    ("italian", "Domani mattina andiamo a camminare in montagna.", 17, 7.0),
    ("portuguese", "Amanhã de manhã vamos caminhar pela montanha.", 15, 6.5),
    ("russian", "Завтра утром мы пойдём гулять в горы.", 12, 6.5),
    ("chinese", "今天天气很好，我们一起去公园散步吧。", 16, 5.2),
    ("japanese", "今日はとても天気がいいですね。", 15, 7.8),
    ("japanese", "ありがとうございました。", 11, 7.8),
    ("korean", "오늘은 날씨가 정말 좋네요.", 11, 7.0),
]


@pytest.mark.parametrize(("language", "text", "syllables", "rate"), READINGS)
def test_slow_reading_is_slow_but_not_absurd(
    language: str, text: str, syllables: int, rate: float
) -> None:
    """0.6 times the usual rate is 1.67 times as long; pauses come on top, short texts pay most."""
    usual_s = syllables / rate
    assert 1.5 * usual_s <= slow_reading_s(text, language) <= 3.5 * usual_s
    assert frame_budget(text, language) >= 12.5 * 4.5 * usual_s


@given(st.characters(), st.sampled_from(LANGUAGES), st.booleans())
def test_a_single_character_gets_four_seconds(char: str, language: str, instruct: bool) -> None:
    assert frame_budget(char, language, instruct) == 50


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(LANGUAGES))
def test_more_text_never_has_less_time(a: str, b: str, c: str, language: str) -> None:
    assert frame_budget(a + c, language) <= frame_budget(a + b + c, language)
    assert frame_budget(a + b + c, language) <= frame_budget(a + b + c, language, instruct=True)


@given(TEXTS)
def test_an_open_language_counts_as_the_slowest(text: str) -> None:
    slowest = max(frame_budget(text, language) for language in ISO_639.values())
    assert frame_budget(text, "Auto") >= slowest


def test_the_budget_grows_with_the_text_and_knows_languages_by_code() -> None:
    text = "Ein Satz, der vorgelesen wird. "
    assert 9.5 < frame_budget(10 * text, "german") / frame_budget(text, "german") <= 10
    for code, name in ISO_639.items():
        assert slow_reading_s(text, f"{code}-XX") == slow_reading_s(text, name.title())
    assert set(LETTER_MS) <= set(ISO_639.values())
    assert frame_budget("Wait" + "." * 500, "english") == frame_budget("Wait.", "english")
    assert frame_budget("a" + " " * 999, "english") == 50


def frames(first: list[int], random: Random) -> list[list[int]]:
    """Frames with these first codes; the other 15 are drawn, as they differ in a real loop too."""
    return [[code, *(random.randrange(2048) for _ in range(15))] for code in first]


def fired_at(first: list[int]) -> list[int]:
    """Frames, counted from 1, at which the detector fires."""
    detector = LoopDetector()
    return [i for i, codes in enumerate(frames(first, Random(0)), 1) if detector.add(codes)]


@pytest.mark.parametrize("period", range(1, 13))
@pytest.mark.parametrize("before", [0, 1, 30])
def test_a_cycle_fires_as_soon_as_it_counts_as_one(period: int, before: int) -> None:
    speech = list(range(100, 100 + before))
    cycle = [i % period for i in range(200)]
    at = before + max(25, 4 * period)
    assert fired_at(speech + cycle)[0] == at
    detector = LoopDetector()
    for codes in frames((speech + cycle)[:at], Random(0)):
        detector.add(codes)
    assert detector.keep_frames == before + period, "speech and one round"


def test_repetition_that_speech_has_does_not_fire() -> None:
    held = [7] * 24  # 1.92 s: longer than any held vowel
    word = [1, 2, 3, 3, 4, 5, 6, 7, 8, 9]
    long_cycle = [i % 13 for i in range(200)]
    assert fired_at([1, 2, *held, 3]) == []
    assert fired_at([0, *word * 3, 20, *word * 3, 21]) == [], "no, no, no"
    assert fired_at([1, 2, 1, 2, 1, 2, 3] + [4] * 13 + [5, 4, 5, 4, 5, 6]) == []
    assert fired_at(long_cycle) == []


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), max_size=12))
def test_the_counting_equals_a_look_at_all_frames(runs: list[tuple[int, int]]) -> None:
    first = [code for code, count in runs for _ in range(count)]

    def loops(end: int) -> bool:
        spans = [(n, max(25, 4 * n)) for n in range(1, 13)]
        return any(
            end >= span and all(first[i] == first[i - n] for i in range(end - span + n, end))
            for n, span in spans
        )

    assert fired_at(first) == [end for end in range(1, len(first) + 1) if loops(end)]


def speech_codes(random: Random, length: int) -> list[int]:
    """First codes as in speech: few are frequent (Zipf), most last a frame or two, and now and
    then a vowel or a pause holds one for up to 15 frames."""
    codes, weights = range(2000), [1 / (rank + 3) for rank in range(2000)]
    first: list[int] = []
    while len(first) < length:
        (code,) = random.choices(codes, weights)
        held = random.randint(8, 15) if random.random() < 0.04 else 1 + (random.random() < 0.3)
        if first[-1:] != [code]:  # the same code again would be a longer hold, not a new sound
            first += [code] * held
    return first[:length]


@pytest.mark.parametrize("seed", range(8))
def test_ten_thousand_frames_of_speech_do_not_fire(seed: int) -> None:
    """Over 13 minutes each, as held codes and as independent draws from the same frequencies."""
    random = Random(seed)
    first = speech_codes(random, 10_000)
    repeats = "".join("x" if a == b else "." for a, b in pairwise(first))
    assert "x" * 12 in repeats, "the sequence is hard enough"
    assert fired_at(first) == []
    assert fired_at(random.sample(first, len(first))) == []


def noise(seconds: float, dbfs: float, seed: int = 0) -> np.ndarray:
    """Samples of exactly +-level in random order: every window has the same power."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], round(seconds * RATE))
    return (signs * 10 ** (dbfs / 20)).astype(np.float32)


SPEECH = noise(1.0, -20)


def silent(*pieces: np.ndarray, exhausted: bool = True) -> bool:
    detector = SilenceDetector(RATE)
    return any(detector.add(piece, exhausted) for piece in pieces)


def test_two_seconds_of_silence_after_speech_fire() -> None:
    assert silent(SPEECH, np.zeros(2 * RATE))
    assert not silent(SPEECH, np.zeros(2 * RATE - 1))
    assert silent(SPEECH, noise(2.0, -51)), "noise below the threshold is silence"
    assert not silent(SPEECH, noise(9.0, -49))
    assert silent(SPEECH[:-7], np.zeros(2 * RATE + 480)), "at most one window late"


def test_silence_that_belongs_there_does_not_fire() -> None:
    assert not silent(np.zeros(5 * RATE)), "nothing has been said yet"
    assert not silent(SPEECH, np.zeros(5 * RATE), exhausted=False)
    pause = np.zeros(round(1.04 * RATE))
    assert not silent(*[SPEECH, pause] * 30), "a minute with real pauses"
    assert not silent(SPEECH, np.zeros(round(1.9 * RATE)), noise(0.02, -30), pause)


def test_silence_counts_from_the_end_of_the_text() -> None:
    detector = SilenceDetector(RATE)
    assert not detector.add(SPEECH, False)
    assert not detector.add(np.zeros(3 * RATE), False)
    assert not detector.add(np.zeros(2 * RATE - 1), True)
    assert detector.add(np.zeros(1), True)


@given(st.lists(st.integers(1, 30_000), max_size=12), st.integers(0, 40_000))
def test_silence_is_found_in_pieces_of_any_size(sizes: list[int], lead: int) -> None:
    """The piece that completes the silence fires, whatever the pieces are."""
    speech = np.resize(SPEECH, lead + 480)
    wave = np.concatenate([speech, np.zeros(3 * RATE)])
    first_quiet = -(-len(speech) // 480)  # window
    detector, position = SilenceDetector(RATE), 0
    for size in [*sizes, len(wave)]:
        piece = wave[position : position + size]
        position += len(piece)
        assert detector.add(piece, True) == (position >= (first_quiet + 100) * 480)
        if position >= len(wave) or detector.quiet >= 100:
            break


TEXT = "Fine."  # the least budget, 50 frames


def guard(policy: str = "stop", max_frames: int = 1000, fixed: bool = False) -> Guard:
    return Guard(
        TEXT, "english", max_frames=max_frames, sample_rate=RATE, policy=policy, fixed=fixed
    )


def run(guard: Guard, first: list[int]) -> Verdict | None:
    for codes in frames(first, Random(1)):
        if verdict := guard.frame(codes):
            return verdict
    return None


def test_each_end_has_its_name_and_what_to_keep() -> None:
    plain = list(range(100))
    assert run(guard(), plain[:49]) is None
    assert run(guard(), plain) == Verdict("guard:budget", "stop", 50)
    assert run(guard(max_frames=30), plain) == Verdict("length", "stop", 30)
    assert run(guard(max_frames=50), plain) == Verdict("length", "stop", 50)
    assert run(guard(), [1, 2, 3] + [9] * 40) == Verdict("guard:loop", "stop", 4)
    quiet = guard()
    assert quiet.sound(SPEECH, text_exhausted=True) is None
    assert quiet.sound(np.zeros(RATE), text_exhausted=True) is None
    assert quiet.sound(np.zeros(RATE), text_exhausted=True) == Verdict("guard:silence", "stop", 13)


def test_silence_waits_until_the_text_can_have_been_said() -> None:
    """The whole text may be in the prompt from the start: a long pause must not end it."""
    text = "A long first sentence, spoken slowly. And then a second one that is just as long."
    watch = Guard(text, "english", max_frames=1000, sample_rate=RATE)
    assert watch.sound(noise(0.4, -20), text_exhausted=True) is None
    pieces = 5
    while not watch.sound(np.zeros(1920), text_exhausted=True):
        pieces += 1
    least_s = slow_reading_s(text, "english") / 3
    assert least_s > 1, "the wait is what decides"
    assert least_s + 2 <= (pieces + 1) * 0.08 <= least_s + 2 + 2 * 0.08


RUNAWAY = list(range(60))


@pytest.mark.parametrize(
    ("policy", "fixed", "sound_left", "retries", "action"),
    [
        ("stop", False, False, 0, "stop"),
        ("error", False, False, 0, "error"),
        ("error", True, True, 2, "error"),
        ("retry", False, False, 0, "retry"),
        ("retry", False, False, 1, "retry"),
        ("retry", False, False, 2, "stop"),
        ("retry", True, False, 0, "stop"),
        ("retry", False, True, 0, "stop"),
    ],
)
def test_a_retry_is_offered_only_where_it_can_help(
    policy: str, fixed: bool, sound_left: bool, retries: int, action: str
) -> None:
    watch = guard(policy, fixed=fixed)
    for _ in range(retries):
        assert run(watch, RUNAWAY[:49]) is None
        watch.restart()
    watch.sound_left = sound_left
    assert watch.retries == retries
    assert run(watch, RUNAWAY) == Verdict("guard:budget", action, 50)


def test_a_restart_begins_with_nothing() -> None:
    watch = guard("retry")
    assert run(watch, [5] * 24) is None
    watch.sound(SPEECH, True)
    watch.sound(np.zeros(round(1.9 * RATE)), True)
    watch.restart()
    assert run(watch, [5] * 24) is None
    assert watch.sound(np.zeros(3 * RATE), True) is None
    assert run(watch, [5]) == Verdict("guard:loop", "retry", 1)


def test_the_limit_of_the_request_is_never_a_failure() -> None:
    for policy in ("stop", "retry", "error"):
        assert run(guard(policy, max_frames=10), RUNAWAY) == Verdict("length", "stop", 10)


def test_an_error_says_what_ran_away_and_an_unknown_policy_is_refused() -> None:
    error = Verdict("guard:loop", "error", 25).error()
    assert isinstance(error, StreamFailed)
    assert "guard:loop" in str(error)
    assert "2.0 s" in str(error)
    with pytest.raises(InvalidRequest, match="'abort' is unknown; have: stop, retry, error"):
        guard("abort")
