"""Addresses of pages and mailboxes, in words of the language around them."""

import re

from qwen3_tts.text.notes import Notes
from qwen3_tts.text.policy import Policy

# language -> the words for . @ / - _
_WORDS = {
    "english": ("dot", "at", "slash", "dash", "underscore"),
    "chinese": ("点", "艾特", "斜杠", "杠", "下划线"),
    "german": ("Punkt", "at", "Schrägstrich", "Minus", "Unterstrich"),
    "french": ("point", "arobase", "barre oblique", "tiret", "tiret bas"),
    "spanish": ("punto", "arroba", "barra", "guion", "guion bajo"),
    "portuguese": ("ponto", "arroba", "barra", "hífen", "sublinhado"),
    "italian": ("punto", "chiocciola", "barra", "trattino", "trattino basso"),
    "russian": ("точка", "собака", "косая черта", "дефис", "подчёркивание"),
    "japanese": ("ドット", "アット", "スラッシュ", "ハイフン", "アンダーバー"),
    "korean": ("점", "골뱅이", "슬래시", "하이픈", "밑줄"),
}
_MARKS = ".@/-_"
_LINK = re.compile(
    r"""
    (?<![A-Za-z0-9_@])(?:mailto:)?(?P<mail>[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}+
        @(?:[A-Za-z0-9][A-Za-z0-9-]*+\.)+[A-Za-z]{2,24}(?![\w@-]))
  | (?<![A-Za-z0-9_@])(?P<url>(?:(?:https?|ftp)://|www\.)[!\#$%&()*+,./0-9:;=?@A-Z\[\]\\^_`a-z{|}~-]+)
  | (?<![A-Za-z0-9_@./-])(?P<bare>(?:[A-Za-z0-9][A-Za-z0-9-]*+\.)+
        (?:com|org|net|edu|gov|io|ai|dev|app|info|tv|gg|xyz|tech|eu|de|fr|es|cn|jp|kr|ru|co\.uk)
        (?![\w-])(?:/[!\#$%&()*+,./0-9:;=?@A-Z_a-z~-]*)?)
    """,
    re.VERBOSE,
)
_SCHEME = re.compile(r"(?:https?|ftp)://(?:www\.)?|www\.")
_HOST = re.compile("[/?#]")
_TRAILING = ".,;:!?*_'\"`]}|\\"
_HINT = re.compile(r"[.@][A-Za-z0-9]|://")


def has_link(text: str) -> bool:
    return bool(_HINT.search(text) and _LINK.search(text))


def speak_links(text: str, language: str | None, policy: Policy, notes: Notes) -> str:
    """The text with its addresses as words, or without them, as `policy.urls` says."""
    if not _HINT.search(text):
        return text
    words = _WORDS.get(language or "", _WORDS["english"])

    def spoken(match: re.Match[str]) -> str:
        if match["mail"]:
            return _in_words(match["mail"], words)
        found = match["url"] or match["bare"]
        url = found.rstrip(_TRAILING)
        if url.endswith(")") and url.count("(") < url.count(")"):
            url = url.rstrip(")" + _TRAILING)
        after = found[len(url) :]
        if policy.urls == "drop":
            notes.add("left out an address of a page")
            return after
        address = _SCHEME.sub("", url, count=1)
        if policy.urls == "domain":
            address = _HOST.split(address, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
        return _in_words(address.rstrip("/"), words) + after

    return _LINK.sub(spoken, text)


def _in_words(address: str, words: tuple[str, ...]) -> str:
    spoken = []
    for char in address:
        if char.isalnum():
            spoken.append(char)
        elif char in _MARKS:
            spoken.append(f" {words[_MARKS.index(char)]} ")
        else:
            spoken.append(" ")
    return " ".join("".join(spoken).split())
