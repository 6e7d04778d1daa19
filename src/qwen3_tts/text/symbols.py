"""Characters that nobody says: emoji, faces drawn with marks, invisible and decorative signs.

Letters in disguise (full width, mathematical bold, circled digits) become plain letters and digits,
runs of marks become one. Languages are not told apart here; see `normalise` for signs with words.
"""

import re
import unicodedata
from functools import lru_cache

from qwen3_tts.text.notes import Notes
from qwen3_tts.text.policy import Policy

_EMOJI = "\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u231a-\u23ff\u3030\u303d"
_JOINERS = "\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
_FACE = re.compile(
    r"""
    ¯\\?_?\(ツ\)_?/¯ | ʕ[^ʔ\n]{1,12}ʔ
  | [(（](?=[^()（）]{0,24}[^\x00-\x7f’‘“”–—…、。，！？・~～])[^\w()（）]{2,24}[)）]
  | (?<!\S)(?:[:;=][-o^']?[)\](\[DPp|/\\*]|[xX]D|<3|\^_?\^|T_T|[oO]_[oO]|>_<|-_-)(?=[\s.,!?]|\Z)
    """,
    re.VERBOSE,
)
_FACE_HINT = re.compile(r"[(（ʕ¯:;=<^_]|[xX]D")
_PICTURES = re.compile(f"[{_EMOJI}{_JOINERS}]+")
_DISGUISED = re.compile(
    "[\u2080-\u209c\u2100-\u2121\u2123-\u214f\u2150-\u2188\u2460-\u24ff\u3200-\u33ff\ufb00-\ufb06"
    "\uff04\uff05\uff06\uff0b\uff10-\uff19\uff1d\uff20-\uff3a\uff41-\uff5a"
    "\U0001d400-\U0001d7ff\xbc-\xbe]"
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U0010ffff®™©¶†‡℠]+"
)
_ODD = re.compile(r"[^\w\s\x00-\x7f]")
_HEAPED = re.compile("([\u0300-\u036f]{2})[\u0300-\u036f]+")
_REPEATED = re.compile(
    r"([!?,;:~^*_=#+|/\\<>&%$@°-])\1{3,}+|([.。…!！?？~～])\2{2,}+|[-—–_=*#~+]{4,}+"
)
_ASCII_WORK = re.compile(r"([!?,;:~^*_=#+|/\\<>&%$@.-])\1\1|[-_=*#~+]{4}|[\x00-\x08\x0b-\x1f\x7f]")
_STAGE = re.compile(
    r"\[(?:laugh(?:s|ing|ter)?|chuckles?|giggles?|sighs?|gasps?|coughs?|groans?|yawns?|sniffs?|"
    r"sobs?|whispers?|clears throat|breath(?:es|ing)?|applause|music)\]",
    re.IGNORECASE,
)


def visible(text: str) -> str:
    """The text without characters that nobody sees, of which some are no characters at all."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def clean(text: str, language: str | None, policy: Policy, notes: Notes) -> str:
    """The text without what cannot be said."""
    if _STAGE.search(text):
        text, count = _STAGE.subn(" ", text)
        notes.add("left out a sound in brackets, such as [laugh]", count)
    if _FACE_HINT.search(text):
        text, count = _FACE.subn(" ", text)
        if count:
            notes.add("left out a face drawn with marks", count)
    if text.isascii() and not _ASCII_WORK.search(text):
        return text
    named = policy.emoji == "name" and language in (None, "english")
    text, count = _PICTURES.subn(_named if named else " ", text)
    if count and not named:
        notes.add("left out emoji", count)
    text = _DISGUISED.sub(_undisguised, _INVISIBLE.sub("", text))
    text = _HEAPED.sub(r"\1", _ODD.sub(_sign, text))
    return _REPEATED.sub(_once, text)


def _named(match: re.Match[str]) -> str:
    names = [_name(char) for char in match[0]]
    return "".join([f" {name} " for name in dict.fromkeys(names) if name])


def _name(char: str) -> str:
    name = unicodedata.name(char, "").lower()
    skipped = ("variation selector", "zero width", "combining", "tag ", "emoji modifier")
    return "" if name.startswith(skipped) else name.replace("-", " ")


@lru_cache(maxsize=4096)
def _compatible(char: str) -> str:
    plain = unicodedata.normalize("NFKC", char).replace("\u2044", "/")
    if "\u3300" <= char <= "\u33ff":  # ㎡ is m², not m2
        plain = re.sub(r"(?<=m)[23]$", lambda match: "²³"[int(match[0]) - 2], plain)
    if "\u2460" <= char <= "\u24ff":  # ① stands apart from what follows
        return plain.strip("()").rstrip(".") + " "
    if char in "½¼¾" or "\u2150" <= char <= "\u215f":
        return f" {plain}"
    return plain


def _undisguised(match: re.Match[str]) -> str:
    return _compatible(match[0])


def _sign(match: re.Match[str]) -> str:
    return _spoken_sign(match[0])


@lru_cache(maxsize=4096)
def _spoken_sign(char: str) -> str:
    """Punctuation, accents, money and sums stay; arrows and bullets part; the rest is air."""
    if "\u2190" <= char <= "\u21ff" or char in "•·‣▪●":
        return ", "
    kind = unicodedata.category(char)
    if char == "´":
        return "'"
    stays = kind[0] in "PM" or kind in ("Sc", "Sm") or char == "°"
    return char if stays and not "\ufe30" <= char <= "\ufe4f" else " "


def _once(match: re.Match[str]) -> str:
    mark = match[1] or match[2]
    if mark == ".":
        return "…"
    return mark if mark and mark in "!?！？。…,;:&%@°" else " "
