"""Can this transcript be what the recording says: how much text for how much speech.

No recogniser: syllables per second of speech against how fast people speak the language. That finds
a transcript that stops early or belongs elsewhere, not one with a wrong word.
"""

from qwen3_tts.audio.checks.findings import Finding
from qwen3_tts.audio.checks.syllables import LATIN, count_syllables, script_of

# Syllables (Japanese: morae) per second of speech, pauses left out, of people who read aloud.
TYPICAL_RATE = {
    "english": 5.0,
    "german": 5.2,
    "french": 6.0,
    "spanish": 6.3,
    "italian": 6.3,
    "portuguese": 6.2,
    "russian": 6.0,
    "chinese": 4.6,
    "japanese": 7.2,
    "korean": 5.8,
}
_TYPICAL_ELSEWHERE = 5.5

# A text for 6 s beside 10 s of speech reads 0.6 at a typical pace; readers vary by a quarter.
_SLOWEST, _FASTEST = 0.62, 1.7  # times typical
_SLOWEST_ELSEWHERE, _FASTEST_ELSEWHERE = 0.45, 2.2  # where the counting is rough
_SPARE_S = 0.6  # of speech: a word more or less means nothing
_TARGET_LETTERS = 12  # a text shorter than this may well be part of what was said; CJK: half


def check_transcript(
    text: str,
    seconds: float,
    language: str | None,
    *,
    target: str | None = None,
    target_language: str | None = None,
) -> list[Finding]:
    """Look for faults in a transcript of a recording with `seconds` of speech.

    `seconds` leaves pauses out (`Levels.speech_s`). `language` is one of ours in lower case; None,
    "auto" and others go by the letters. `target` is the text to be spoken in that voice.
    Codes: `transcript_empty`, `transcript_language` (written in other letters than the language
    has), `transcript_swapped` (the transcript is or holds the target, or only the target would
    fit), `transcript_short`, `transcript_long`, `language_differs`. Time is linear in both texts.
    """
    if not any(char.isalnum() for char in text):
        return [
            Finding(
                "transcript_empty",
                "error",
                "the transcript has no words",
                "write down what the recording says, or clone from the sound alone (x_vector)",
            )
        ]
    language = _known(language)
    found = [
        _other_letters(text, language),
        _swapped(text, seconds, language, target, target_language),
        _other_language(text, language, target, _known(target_language)),
    ]
    if not found[1]:
        found.insert(2, _amount(text, seconds, language))
    return [finding for finding in found if finding]


def speaking_rate(text: str, seconds: float, language: str | None) -> float:
    """Syllables of a text per second of speech."""
    return count_syllables(text, _known(language)) / max(seconds, 0.01)


def expected_seconds(text: str, language: str | None) -> float:
    """How long a text takes at a typical pace, without pauses."""
    language = _known(language) or script_of(text) or ""
    return count_syllables(text, language) / TYPICAL_RATE.get(language, _TYPICAL_ELSEWHERE)


def _known(language: str | None) -> str | None:
    name = (language or "").strip().lower()
    return name if name in TYPICAL_RATE else None


def _bounds(text: str, language: str | None) -> tuple[float, float]:
    """The fewest and most seconds of speech that fit a text."""
    language = language or script_of(text)
    slowest, fastest = (
        (_SLOWEST, _FASTEST) if language else (_SLOWEST_ELSEWHERE, _FASTEST_ELSEWHERE)
    )
    typical = expected_seconds(text, language)
    return typical / fastest - _SPARE_S / 2, typical / slowest + _SPARE_S


def _fits(text: str, seconds: float, language: str | None) -> bool:
    fewest, most = _bounds(text, language)
    return fewest <= seconds <= most


def _amount(text: str, seconds: float, language: str | None) -> Finding | None:
    if _fits(text, seconds, language):
        return None
    expected = expected_seconds(text, language)
    what = f"the transcript is text for about {expected:.1f} s, the speech lasts {seconds:.1f} s"
    value = speaking_rate(text, seconds, language)
    if expected < seconds:
        return Finding(
            "transcript_short",
            "warning",
            what,
            "write down every word of the recording, or cut it where the transcript ends; what is "
            "not written down is spoken again",
            value,
        )
    return Finding(
        "transcript_long",
        "warning",
        what,
        "write down only what the recording says; what it does not say is left out of your text",
        value,
    )


def _swapped(
    text: str,
    seconds: float,
    language: str | None,
    target: str | None,
    target_language: str | None,
) -> Finding | None:
    said, wanted = _letters(text), _letters(target or "")
    if not wanted:
        return None
    message = ""
    if said == wanted:
        message = "the transcript is the text to be spoken"
    elif _long_enough(wanted) and wanted in said:
        message = "the transcript has the text to be spoken in it"
    elif not _fits(text, seconds, language):
        other = _known(target_language) or (language if script_of(text) is None else None)
        if _long_enough(wanted) and _fits(target or "", seconds, other):
            message = "the transcript does not fit the recording, but the text to be spoken does"
    if not message:
        return None
    return Finding(
        "transcript_swapped",
        "warning",
        message,
        "the transcript has to be what the recording says; the text to be spoken goes elsewhere",
        speaking_rate(text, seconds, language),
    )


def _other_letters(text: str, language: str | None) -> Finding | None:
    script = script_of(text)
    kanji_alone = language == "japanese" and script == "chinese"
    fits = script == language or kanji_alone or (script is None and language in LATIN)
    if language is None or fits or not any(char.isalpha() for char in text):
        return None
    if script is None and not any(char.isascii() and char.isalpha() for char in text):
        return None  # other letters, about which nothing is known
    seems = script or "some other language"
    return Finding(
        "transcript_language",
        "warning",
        f"the language is given as {language}, but the transcript is written in {seems}",
        "give the language that is spoken in the recording, and write it in its own letters",
    )


def _other_language(
    text: str, language: str | None, target: str | None, target_language: str | None
) -> Finding | None:
    spoken = language or script_of(text)
    wanted = target_language or script_of(target or "")
    if not spoken or not wanted or spoken == wanted:
        return None
    return Finding(
        "language_differs",
        "info",
        f"the recording is in {spoken}, the text to be spoken in {wanted}",
        "cloning from the sound alone (x_vector) keeps less of the accent",
    )


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _long_enough(letters: str) -> bool:
    return len(letters) >= (_TARGET_LETTERS / 2 if script_of(letters) else _TARGET_LETTERS)
