"""Markdown made into tagged text, which `ssml` reads: blocks by line, then marks within a line.

Forgiving, as texts that are no Markdown pass here too: a mark that marks nothing stays as it is,
and indented lines are prose. Line by line, with patterns that stop at the next mark: linear.
"""

import html
import re
from itertools import pairwise

from qwen3_tts.text.notes import Notes
from qwen3_tts.text.policy import Policy

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}(#{1,6})(?:[ \t]++(.*)|$)")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-{3,})\s*$")
_RULE = re.compile(r"\s{0,3}([-*_])(?:[ \t]*\1){2,}\s*$")
_ITEM = re.compile(r"\s{0,12}(?:[-*+•·‣▪]|(\d{1,3})[.)、])[ \t]++(?=\S)")
_TASK = re.compile(r"\[[ xX]\][ \t]++")
_QUOTE = re.compile(r"(?:\s{0,3}>[ \t]?)++")
_TABLE_RULE = re.compile(r"\s*+\|?+[ \t]*+:?-{2,}+:?[ \t]*+(?:\|[ \t]*+:?-{2,}+:?[ \t]*+)*+\|?\s*$")
_DEFINITION = re.compile(r"\s{0,3}\[[^\[\]\n]++\]:\s*\S")
_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
_ENDED = re.compile(r"[.!?:;,…。！？：；，、—-][\"'”’»)\]*_]*$")
_WORD = re.compile("[A-Za-z0-9]")
SHORT_LINE = 40  # a line this short that ends without a mark was broken on purpose


def to_tags(text: str, policy: Policy, notes: Notes) -> str:
    """Tagged text of the same words."""
    writer = _Writer(policy, notes)
    for line in _without_front_matter(text).split("\n"):
        writer.line(line.rstrip())
    writer.end()
    return "".join(writer.out)


def _without_front_matter(text: str) -> str:
    if not text.startswith("---\n"):
        return text
    end = text.find("\n---\n", 3)
    return text if end < 0 or ":" not in text[:end] else text[end + 5 :]


class _Writer:
    def __init__(self, policy: Policy, notes: Notes) -> None:
        self.out: list[str] = []
        self._policy, self._notes = policy, notes
        self._paragraph: list[str] = []
        self._fence = ""
        self._code: list[str] = []
        self._in_list = False
        self._in_table = False

    def line(self, line: str) -> None:
        if self._fence:
            return self._code_line(line)
        bare = line.lstrip()
        if bare[:1] == ">":
            line = _QUOTE.sub("", line, count=1)
            bare = line.lstrip()
        if not bare:
            return self._close()
        if not bare[0].isalpha() and self._block(line):
            return
        if bare.isascii() and not _WORD.search(bare):
            return None  # a line of marks that mark nothing
        if "|" in bare and self._is_row(line):
            self._row(line)
        else:
            self._in_table = False
            self._add(inline(bare, self._notes))

    def _block(self, line: str) -> bool:
        """Whether the line begins a block of its own, which is then read."""
        if fence := _FENCE.match(line):
            self._close()
            self._fence = fence[1]
        elif heading := _HEADING.match(line):
            self._close()
            level = len(heading[1])
            title = (heading[2] or "").rstrip("# \t")
            self.out.append(f"<h{level}>{inline(title, self._notes)}</h{level}>")
        elif len(self._paragraph) == 1 and (under := _UNDERLINE.match(line)):
            level = 1 if under[1][0] == "=" else 2
            self.out.append(f"<h{level}>{self._paragraph.pop()}</h{level}>")
        elif _RULE.match(line):
            self._close()
        elif _DEFINITION.match(line):
            self._notes.add("left out the definition of a link or a footnote")
        elif item := self._item_mark(line):
            self._item(line[item.end() :], item[1])
        else:
            return False
        return True

    def end(self) -> None:
        if self._fence:
            self._close_code()
        self._close()

    def _add(self, line: str) -> None:
        if line:
            self._paragraph.append(line)

    def _close(self) -> None:
        """The end of a paragraph, a list or a table."""
        if self._paragraph:
            self._put("li" if self._in_list else "paragraph")
        self.out.append("<paragraph>")
        self._in_list = self._in_table = False

    def _put(self, kind: str) -> None:
        self.out.append(f"<{kind}>{_joined(self._paragraph)}</{kind}>")
        self._paragraph = []

    def _item_mark(self, line: str) -> re.Match[str] | None:
        """The mark an item begins with. A number within a paragraph is one only if it is 1."""
        item = _ITEM.match(line)
        if item and self._paragraph and not self._in_list and item[1] not in (None, "1"):
            return None
        return item

    def _item(self, text: str, number: str | None) -> None:
        if self._paragraph:
            self._put("li" if self._in_list else "paragraph")
        self._in_list = True
        text = _TASK.sub("", text, count=1)
        separator = "、" if _CJK.match(text) else ", "
        self._add((number + separator if number else "") + inline(text, self._notes))

    def _is_row(self, line: str) -> bool:
        bare = line.strip()
        if "|" not in bare:
            return False
        return self._in_table or bare[0] == bare[-1] == "|" or bool(_TABLE_RULE.match(line))

    def _row(self, line: str) -> None:
        if not self._in_table:
            if _TABLE_RULE.match(line) and self._paragraph:  # the line above was the head
                head = self._paragraph.pop()
                self._close()
                self._cells(head)
            else:
                self._close()
            self._in_table = True
        if not _TABLE_RULE.match(line):
            self._cells(inline(line, self._notes))

    def _cells(self, row: str) -> None:
        if self._policy.tables == "drop":
            return self._notes.add("left out a row of a table")
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        self.out.append(f"<tr>{', '.join([cell for cell in cells if cell])}</tr>")

    def _code_line(self, line: str) -> None:
        if line.lstrip().startswith(self._fence) and not line.strip().strip(self._fence[0]):
            self._close_code()
        else:
            self._code.append(line)

    def _close_code(self) -> None:
        if self._policy.code == "drop":
            self._notes.add("left out a block of code")
        else:
            self.out += [f"<li>{_literal(line)}</li>" for line in self._code if line.strip()]
        self.out.append("<paragraph>")
        self._fence, self._code = "", []


def _joined(lines: list[str]) -> str:
    """Wrapped lines made one; a line that was broken on purpose ends a sentence."""
    joined = [lines[0]]
    for before, line in pairwise(lines):
        if _CJK.match(before[-1]) and _CJK.match(line):
            glue = ""
        elif len(before) < SHORT_LINE and not _ENDED.search(before) and not line[0].islower():
            glue = "<br/>"
        else:
            glue = " "
        joined += [glue, line]
    return "".join(joined)


_INLINE = re.compile(
    r"""
    \\([!-/:-@\[-`{-~])                                            # 1: an escaped mark
  | (?<!`)(`{1,3})(?!`)([^`\n]++)\2(?!`)                           # 3: code
  | !\[([^\[\]\n]*+)\]\((?:[^()\n]++|\([^()\n]*+\))*+\)            # 4: an image
  | (\[\^[^\[\]\n]{1,40}+\]|(?<=[a-z.,;:!?"”)][a-z.,;:!?"”)])\[\d{1,3}\])  # 5: a footnote
  | <((?:https?|ftp|mailto):[^\s<>]++)>                            # 6: a bare link
  | (?<![A-Za-z0-9*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![A-Za-z0-9*])  # emphasis
  | (?<![\d*])\*{2,3}(?=[^\s*\d])
  | (?<!\w)_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?!\w)
  | `++|~~(?=\S)|(?<=\S)~~|(?<!=)==(?=[^\s=])|(?<=[^\s=])==(?!=)
    """,
    re.VERBOSE,
)
_LINK = re.compile(
    r"""
    \[(?!pause\b)([^\[\]\n]++)\] \((?:[^()\n]++|\([^()\n]*+\))*+\)
  | \[(?!pause\b)(?=[^\[\]\n]*?[^\W\d_])([^\[\]\n]++)\] \[(?!pause\b)[^\[\]\n]*+\]
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARKS = re.compile(r"[\\`*_~=\[<]")


def inline(line: str, notes: Notes) -> str:
    """One line without its marks."""
    if not _MARKS.search(line):
        return line
    line = _INLINE.sub(lambda match: _plain(match, notes), line)
    return _LINK.sub(lambda match: match[1] or match[2], line)


def _plain(match: re.Match[str], notes: Notes) -> str:
    if match[1]:
        return f"&#{ord(match[1])};"
    if match[3]:
        return _literal(match[3])
    if match[4] is not None:
        return f'<img alt="{html.escape(match[4])}">'
    if match[5]:
        notes.add("left out a mark of a footnote")
        return ""
    return match[6] or ""


def _literal(text: str) -> str:
    """Text in which nothing is a mark or a tag any more."""
    return "".join([f"&#{ord(char)};" if char in "<>&[]()" else char for char in text])
