"""EPUB files made in memory, good ones and bad ones."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OPS/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>"""

NCX = """<?xml version="1.0"?>
<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>
<navPoint id="a"><navLabel><text>First &amp; foremost</text></navLabel><content src="one.xhtml"/>
<navPoint id="b"><navLabel><text>Inside one</text></navLabel>
<content src="one.xhtml#b"/></navPoint>
</navPoint>
<navPoint id="c"><navLabel><text> Second </text></navLabel>
<content src="t%20w/o.xhtml#x"/></navPoint>
</navMap></ncx>"""

NAV = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>
<nav epub:type="landmarks"><ol><li><a href="one.xhtml">Start</a></li></ol></nav>
<nav epub:type="toc"><h1>Contents</h1><ol><li><a href="one.xhtml">First &amp; foremost</a>
<ol><li><a href="one.xhtml#b">Inside one</a></li></ol></li>
<li><a href="t%20w/o.xhtml#x"><b>Second</b></a></li></ol></nav></body></html>"""

DOCUMENT = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>Not read</title><style>p {{ color: red }}</style></head><body>{body}</body></html>"""


def document(body: str) -> str:
    return DOCUMENT.format(body=body)


def package(documents: Mapping[str, str], *, contents: str = "ncx", spine: str = "") -> str:
    items = "".join(
        f'<item id="d{n}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(documents)
    )
    refs = spine or "".join(f'<itemref idref="d{n}"/>' for n in range(len(documents)))
    if contents == "ncx":
        items += '<item id="toc" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    if contents == "nav":
        nav = 'href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"'
        items += f'<item id="nav" {nav}/>'
        refs = f'<itemref idref="nav"/>{refs}'
    return f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf"
xmlns:dc="http://purl.org/dc/elements/1.1/" version="3.0"><metadata><dc:title>A
Book</dc:title><dc:creator>Jo Doe</dc:creator><dc:language>en-GB</dc:language></metadata>
<manifest>{items}</manifest><spine toc="toc">{refs}</spine></package>"""


def write_epub(
    path: Path,
    documents: Mapping[str, str],
    *,
    contents: str = "ncx",
    spine: str = "",
    others: Mapping[str, str | bytes] | None = None,
    packing: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Documents by their names within OPS/; `others` by their whole names, "" leaves one out."""
    files: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/package.opf": package(documents, contents=contents, spine=spine),
        "OPS/toc.ncx": NCX,
        "OPS/nav.xhtml": NAV,
        **{f"OPS/{name}": content for name, content in documents.items()},
        **(others or {}),
    }
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in files.items():
            if content:
                archive.writestr(name, content)
    return path
