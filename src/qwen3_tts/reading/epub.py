"""Books in EPUB: a zip of XHTML files, read one by one in the order of the book.

A book comes from anywhere, so everything is bounded: entries, bytes unpacked (counted as they come,
whatever the file says of itself), and what XML may define. Nothing is written to a disk.
"""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote
from xml.etree import ElementTree

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading.sources import Book, Heading, Part
from qwen3_tts.reading.xhtml import contents, parts_of

MOST_ENTRIES = 20_000
DIRECTORY_BYTES = 8 * 2**20  # of the list of entries, which is read whole
XML_BYTES = 2 * 2**20  # of a package file or a table of contents
DOCUMENT_BYTES = 8 * 2**20  # of one chapter; a long novel has 2 MB in all
BOOK_BYTES = 256 * 2**20  # of all chapters

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]{1,40})[\"']")
_ENCODINGS = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "windows-1252": "cp1252"}


@dataclass(frozen=True)
class Package:
    """What the package file says: where the chapters are, in order, and the table of contents."""

    title: str | None
    author: str | None
    language: str | None
    documents: list[str]
    contents: str | None


def open_epub(path: Path) -> Book:
    """Raises `InvalidRequest` for what is no EPUB, is protected, or beyond the limits."""
    with _opened(path) as archive:
        package = _package(archive)
        titles = _titles(archive, package)

    def parts() -> Iterator[Part]:
        left = BOOK_BYTES
        with _opened(path) as archive:
            for document in package.documents:
                content = archive.read(document, min(DOCUMENT_BYTES, left))
                left -= len(content)
                yield from _chapter(_text(content), titles.get(document))

    return Book(parts, package.title, package.author, package.language)


def _chapter(text: str, title: str | None) -> Iterator[Part]:
    """The parts of one document, which begins a chapter if the table of contents names it."""
    for number, part in enumerate(parts_of(text)):
        if number == 0 and title is not None and not isinstance(part, Heading):
            yield Heading(title, spoken=False)
        yield part


class _Archive:
    """Entries of a zip by name, each read up to a limit."""

    def __init__(self, path: Path):
        self.name = path.name
        self._file = zipfile.ZipFile(path)
        self._names = set(self._file.namelist())

    def __enter__(self) -> "_Archive":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def read(self, name: str, most: int) -> bytes:
        if name not in self._names:
            self.refuse(f"it has no `{name:.100}`")
        info = self._file.getinfo(name)
        if info.flag_bits & 1:
            self.refuse("it is protected by a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            self.refuse("it is packed in a way that EPUB does not know")
        try:
            with self._file.open(info) as entry:
                content = entry.read(most + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            self.refuse(f"`{name:.100}` cannot be unpacked: {error}")
        if len(content) > most:
            self.refuse(f"`{name:.100}` has more than {most} bytes")
        return content

    def refuse(self, reason: str) -> NoReturn:
        raise InvalidRequest(f"`{self.name}` is not an EPUB that can be read: {reason}") from None


def _opened(path: Path) -> _Archive:
    try:
        _check_directory(path)
        return _Archive(path)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise InvalidRequest(f"`{path.name}` is not an EPUB: {error}") from None
    except OSError as error:
        raise InvalidRequest(f"cannot read `{path}`: {error.strerror or error}") from None


def _check_directory(path: Path) -> None:
    """Refuse a list of entries so long that reading it would fill the memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2**16 - 42))
        end = file.read()
    at = len(end) - 22
    if at < 0 or end[at : at + 4] != b"PK\5\6" or end[at + 20 :] != b"\0\0":
        at = end.rfind(b"PK\5\6")
    if at < 0 or len(end) < at + 22:
        raise zipfile.BadZipFile("it is no zip file")
    entries = int.from_bytes(end[at + 10 : at + 12], "little")
    directory = int.from_bytes(end[at + 12 : at + 16], "little")
    is_zip64 = at >= 20 and end[at - 20 : at - 16] == b"PK\6\7"
    if is_zip64 or entries > MOST_ENTRIES or directory > DIRECTORY_BYTES:
        raise zipfile.BadZipFile(f"it has more than {MOST_ENTRIES} entries")


def _package(archive: _Archive) -> Package:
    container = _xml(archive, _CONTAINER)
    roots = [item.get("full-path", "") for item in _all(container, "rootfile")]
    if not roots or not roots[0]:
        archive.refuse(f"`{_CONTAINER}` names no package file")
    name = roots[0]
    root = _xml(archive, name)
    items = {item.get("id", ""): item for item in _all(root, "item")}
    place = _place(name)
    documents = []
    for reference in _all(root, "itemref"):
        item = items.get(reference.get("idref", ""))
        if item is None or reference.get("linear") == "no" or not _is_text(item):
            continue
        document = place(item.get("href", ""))
        if document in archive and "nav" not in item.get("properties", "").split():
            documents.append(document)
    if not documents:
        archive.refuse("it lists no chapters")
    protected = _protected(archive)
    if any(document in protected for document in documents):
        archive.refuse("its chapters are encrypted (digital rights management)")
    return Package(
        title=_first(root, "title"),
        author=_first(root, "creator"),
        language=_first(root, "language"),
        documents=documents,
        contents=_contents(root, items, place),
    )


def _contents(
    root: ElementTree.Element,
    items: dict[str, ElementTree.Element],
    place: Callable[[str], str],
) -> str | None:
    """The table of contents: that of EPUB 3, else that of EPUB 2."""
    for item in items.values():
        if "nav" in item.get("properties", "").split():
            return place(item.get("href", ""))
    spines = _all(root, "spine")
    old = items.get(spines[0].get("toc", "")) if spines else None
    if old is None:
        kind = "application/x-dtbncx+xml"
        old = next((item for item in items.values() if item.get("media-type") == kind), None)
    return None if old is None else place(old.get("href", ""))


def _titles(archive: _Archive, package: Package) -> dict[str, str]:
    """The title of each document that the table of contents names; the first, where several do."""
    name = package.contents
    if name is None or name not in archive:
        return {}
    place, titles = _place(name), dict[str, str]()
    if name.endswith(".ncx"):
        found = _old_contents(_xml(archive, name))
    else:
        found = contents(_text(archive.read(name, XML_BYTES)))
    for target, title in found:
        titles.setdefault(place(target), " ".join(title.split())[:200])
    return {target: title for target, title in titles.items() if title}


def _old_contents(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for point in _all(root, "navPoint"):
        title = target = ""
        for item in point:  # not its descendants, which are points again
            name = item.tag.rpartition("}")[2]
            if name == "navLabel":
                title = " ".join(label.text or "" for label in item)
            elif name == "content":
                target = item.get("src", "")
        yield target, title


def _protected(archive: _Archive) -> set[str]:
    """Entries that are encrypted; fonts often are, and do not matter."""
    if _ENCRYPTION not in archive:
        return set()
    root = _xml(archive, _ENCRYPTION)
    return {unquote(item.get("URI", "")) for item in _all(root, "CipherReference")}


def _place(name: str) -> Callable[[str], str]:
    """References of a file as names of entries; fragments are cut off."""
    folder = posixpath.dirname(name)

    def place(target: str) -> str:
        path = unquote(target.partition("#")[0])
        return posixpath.normpath(posixpath.join(folder, path)) if path else name

    return place


def _is_text(item: ElementTree.Element) -> bool:
    return item.get("media-type", "") in (
        "application/xhtml+xml",
        "text/html",
        "text/x-oeb1-document",
    )


def _xml(archive: _Archive, name: str) -> ElementTree.Element:
    content = archive.read(name, XML_BYTES)
    if b"<!ENTITY" in content:
        archive.refuse(f"`{name:.100}` defines entities")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        archive.refuse(f"`{name:.100}` is not XML: {error}")


def _all(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """All elements of that name, whatever their namespace."""
    return [item for item in root.iter() if item.tag.rpartition("}")[2] == name]


def _first(root: ElementTree.Element, name: str) -> str | None:
    words = " ".join((next(iter(_all(root, name)), root).text or "").split())
    return words[:300] or None


def _text(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    declared = _DECLARED.match(content[:400].lstrip())
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    return content.decode(_ENCODINGS.get(name, "utf-8-sig"), errors="replace")
