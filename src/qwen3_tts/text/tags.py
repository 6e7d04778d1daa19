"""Tags, entities and `[pause:...]` found in a text, in one pass.

Every pattern stops at the next `<`, at the next quote or at the end, and none is tried twice over
the same characters, so a scan is linear in the text whatever it holds. Entities are the named ones
of HTML and character references, each replaced once: there are no definitions to expand.
"""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple


class Tag(NamedTuple):
    """`<name attrs>`, or `</name>`; the name is in lower case and without its prefix."""

    name: str
    attrs: str = ""
    closes: bool = False

    def attributes(self) -> dict[str, str]:
        """Names in lower case, without prefixes, to values with entities replaced."""
        found = {}
        for match in _ATTRIBUTE.finditer(self.attrs):
            value = match[2] if match[2] is not None else match[3]
            value = match[4] if value is None else value
            found[_bare(match[1])] = unescape(value)
        return found


class PauseTag(NamedTuple):
    """`[pause:LENGTH]`, the length as it is written."""

    length: str


class Dropped(NamedTuple):
    """A part that is neither text nor tag: a comment, a script, a declaration."""

    what: str


_TOKEN = re.compile(
    r"""
    <(?P<close>/?)(?P<name>[A-Za-z][\w:.-]*+)
     (?: (?P<loose>(?:/?|[\s/][^<>"']*+)) >
       | (?P<attrs>(?:\s|/(?!>))(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+) >
       | (?P<looser>[\s/][^<>]*+) > )
  | <!--(?:.*?-->|.*+)
  | <!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)
  | <!DOCTYPE[^<>\[]*+(?:\[[^\]]*+\]?+)?+[^<>]*+>?+
  | <[!?][A-Za-z\[][^<>]*+>
  | </?(?:speak|break|say-as|prosody|sub)\b[^<>\n]*+
  | \[pause(?:[:=\s](?P<length>[^\[\]\n]{0,40}+))?\]
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([\w:.-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_ENTITY = re.compile(r"&(?:#[0-9]++|#[xX][0-9a-fA-F]++|[A-Za-z][A-Za-z0-9]{0,31}+);")
_LONGEST_REFERENCE = 10  # `&#1114111;`: what has more digits names no character
_LONGEST_NAME = 33
# What stands inside these is for programs, and may look like tags.
_RAW = frozenset(("script", "style", "template", "svg", "math", "iframe", "object", "noscript"))
_HEAD = frozenset(("head", "metadata", "lexicon", "desc", "textarea", "select"))
NOT_READ = _RAW | _HEAD


def scan(text: str) -> Iterator[str | Tag | PauseTag | Dropped]:
    """The text in order: strings with entities replaced, and what lies between them."""
    at = 0
    while match := _TOKEN.search(text, at):
        if match.start() > at:
            yield unescape(text[at : match.start()])
        at = match.end()
        if match["name"] is None:
            yield from _other(match)
            continue
        attrs = match["loose"] or match["attrs"] or match["looser"] or ""
        if attrs and _compares(text, match, attrs):
            yield unescape(match[0])
            continue
        tag = Tag(_bare(match["name"]), attrs, match["close"] == "/")
        if tag.name in NOT_READ and not tag.closes and not tag.attrs.endswith("/"):
            at = _end_of(tag.name, text, at)
            yield Dropped(f"the contents of <{tag.name}>")
        else:
            yield tag
    if at < len(text):
        yield unescape(text[at:])


_SPOKEN_TAGS = frozenset(("speak", "break", "say-as", "prosody", "sub"))


def _compares(text: str, match: re.Match[str], attrs: str) -> bool:
    """Whether it is no tag but a sum such as `a<b and c>d`."""
    return (
        text[match.start() - 1 : match.start()].isalnum()
        and match["close"] == ""
        and attrs.strip("/ ") != ""
        and not set(attrs) & set("=\"'")
        and match["name"].lower() not in _SPOKEN_TAGS
    )


def _other(match: re.Match[str]) -> Iterator[str | PauseTag | Dropped]:
    if match["cdata"] is not None:
        yield match["cdata"]
    elif match[0][0] == "[":
        yield PauseTag((match["length"] or "").strip())
    else:
        yield Dropped("a comment" if match[0].startswith("<!--") else "a broken tag")


def _end_of(name: str, text: str, at: int) -> int:
    """Behind the closing tag of `name`, or the end of the text."""
    match = re.compile(rf"</{name}\b[^<>]*>?", re.IGNORECASE).search(text, at)
    return match.end() if match else len(text)


def _bare(name: str) -> str:
    return name.lower().rpartition(":")[2]


def unescape(text: str) -> str:
    """Entities replaced once; those that nobody knows are dropped."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    if len(match[0]) > (_LONGEST_REFERENCE if match[0][1] == "#" else _LONGEST_NAME):
        return ""
    found = html.unescape(match[0])
    return "" if found == match[0] else found.replace("\xa0", " ")
