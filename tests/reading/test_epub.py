"""EPUB: the words of a book in order, and books that were made to do harm."""

import contextlib
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading import epub
from qwen3_tts.reading.sources import LONGEST_PARAGRAPH, Heading, Part, Text, open_book
from qwen3_tts.reading.xhtml import contents, parts_of
from tests.reading.epub_files import CONTAINER, document, package, write_epub

ONE = document("<h2>First</h2><p>One &amp; only.</p><h2>Inside</h2><p>More\n of it.</p>")
TWO = document('<p id="x">Two.</p>')
THREE = document("<p>Three goes on.</p>")
DOCUMENTS = {"one.xhtml": ONE, "t w/o.xhtml": TWO, "three.xhtml": THREE}
PARTS: list[Part] = [
    *(Heading("First"), Text("One & only."), Heading("Inside"), Text("More of it.")),
    *(Heading("Second", spoken=False), Text("Two."), Text("Three goes on.")),
]


@pytest.mark.parametrize("toc", ["ncx", "nav"])
@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_book(tmp_path: Path, toc: str, packing: int) -> None:
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, contents=toc, packing=packing)
    book = open_book(path)
    assert (book.title, book.author, book.language) == ("A Book", "Jo Doe", "en-GB")
    assert list(book.parts()) == PARTS
    assert list(book.parts()) == PARTS


def test_a_book_without_a_table_of_contents(tmp_path: Path) -> None:
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, contents="none")
    assert list(open_book(path).parts()) == [*PARTS[:4], *PARTS[5:]]


def test_the_spine_says_what_is_read(tmp_path: Path) -> None:
    spine = '<itemref idref="d2"/><itemref idref="d0" linear="no"/><itemref idref="gone"/>'
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, spine=spine)
    assert list(open_book(path).parts()) == [Text("Three goes on.")]


WORDS = [
    ("<p>a<br/>b</p>", ["a b"]),
    ("<div><p>a</p>b<div>c</div></div>", ["a", "b", "c"]),
    ("<ul><li>a</li><li>b</ul>", ["a", "b"]),
    ("<table><tr><td>a</td><td>b</td></tr></table>", ["a, b,"]),
    ("<p>a<a epub:type='noteref' href='#n'>1</a> b</p><aside epub:type='footnote'><p>n</p></aside>",
     ["a b"]),
    ("<p>a<span role='doc-pagebreak'>12</span>b</p>", ["ab"]),
    ("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字</ruby></p>", ["漢字"]),
    ("<p>a<script>b</script><style>c</style><!-- d --> e</p>", ["a e"]),
    ("<p>&nbsp;a &eacute; &#x4e16; &unknown; b</p>", ["a é 世 b"]),
    ("<p>a <em>b</em><img alt='x'/>c", ["a bc"]),
    ("<p>a < b</p>", ["a < b"]),
    ("<h3>small</h3><p>a</p>", ["small", "a"]),
    ("<section epub:type='toc'><p>a</p></section><p>b</p>", ["b"]),
    ("<span epub:type='pagebreak'/><p>b</p>", ["b"]),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "paragraphs"), WORDS, ids=[body for body, _ in WORDS])
def test_words_of_a_document(body: str, paragraphs: list[str]) -> None:
    parts = list(parts_of(document(body)))
    assert all(isinstance(part, Text) for part in parts)
    assert "\n\n".join(part.text for part in parts if isinstance(part, Text)).split("\n\n") == (
        paragraphs or [""]
    )


def test_a_heading_that_is_a_paragraph() -> None:
    assert list(parts_of(f"<h1>{'word ' * 60}</h1>")) == [Text(("word " * 60).strip())]
    assert list(parts_of("<h1> </h1><p>a</p>")) == [Text("a")]


def test_a_long_document_comes_in_parts() -> None:
    line = "This is a sentence of a very long paragraph. " * 1_000
    parts = [part for part in parts_of(f"<p>{line}</p><p>b</p>") if isinstance(part, Text)]
    assert all(len(part.text) <= LONGEST_PARAGRAPH for part in parts)
    assert [part.ends for part in parts] == ["sentence", "sentence", "paragraph", "paragraph"]
    assert "".join(part.text for part in parts) == f"{line.strip()}b"


@given(st.text(alphabet="<>/ab p&;\"'=!-[]?h1", max_size=200))
def test_hostile_markup_ends_without_a_fault(text: str) -> None:
    list(parts_of(text))
    list(contents(text))


HEAVY = [
    *("<!--", "<!", "<![CDATA[", "<a ", "<", "&", "</", "</a ", "<?", "<a b='", "<script>", "&#"),
    *("<div>", "</div>", "<rt>", "<p epub:type='toc'>", "<h1>", "<a a=", "<br/>", "<td></td>"),
]


@pytest.mark.parametrize("unit", HEAVY)
def test_time_grows_with_the_document_and_no_faster(unit: str) -> None:
    """The html parser of the standard library takes from seconds to minutes for some of these."""
    text = unit * (2**17 // len(unit))
    begun = time.perf_counter()
    list(parts_of(text))
    list(contents(text))
    assert time.perf_counter() - begun < 2


def refused(path: Path) -> str:
    with pytest.raises(InvalidRequest) as caught:
        list(open_book(path).parts())
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


OPF = "OPS/package.opf"
BROKEN = [
    ({"META-INF/container.xml": ""}, "it has no `META-INF/container.xml`"),
    ({"META-INF/container.xml": "<a"}, "is not XML"),
    ({"META-INF/container.xml": "<a/>"}, "names no package file"),
    ({OPF: ""}, f"it has no `{OPF}`"),
    ({OPF: "<package/>"}, "it lists no chapters"),
    ({OPF: package({"../../../../etc/passwd": ""})}, "it lists no chapters"),
    ({OPF: '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "defines entities"),
    ({OPF: " " * (2**21 + 1)}, "has more than 2097152 bytes"),
    (
        {"META-INF/encryption.xml": '<e xmlns="x"><CipherReference URI="OPS/one.xhtml"/></e>'},
        "digital rights management",
    ),
]


@pytest.mark.parametrize(("others", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_broken_books(tmp_path: Path, others: dict[str, str], reason: str) -> None:
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, others=others)
    assert reason in refused(path)


def test_encrypted_fonts_do_not_matter(tmp_path: Path) -> None:
    listed = {"META-INF/encryption.xml": '<e><CipherReference URI="OPS/font.otf"/></e>'}
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, others=listed)
    assert list(open_book(path).parts()) == PARTS


def test_what_is_no_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.epub"
    good = write_epub(tmp_path / "good.epub", DOCUMENTS).read_bytes()
    for content in (b"", b"text", good[: len(good) // 2], good[:-30], b"PK\5\6" + b"\0" * 30):
        path.write_bytes(content)
        refused(path)
    for place in range(0, len(good), 37):  # whatever is broken in it: read, or refused in a line
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        with contextlib.suppress(InvalidRequest):
            list(open_book(path).parts())


def test_other_ways_of_packing_are_refused(tmp_path: Path) -> None:
    """They can unpack to any size at once; EPUB has only two."""
    for packing in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = write_epub(tmp_path / "a.epub", DOCUMENTS, packing=packing)
        assert "packed in a way" in refused(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB in 65 kB; what the entry says of its own size does not count."""
    bomb = b"<p>" + b" " * 2**26
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, others={"OPS/one.xhtml": bomb})
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    assert "has more than 8388608 bytes" in refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    monkeypatch.setattr(epub, "BOOK_BYTES", len(ONE) + 10)
    path = write_epub(tmp_path / "b.epub", DOCUMENTS)
    assert "has more than 10 bytes" in refused(path)


def test_an_endless_list_of_entries_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.epub"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    tracemalloc.start()
    assert "more than 20000 entries" in refused(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_a_deep_table_of_contents(tmp_path: Path) -> None:
    deep = "<navPoint><navLabel><text>t</text></navLabel>" * 20_000 + "</navPoint>" * 20_000
    path = write_epub(tmp_path / "a.epub", DOCUMENTS, others={"OPS/toc.ncx": f"<n>{deep}</n>"})
    begun = time.perf_counter()
    assert len(list(open_book(path).parts())) == 6
    assert time.perf_counter() - begun < 2


def test_encodings(tmp_path: Path) -> None:
    text = document("<p>Grüße – 世界</p>")
    for encoding in ("utf-16", "utf-8-sig"):
        others = {"OPS/one.xhtml": text.encode(encoding)}
        path = write_epub(tmp_path / "a.epub", {"one.xhtml": ONE}, others=others)
        assert Text("Grüße – 世界") in list(open_book(path).parts())
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><p>Grüße</p>'.encode("latin-1")
    path = write_epub(tmp_path / "a.epub", {"one.xhtml": ONE}, others={"OPS/one.xhtml": latin})
    assert Text("Grüße") in list(open_book(path).parts())
    assert CONTAINER.startswith("<?xml")
