"""Languages: from what a person writes to the checkpoint's own name."""

from collections.abc import Iterable

from qwen3_tts.errors import UnknownLanguage

AUTO = "auto"
ISO_639 = {
    "zh": "chinese",
    "en": "english",
    "de": "german",
    "it": "italian",
    "pt": "portuguese",
    "es": "spanish",
    "ja": "japanese",
    "ko": "korean",
    "fr": "french",
    "ru": "russian",
}


def resolve_language(language: str | None, known: Iterable[str]) -> str:
    """The checkpoint's name of `language`, or "auto". Names and ISO codes (en, en-US) in any case.

    Raises `UnknownLanguage` listing what the checkpoint knows.
    """
    names = sorted(known)
    if language is None:
        return AUTO
    if not isinstance(language, str):
        raise UnknownLanguage(f"a language is a string, got {type(language).__name__}")
    key = language.strip().lower()
    key = ISO_639.get(key.replace("_", "-").split("-")[0], key) if key not in names else key
    if key != AUTO and key not in names:
        raise UnknownLanguage(
            f"language {language!r} is unknown; this checkpoint speaks: auto, {', '.join(names)}"
        )
    return key
