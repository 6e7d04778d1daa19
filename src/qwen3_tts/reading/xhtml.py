"""The words of an XHTML document: headings and paragraphs, without what is only for the eye.

Tags are found in one pass that is linear in the text, whatever it holds; they need not be closed,
nor in order.
"""

from collections.abc import Iterator

from qwen3_tts.reading.sources import PART_CHARS, Heading, Part, Text, cut_paragraph
from qwen3_tts.text.tags import Tag, scan

_HEADINGS = frozenset(("h1", "h2"))
_BLOCKS = frozenset(
    "p div h1 h2 h3 h4 h5 h6 article section main header footer aside nav blockquote pre ul ol li "
    "dl dt dd table tr hr figure figcaption caption address details summary body html".split()
)
_CELLS = frozenset(("td", "th"))
_UNSPOKEN = frozenset(("rt", "rp"))  # how ruby characters are read, beside the characters
# Marks and texts of footnotes, page numbers and tables of contents would be read mid-sentence.
_UNSPOKEN_TYPES = frozenset(
    "noteref footnote footnotes endnote endnotes rearnote rearnotes pagebreak page-list toc "
    "landmarks doc-noteref doc-footnote doc-endnotes doc-pagebreak doc-toc".split()
)
_EMPTY = frozenset("br hr img wbr input meta link area base col embed source track param".split())
LONGEST_TITLE = 200


def parts_of(text: str) -> Iterator[Part]:
    """Headings of the first two levels, and between them paragraphs in parts of bounded size."""
    group: list[str] = []
    chars = 0
    for found, is_heading in _paragraphs(text):
        if group and (is_heading or chars + len(found) > PART_CHARS):
            yield Text("\n\n".join(group))
            group, chars = [], 0
        if is_heading and len(found) <= LONGEST_TITLE:
            yield Heading(found)
            continue
        *pieces, last = cut_paragraph(found)
        yield from (Text(piece, ends="sentence") for piece in pieces)
        group.append(last)
        chars += len(last) + 2
    if group:
        yield Text("\n\n".join(group))


def _paragraphs(text: str) -> Iterator[tuple[str, bool]]:
    """Paragraphs, white space made single blanks, and whether each is a heading."""
    words: list[str] = []
    is_heading = False
    skipped, depth = "", 0  # the element that is not spoken, and how often it is open
    for token in scan(text):
        if isinstance(token, str):
            if not skipped:
                words.append(token)
        elif not isinstance(token, Tag):
            continue
        elif skipped:
            if token.name == skipped and not _is_empty(token):
                depth += -1 if token.closes else 1
                skipped = skipped if depth else ""
        elif not token.closes and not _is_empty(token) and _is_unspoken(token):
            skipped, depth = token.name, 1
        elif token.name in _BLOCKS:
            if found := " ".join("".join(words).split()):
                yield found, is_heading
            words.clear()
            is_heading = token.name in _HEADINGS and not token.closes
        elif token.name == "br":
            words.append(" ")
        elif token.name in _CELLS and token.closes:
            words.append(", ")
    if found := " ".join("".join(words).split()):
        yield found, is_heading


def contents(text: str) -> Iterator[tuple[str, str]]:
    """Targets and titles of a table of contents, in order."""
    target: str | None = None
    words: list[str] = []
    in_contents = False
    for token in scan(text):
        if isinstance(token, str):
            words.append(token)
        elif isinstance(token, Tag) and token.name == "nav":
            about = token.attributes()
            in_contents = not token.closes and about.get("type", "toc").strip() == "toc"
        elif isinstance(token, Tag) and token.name == "a" and in_contents:
            if target is not None:
                yield target, "".join(words)
            target = None if token.closes else token.attributes().get("href")
            words.clear()


def _is_empty(tag: Tag) -> bool:
    return tag.name in _EMPTY or tag.attrs.endswith("/")


def _is_unspoken(tag: Tag) -> bool:
    if tag.name in _UNSPOKEN:
        return True
    if "type" not in tag.attrs and "role" not in tag.attrs:
        return False
    about = tag.attributes()
    kinds = {*about.get("type", "").split(), *about.get("role", "").split()}
    return bool(kinds & _UNSPOKEN_TYPES)
