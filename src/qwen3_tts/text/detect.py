"""Which language a text is in: by its script, and where several share it, by statistics.

Scripts decide between Chinese, Japanese, Korean and the rest; py3langid between the languages in
Latin and in Cyrillic letters. Languages have our lower-case names ("english"), or ISO codes ("th")
where no checkpoint speaks them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from qwen3_tts.errors import UnknownLanguage, UnsupportedRequest
from qwen3_tts.prompt.languages import AUTO, ISO_639, resolve_language
from qwen3_tts.text.abbreviations import abbreviations
from qwen3_tts.text.language_names import language_name
from qwen3_tts.text.language_statistics import CYRILLIC, LATIN, likeliest
from qwen3_tts.text.scripts import (
    CJK_SCRIPTS,
    ONLY_LANGUAGE,
    count_han,
    count_scripts,
    letter_runs,
)
from qwen3_tts.text.sentences import OPENERS, Sentences
from qwen3_tts.text.spoken_length import spoken_length
from qwen3_tts.text.window import Window

SAMPLE = 6000  # characters that are looked at: the start, the middle and the end
SURE = 0.5  # from this confidence on, a detected language is used
REFUSE = 0.9  # from this confidence on, one that is not supported is refused
CJK_SHARE = 0.3  # of spoken length: with so much of it, a mixed text is in the CJK language
KANA_SHARE = 0.05  # Japanese has more kana than this
ALONE = 24  # spoken length: a shorter foreign part of a sentence stays with the sentence
TELLING = 12  # characters: a shorter sentence in Latin letters tells nothing
SWITCH = 0.8  # a sentence's confidence that it is in another language of the same script

_NOT_WORDS = re.compile(
    r"https?://\S+|\bwww\.\S+|(?<!\S)[^\s@]{1,64}@\S+|<[^<>\n]{1,100}>|\[[^\[\]\n]{1,80}\]|[\d_]+"
)
_OTHER_SCRIPTS = ("chinese", "japanese", "korean", "russian")  # not Latin
_BLANKS = re.compile(r"\s+")
_KANA = re.compile("[ぁ-ヿ]")


@dataclass(frozen=True)
class Detection:
    """A language with how sure it is, 0 to 1; None where there is nothing to judge by.

    `script` is the one that most of the text is written in: "latin", "cyrillic", "han", "kana",
    "hangul", "thai" and so on, "other", or "none" without a letter.
    """

    language: str | None
    confidence: float
    script: str


@dataclass(frozen=True)
class Choice:
    """The language to ask a checkpoint for, or "auto", with a reason for people."""

    language: str
    confidence: float
    reason: str


@dataclass(frozen=True)
class Run:
    """A part of a mixed text; the language is None where nothing tells it."""

    text: str
    language: str | None
    confidence: float


def choose_language(
    wanted: str | None,
    text: str,
    *,
    supported: Sequence[str],
    allow_unsupported: bool = False,
) -> Choice:
    """What to speak `text` in: the language that was asked for, else the detected one, else "auto".

    `wanted` is a name or an ISO code in any case; None and "auto" ask for detection. `supported`
    are the checkpoint's names. With `allow_unsupported` other languages become "auto".

    Raises `UnsupportedRequest` for a language that the checkpoint does not speak, asked for or
    detected beyond doubt, and `UnknownLanguage` for what is no language; both name the list.
    """
    try:
        resolved = resolve_language(wanted, supported)
    except UnknownLanguage:
        name = language_name(wanted) if isinstance(wanted, str) else None
        if name is None:
            raise
        return _unsupported(f"{name} was asked for", 1.0, supported, allow_unsupported)
    if resolved != AUTO:
        return Choice(resolved, 1.0, "asked for")
    found = detect(text)
    if found.language is None:
        return Choice(AUTO, 0.0, "the text has no letters to tell its language by")
    name = language_name(found.language) or found.language
    percent = f"{100 * found.confidence:.0f} % sure"
    if found.language in supported and found.confidence >= SURE:
        return Choice(found.language, found.confidence, f"the text is in {name} ({percent})")
    if found.language not in supported and found.confidence >= REFUSE:
        told = f"the text is in {name} ({percent})"
        return _unsupported(told, found.confidence, supported, allow_unsupported)
    return Choice(AUTO, found.confidence, f"the text may be in {name}, but that is only {percent}")


def _unsupported(told: str, confidence: float, supported: Sequence[str], allowed: bool) -> Choice:
    reason = f"{told}, which this checkpoint does not speak"
    if allowed:
        return Choice(AUTO, confidence, reason)
    raise UnsupportedRequest(f"{reason}; it speaks: auto, {', '.join(sorted(supported))}")


def detect(text: str) -> Detection:
    """The language of `text`, of which at most 6,000 characters are looked at.

    A few words in Latin letters tell little: their confidence is low, and it is for the caller to
    fall back on something else (see `choose_language`).
    """
    parts = [_NOT_WORDS.sub(" ", part) for part in _sample(text)]
    words = " ".join(parts)
    counts = count_scripts(words)
    letters = counts.total()
    if not letters:
        return Detection(None, 0.0, "none")
    if sum(counts[script] for script in CJK_SCRIPTS) >= CJK_SHARE * letters:
        return _detect_cjk(words, counts)
    script, most = counts.most_common(1)[0]
    share = most / letters
    if script in ("latin", "cyrillic"):
        code, confidence = likeliest(parts, LATIN if script == "latin" else CYRILLIC)
        return Detection(ISO_639.get(code, code), confidence * share, script)
    return Detection(ONLY_LANGUAGE.get(script), share if script in ONLY_LANGUAGE else 0.0, script)


def _sample(text: str) -> list[str]:
    if len(text) <= SAMPLE:
        return [text]
    part, middle = SAMPLE // 3, len(text) // 2
    return [text[:part], text[middle : middle + part], text[-part:]]


def _detect_cjk(text: str, counts: Counter[str]) -> Detection:
    han, kana, hangul = (counts[script] for script in CJK_SCRIPTS)
    # Foreign words among them leave little doubt which of the three it is.
    sure = 0.5 + 0.5 * (han + kana + hangul) / counts.total()
    if hangul > kana and hangul > KANA_SHARE * han:
        return Detection("korean", sure, "hangul")
    if kana > KANA_SHARE * han and (not han or set(_KANA.findall(text)) != {"の"}):
        return Detection("japanese", sure, "kana" if kana > han else "han")
    chinese, japanese = count_han(text)
    if japanese > chinese:
        return Detection("japanese", 0.8 * sure, "han")
    return Detection("chinese", sure if chinese else 0.6 * sure, "han")


def language_runs(text: str, default: str | None = None) -> list[Run]:
    """The parts of a mixed text by language; joined they are the text.

    A run is some whole sentences, or a long part of a sentence in another script: a foreign word
    stays with its sentence, which a voice speaks better in one piece. What nothing tells is in
    `default`, else in the language of the whole text.
    """
    whole = Detection(default, 1.0, "") if default is not None else detect(text)
    main = whole.language if whole.confidence >= SURE else None
    runs: list[Run] = []
    for part in _parts(text, main):
        language, confidence = _language_of(part, main, runs[-1].language if runs else None)
        if runs and (runs[-1].language == language or not part.strip()):
            part, confidence = runs[-1].text + part, max(runs[-1].confidence, confidence)
            language = runs.pop().language
        runs.append(Run(part, language, confidence))
    return runs


def _language_of(part: str, main: str | None, previous: str | None) -> tuple[str | None, float]:
    """A part's own language where that is clear, else the text's, else the one before."""
    usual = main or previous
    if len(part) < TELLING and part.isascii():
        return usual, 0.0
    found = detect(part)
    if found.language == usual:
        return usual, found.confidence
    needed = SURE
    if found.script == "latin" and usual is not None and usual not in _OTHER_SCRIPTS:
        needed = SWITCH
    elif found.script == "cyrillic" and usual != "russian":
        needed = 0.0  # whichever it is, it is not in the usual language
    if found.language is not None and found.confidence >= needed:
        return found.language, found.confidence
    return usual, 0.0


def _parts(text: str, language: str | None) -> Iterator[str]:
    """Sentences, with the blanks after them, cut where a long stretch of another script begins."""
    window = Window((text,))
    sentences = Sentences(window, abbreviations(language))
    start = 0
    while (border := sentences.peek(len(text) + 1)) is not None:
        sentences.pop()
        end, _ = border
        if end > start:
            blank = _BLANKS.match(text, end)
            end = blank.end() if blank else end
            yield from _stretches(text[start:end])
            start = end


def _stretches(sentence: str) -> Iterator[str]:
    """`sentence` whole if it is in one script, or cut around long stretches of others."""
    if sentence.isascii():
        yield sentence
        return
    ends: list[tuple[str, int, int]] = []  # script, start, spoken length
    for script, start, end in letter_runs(sentence):
        length = spoken_length(sentence[start:end])
        if ends and ends[-1][0] == script:
            ends[-1] = (script, ends[-1][1], ends[-1][2] + length)
        else:
            ends.append((script, start, length))
    kept = [stretch for stretch in ends if stretch[2] >= ALONE]
    cuts = [0]
    for earlier, later in pairwise(kept):
        if earlier[0] != later[0]:
            before = sentence[: later[1]].rstrip(OPENERS)
            cuts.append(len(before))
    for begin, end in zip(cuts, [*cuts[1:], len(sentence)], strict=True):
        yield sentence[begin:end]
