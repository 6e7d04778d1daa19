"""Which markup a text is in, and its reading: Markdown, HTML, SSML, or none."""

import re
from typing import Literal

from qwen3_tts.text.markdown import to_tags
from qwen3_tts.text.notes import Notes
from qwen3_tts.text.passages import Collector, Manner, Part
from qwen3_tts.text.policy import Policy
from qwen3_tts.text.ssml import read_tagged

Markup = Literal["auto", "plain", "markdown", "html", "ssml"]

_SSML = re.compile(r"\s*(?:<\?xml[^<>]*>\s*)?(?:<!DOCTYPE\s+speak|<speak)\b", re.IGNORECASE)
_HTML = re.compile(
    r"\s*<(?:!DOCTYPE html|html|head|body|p|div|h[1-6]|ul|ol|table|article|section|main)\b[^<>]*>",
    re.IGNORECASE,
)
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")


def read_markup(text: str, markup: Markup, policy: Policy, notes: Notes) -> Collector:
    """Passages, pauses and breaks of a text. Raises `InvalidRequest` for limits broken."""
    kind = found_markup(text) if markup == "auto" else markup
    if kind == "plain":
        return _paragraphs(text)
    if kind == "markdown":
        text = to_tags(text, policy, notes)
    return read_tagged(text, policy, notes)


def found_markup(text: str) -> Markup:
    """SSML and HTML are told by how they begin; all else is Markdown, which may hold tags."""
    if _SSML.match(text):
        return "ssml"
    return "html" if _HTML.match(text) else "markdown"


def _paragraphs(text: str) -> Collector:
    """Text in which nothing is markup: blank lines alone mean something."""
    collector = Collector()
    for paragraph in _BLANK_LINES.split(text):
        collector.say(Part(paragraph), Manner())
        collector.part("paragraph")
    return collector
