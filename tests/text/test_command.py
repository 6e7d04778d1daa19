"""`qwen3-tts text`: what will be said, a piece a line."""

import io
import json
import sys
from pathlib import Path

import pytest

from qwen3_tts.cli import text as command
from qwen3_tts.cli.messages import Parser, UsageError
from qwen3_tts.errors import InvalidRequest, InvalidText


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str, stdin: str = "") -> int:
    parser = Parser(prog="qwen3-tts")
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["text", *words])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        return int(args.run(args))


def test_one_piece_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = "# One\n\n- 5 km\n- $2\n\n[pause:500ms]<prosody rate='slow' volume='+3dB'>so</prosody>😀"
    assert run(text) == 0
    out, err = capsys.readouterr()
    assert out.split("\n") == [
        "[section One]",
        "One",
        "",
        "five kilometers",
        "[sentence]",
        "two dollars",
        "",
        "[pause 0.5s]",
        "[rate 0.75, volume +3 dB] so",
        "",
    ]
    assert err == "qwen3-tts: left out emoji\n"
    run(text, "--quiet")
    assert capsys.readouterr().err == ""


def test_words_files_and_stdin(capsys: pytest.CaptureFixture[str]) -> None:
    Path("book.md").write_text("**5** km", encoding="utf-8")
    for words, stdin in ((["book.md"], ""), (["-"], "*5* km"), ([], "5 km"), (["5", "km"], "")):
        run(*words, stdin=stdin)
        assert capsys.readouterr().out == "five kilometers\n"


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    Path("names.tsv").write_text("km\tclicks\n", encoding="utf-8")
    run("#5 km", "--lexicon", "names.tsv")
    assert capsys.readouterr().out == "number five clicks\n"
    run("5 km", "--lexicon", "names.tsv", "--say", "km=miles", "--say", "x=y=z")
    assert capsys.readouterr().out == "five miles\n"
    run("5 km", "--plain")
    assert capsys.readouterr().out == "5 km\n"
    run("5 km", "--language", "de")
    assert capsys.readouterr().out == "5 km\n"
    run("<b>5</b>", "--markup", "html")
    assert capsys.readouterr().out == "five\n"
    run("a 🎉 https://a.com/b", "--emoji", "name", "--urls", "full")
    assert capsys.readouterr().out == "a party popper a dot com slash b\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("5\n\n[pause:1s]好<foo>", "--json")
    assert json.loads(capsys.readouterr().out) == {
        "pieces": [
            {"kind": "say", "text": "five", "language": None, "rate": 1.0, "volume_db": 0.0,
             "verbatim": False},
            {"kind": "break", "level": "paragraph", "title": None},
            {"kind": "pause", "seconds": 1.0},
            {"kind": "say", "text": "好", "language": None, "rate": 1.0, "volume_db": 0.0,
             "verbatim": False},
        ],
        "text": "five 好",
        "notes": ["left out the tag <foo>"],
    }  # fmt: skip


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="--say takes WORD=SPELLING, got 'x'"):
        run("a", "--say", "x")
    with pytest.raises(UsageError, match="invalid choice: 'rtf'"):
        run("a", "--markup", "rtf")
    with pytest.raises(InvalidText, match="stdin holds no text"):
        run("-")
    with pytest.raises(InvalidRequest, match="a pause of 99 s is too long"):
        run("[pause:99s]")
    with pytest.raises(InvalidRequest, match=r"absent\.tsv` cannot be read"):
        run("a", "--lexicon", "absent.tsv")
