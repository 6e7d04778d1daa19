"""Transcripts that cannot be what was said are told from those that can."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.audio.checks import check_transcript, codes
from qwen3_tts.audio.checks.syllables import count_syllables, script_of
from qwen3_tts.audio.checks.transcript import TYPICAL_RATE, expected_seconds
from qwen3_tts.audio.levels import levels
from tests.audio.conftest import SENTENCES, Spoken

TEXTS = {
    "english": "The boats could not find the harbour, so he lit the great lamp and waited.",
    "german": "Die Boote fanden den Hafen nicht, also zündete er die große Lampe an und wartete.",
    "french": "Les bateaux ne trouvaient pas le port, alors il alluma la grande lampe et attendit.",
    "spanish": "Los barcos no encontraban el puerto, así que encendió la gran lámpara y esperó.",
    "italian": "Le barche non trovavano il porto, così accese la grande lampada e aspettò.",
    "portuguese": "Os barcos não encontravam o porto, então ele acendeu a lâmpada e esperou.",
    "russian": "Лодки не могли найти гавань, поэтому он зажёг большую лампу и стал ждать.",
    "chinese": "船只找不到港口，于是他点亮了那盏大灯，一直等到天亮。",
    "japanese": "ふねはみなとを見つけられなかったので、彼は大きなランプに火をつけて待った。",
    "korean": "배들이 항구를 찾지 못하자 그는 큰 등불을 켜고 아침까지 기다렸습니다.",
}


def found(text: str, seconds: float, language: str | None = "english", **more: str) -> set[str]:
    return codes(check_transcript(text, seconds, language, **more))


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("pace", [0.75, 1.0, 1.5])
def test_what_fits_has_no_fault(language: str, pace: float) -> None:
    text = TEXTS[language]
    seconds = expected_seconds(text, language) / pace
    assert found(text, seconds, language) == set()
    assert found(text, seconds, None) == set()
    assert found(text, seconds, language.title()) == set()


@pytest.mark.parametrize("language", TEXTS)
def test_half_and_three_times_the_text(language: str) -> None:
    text = TEXTS[language]
    seconds = expected_seconds(text, language)
    assert found(text, 2.2 * seconds, language) == {"transcript_short"}
    assert found(text, seconds / 3, language) == {"transcript_long"}


def test_the_transcript_of_speech_fits_it(spoken: list[Spoken]) -> None:
    for speech in spoken:
        assert found(speech.text, levels(speech.wave, speech.rate).speech_s) == set()


def test_text_for_six_seconds_beside_ten_is_flagged(spoken: list[Spoken]) -> None:
    """The recording goes on after the transcript has ended: the rest would be spoken again."""
    for first, second in pairwise(spoken):
        seconds = sum(levels(s.wave, s.rate).speech_s for s in (first, second))
        (finding,) = check_transcript(first.text, seconds, "english")
        assert finding.code == "transcript_short"
        assert finding.value == pytest.approx(
            count_syllables(first.text, "english") / seconds, abs=0.01
        )
        words = first.text.split()
        sixty_percent = " ".join(words[: round(0.6 * len(words))])
        alone = levels(first.wave, first.rate).speech_s
        assert found(sixty_percent, alone) == {"transcript_short"}


def test_a_transcript_of_another_recording_is_flagged(spoken: list[Spoken]) -> None:
    seconds = levels(spoken[0].wave, spoken[0].rate).speech_s
    assert found("Hello there.", seconds) == {"transcript_short"}
    assert found(" ".join(SENTENCES), seconds) == {"transcript_long"}


@pytest.mark.parametrize("text", ["", "   ", "...", "—?!", "，。", "\n\t"])
def test_no_words_at_all(text: str) -> None:
    (finding,) = check_transcript(text, 5, "english", target="Something to say")
    assert (finding.code, finding.severity) == ("transcript_empty", "error")


def test_the_target_as_transcript_is_flagged(clean: Spoken) -> None:
    seconds = levels(clean.wave, clean.rate).speech_s
    for target in (clean.text, clean.text.upper(), f"  {clean.text[:-1]}!", clean.text[10:70]):
        assert found(clean.text, seconds, target=target) == {"transcript_swapped"}


def test_transcript_and_target_swapped(clean: Spoken) -> None:
    """What should be spoken is in the transcript's place, and the transcript in its."""
    seconds = levels(clean.wave, clean.rate).speech_s
    for target in ("Good morning.", 6 * "Nobody knew how long he had been living there. "):
        assert found(target, seconds, target=clean.text) == {"transcript_swapped"}
        assert found(clean.text, seconds, target=target) == set()
        # where neither fits there is nothing to swap
        assert found(target, 99 * seconds, target=clean.text) == {"transcript_short"}


@pytest.mark.parametrize("target", ["", "   ", "year", "Hello, my friends.", "你好吗"])
def test_another_target_is_no_fault(target: str, clean: Spoken) -> None:
    seconds = levels(clean.wave, clean.rate).speech_s
    assert found(clean.text, seconds, target=target) <= {"language_differs"}


def test_a_short_target_may_be_part_of_what_was_said() -> None:
    text = TEXTS["chinese"]
    seconds = expected_seconds(text, "chinese")
    assert found(text, seconds, "chinese", target="大灯") == set()
    assert found(text, seconds, "chinese", target="于是他点亮了那盏大灯") == {"transcript_swapped"}


@pytest.mark.parametrize("language", ["chinese", "japanese", "korean", "russian"])
def test_the_wrong_letters_are_flagged(language: str) -> None:
    text, foreign = TEXTS["english"], TEXTS[language]
    assert "transcript_language" in found(text, 5, language)
    assert "transcript_language" in found(foreign, expected_seconds(foreign, language), "english")


def test_kanji_alone_may_be_japanese() -> None:
    assert found("東京都千代田区", 2.5, "japanese") == set()


def test_digits_alone_have_no_letters() -> None:
    assert found("1 2 3 4 5 6", 3, "chinese") == set()


@pytest.mark.parametrize("target", ["german", None])
def test_another_language_to_speak_is_told(target: str | None) -> None:
    text = TEXTS["chinese"]
    more = {"target": "Good morning to you."} if target is None else {"target_language": target}
    seconds = expected_seconds(text, "chinese")
    expected = {"language_differs"} if target else set()
    assert found(text, seconds, "chinese", **more) == expected
    russian = {"target": TEXTS["russian"]}
    assert found(text, seconds, "chinese", **russian) == {"language_differs"}


def test_a_word_or_two_is_given_room() -> None:
    assert found("Huh?", 0.3) == set()
    assert found("Yes.", 0.7) == set()
    assert found("嗯？", 0.6, "chinese") == set()


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("The cat sat on the mat", "english", 6),
        ("She walked home, tired and pleased with these shapes", "english", 9),
        ("The BBC made a table", "english", 8),
        ("Ich heiße Müller und wohne in Köln", "german", 10),
        ("Bonjour, je m'appelle Claire", "french", 6),
        ("Elles parlent français", "french", 4),
        ("Buenos días, amigos", "spanish", 6),
        ("Доброе утро", "russian", 5),
        ("你好世界", "chinese", 4),
        ("きゃりー", "japanese", 3),
        ("안녕하세요", "korean", 5),
        ("", "english", 0),
        ("cafe\u0301", "english", 2),
    ],
)
def test_syllables(text: str, language: str, count: float) -> None:
    """Counted by hand; spelling gives them within a tenth, and one in short texts."""
    assert count_syllables(text, language) == pytest.approx(count, abs=max(1, 0.1 * count))


def test_letters_tell_four_languages() -> None:
    for language, text in TEXTS.items():
        certain = language in ("japanese", "chinese", "korean", "russian")
        assert script_of(text) == (language if certain else None)


@given(
    text=st.text(max_size=200),
    seconds=st.floats(0, 1e6),
    language=st.sampled_from([None, "auto", "klingon", *TYPICAL_RATE]),
    target=st.none() | st.text(max_size=200),
)
def test_any_text_can_be_checked(
    text: str, seconds: float, language: str | None, target: str | None
) -> None:
    for finding in check_transcript(text, seconds, language, target=target):
        assert finding.message
        assert finding.advice


@pytest.mark.parametrize(
    "piece",
    [
        "!",
        "a",
        "b",
        "e ee ",
        '."',
        "a'",
        "你好。",
        "e\u0301",
        "1",
        "BCD",
        "a\u0301\u0301",
        "\U00020000",
    ],
)
def test_time_is_linear(piece: str) -> None:
    """100,000 characters of it; one step too many for each pair of them would take hours."""
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    check_transcript(text, 5, "english", target=text[:-1])
    assert time.process_time() - start < 2  # measured 0.07 at most
