"""White space as it should stand between words and marks."""

import re

_RUN = re.compile(r"[ \t]*\n\s*|\s{2,}|[^\S \n]")
_BEFORE_MARK = re.compile(r" +(?=[,.;:!?…)\]}’”。，！？；：、）])(?![.,][0-9])")
_AFTER_OPEN = re.compile(r"(?<=[(\[{“（]) +")
_COMMAS = re.compile(r"([,;:、，；：])(?:\s*[,;:、，；：])++|([.!?。！？…])\s*[,;，；](?=\s|$)")
_LONE_COMMA = re.compile(r"^[\s,;、，；：]+|[\s,;、，；]+$")


_UNTIDY = re.compile(
    r"\s\s|[^\S ]|\s[,.;:!?…)\]}’”。，！？；：、）]|[(\[{“（]\s|[,;:、，；：]\s*[,;:、，；：]|"
    r"[.!?。！？…]\s*[,;，；]|\A[\s,;、，；：]|[\s,;、，；：]\Z"
)


def tidy(text: str) -> str:
    """One space between words, none before a mark; marks that others left side by side made one."""
    if not _UNTIDY.search(text):
        return text
    text = _RUN.sub(" ", text)
    text = _AFTER_OPEN.sub("", _BEFORE_MARK.sub("", text))
    text = _COMMAS.sub(lambda match: match[1] or match[2], text)
    return _LONE_COMMA.sub("", text)
