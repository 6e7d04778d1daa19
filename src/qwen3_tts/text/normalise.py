"""Numbers, dates, money, units, telephones and abbreviations in words, language by language.

English and Chinese have rules of their own; other languages pass through as they are. Which rules
read a clause is told by its letters: digits in an English sentence are read in English, whatever
the language of the request or of the text around it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from qwen3_tts.text.chinese import normalise_chinese
from qwen3_tts.text.english import normalise_english

_NATIVE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\u0400-\u04ff\U00020000-\U0003ffff"
NATIVE_LANGUAGES = ("chinese", "japanese", "korean", "russian")
_HAS_NATIVE = re.compile(f"[{_NATIVE}]")
_KANA, _HANGUL, _CYRILLIC = (re.compile(f"[{r}]") for r in ("぀-ヿ", "가-힣", "Ѐ-ӿ"))
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_CLAUSE = re.compile(
    r"(?:[^\n，。！？；：、.!?,;:]++|[.!?,;:](?!\s|\Z))*+(?:[，。！？；：、\n]|[.!?,;:]|\Z)"
)
_STRETCH = re.compile(f"[^{_NATIVE}]+")
_WORD = re.compile(r"(?<![A-Za-z'’])(?:[A-Z'’]|[a-z](?![a-z]))*+[a-z]{2}")
_LOWER_WORD = re.compile(r"(?<![A-Za-z'’0-9])(?<![0-9] )[a-z]{2,}+(?![A-Z])")
_ADDRESS = re.compile(r"(?:https?://|www\.)[!-~]*")
_WIDE_MARK = re.compile("[。，！？；：、（）]")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_WORK = re.compile(
    r"[^\w\s,.;:!?'\"()…“”‘’—，。！？；：、（）]|[0-9]|[A-Za-z]\.|_|[IVX]{2}|\w/\w|[²³⁰¹⁴-⁹]"
)


@dataclass(frozen=True)
class Rules:
    """What puts numbers into words, by language."""

    english: Callable[[str], str] = normalise_english
    chinese: Callable[[str], str] = normalise_chinese


OWN = Rules()


def normalise(text: str, language: str | None = None, rules: Rules = OWN) -> str:
    """The text in words. `language` is ours ("english"), or None to go by the letters.

    Of a text with no letters, such as `1.`, the language is the given one, else English.
    """
    if not _WORK.search(text):
        return text
    if not _HAS_NATIVE.search(text):
        return _latin(text, language, rules)
    native = native_language(text, language)
    if native != "chinese" and language not in ("english", None):
        return text  # of languages that have no rules here
    parts: list[str] = []
    run: list[str] = []
    run_language: str | None = None
    for match in _CLAUSE.finditer(text):
        clause = match[0]
        found = _clause_language(clause, native, language) or run_language
        if found != run_language and run and run_language is not None:
            parts.append(_by_rules("".join(run), run_language, rules))
            run = []
        run_language = found
        run.append(clause)
    parts.append(_by_rules("".join(run), run_language or native, rules))
    return "".join(parts)


def native_language(text: str, language: str | None) -> str:
    """The language that letters other than Latin ones are in."""
    if language in NATIVE_LANGUAGES:
        return str(language)
    for script, name in ((_KANA, "japanese"), (_HANGUL, "korean"), (_CYRILLIC, "russian")):
        if script.search(text):
            return name
    return "chinese"


def main_language(text: str) -> str | None:
    """The language of most of a text where its letters alone tell it; None for Latin ones."""
    sample = _ADDRESS.sub("", text[:2000])
    natives = len(_HAS_NATIVE.findall(sample))
    if natives == 0:
        is_chinese = _WIDE_MARK.search(sample) and not _LATIN.search(sample)
        return "chinese" if is_chinese else None
    return native_language(sample, None) if natives >= len(_WORD.findall(sample)) else None


def has_letters(text: str) -> bool:
    return bool(_LATIN.search(text) or _HAS_NATIVE.search(text))


def _latin(text: str, language: str | None, rules: Rules) -> str:
    """A text that has no letters but Latin ones."""
    if language in (None, "english"):
        return rules.english(text)
    if language in NATIVE_LANGUAGES:
        if len(_WORD.findall(text[:10_000])) > 1:
            return rules.english(text)
        return rules.chinese(text) if language == "chinese" else text
    return text


def _clause_language(clause: str, native: str, language: str | None) -> str | None:
    """Whose rules read a clause; None for one that has no letters."""
    if _HAS_NATIVE.search(clause):
        return "mixed" if native == "chinese" and _has_phrase(clause) else native
    if not _LATIN.search(clause):
        return None
    if language in (None, "english", *NATIVE_LANGUAGES):
        return "english" if _WORD.search(clause) else native
    return language


def _has_phrase(clause: str) -> bool:
    return any(_is_phrase(stretch) for stretch in _STRETCH.findall(clause))


def _is_phrase(stretch: str) -> bool:
    """Whether Latin letters are words of a sentence, not a name or a unit."""
    return len(stretch) > 6 and len(_LOWER_WORD.findall(stretch)) > 1


def _by_rules(text: str, language: str, rules: Rules) -> str:
    if language == "english":
        return rules.english(text)
    if language == "chinese":
        return rules.chinese(text)
    return _mixed(text, rules) if language == "mixed" else text


def _mixed(text: str, rules: Rules) -> str:
    """Chinese with English phrases in it, each read in its own language."""
    parts: list[str] = []
    at = 0
    for match in _STRETCH.finditer(text):
        if _is_phrase(match[0]):
            parts += [rules.chinese(text[at : match.start()]), rules.english(match[0])]
            at = match.end()
    return "".join([*parts, rules.chinese(text[at:])])
