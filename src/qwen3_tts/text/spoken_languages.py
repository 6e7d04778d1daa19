"""Languages as they are written in a request or a tag, by our names."""

from qwen3_tts.prompt.languages import AUTO, ISO_639

NAMES = frozenset(ISO_639.values())


def known_language(written: str | None) -> str | None:
    """`en-US`, `English` or `english` is "english"; a Chinese dialect is "chinese".

    None for auto and for what nobody knows: which languages there are is for the model to say.
    """
    if written is None:
        return None
    key = written.strip().lower().replace("_", "-")
    if key in NAMES:
        return key
    if key == AUTO:
        return None
    if key.endswith("-dialect") or key == "cantonese" or key.split("-")[0] == "yue":
        return "chinese"
    return ISO_639.get(key.split("-")[0])
