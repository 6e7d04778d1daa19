"""`read` over the fake engine: what comes out, what is kept, what is refused before any work."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.audio.files import read_audio
from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.cli import main as main_module
from qwen3_tts.cli import opening
from qwen3_tts.cli import read as command
from qwen3_tts.types import SpeechRequest, Voice
from qwen3_tts.voices.library import VoiceLibrary
from tests.cli.conftest import Run
from tests.reading.epub_files import document, write_epub

BOOK = "Before it all.\n\nChapter One\n\nHe has 3 cats. Say hello!\n\nChapter Two\n\nThe end.\n"
TEXTS = ["Before it all.", "Chapter One", "He has three cats. Say hello!", "Chapter Two"]
NANO = Path(qwen3_tts.__file__).parent / "nano"


@pytest.fixture
def fake(cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeSynthesizer]:
    """What `read` opens, whichever model is named; and a cache of its own."""
    if not hasattr(main_module, "read"):  # not a command yet
        parser_of = main_module._parser

        def parser() -> argparse.ArgumentParser:
            made = parser_of()
            command.add_parser(made._subparsers._group_actions[0])
            return made

        monkeypatch.setattr(main_module, "_parser", parser)
    synth = FakeSynthesizer()
    monkeypatch.setattr(opening, "open_synthesizer", lambda args, request, clone: synth)
    monkeypatch.setattr(command, "checkpoint_folder", lambda args: NANO)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("book.txt").write_text(BOOK, encoding="utf-8")
    yield synth
    synth.close(drain=False)


def spoken(fake: FakeSynthesizer) -> list[str]:
    return [request.text for request in fake.requests]


def test_a_book_becomes_a_file(cli: Run, fake: FakeSynthesizer) -> None:
    ran = cli("read", "book.txt", "--subtitles", "book.srt")
    assert ran.code == 0, ran.err
    assert ran.out == b""
    assert ran.err.startswith("book.wav: 0:00:")
    assert "of speech in 5 segments, seed 0, " in ran.err
    assert spoken(fake) == [*TEXTS, "The end."]
    wave, rate = read_audio(Path("book.wav"))
    pauses_s = 1.0 + 0.5 + 1.0 + 0.5  # the least before a chapter, and behind its heading
    assert len(wave) / rate == pytest.approx(sum(map(len, spoken(fake))) * 0.08 + pauses_s)
    assert b"AI-generated" in Path("book.wav").read_bytes()
    subtitles = Path("book.srt").read_text(encoding="utf-8")
    assert [line for line in subtitles.splitlines() if line in TEXTS] == TEXTS


def test_a_second_run_speaks_nothing_and_gives_the_same_file(
    cli: Run, fake: FakeSynthesizer
) -> None:
    assert cli("read", "book.txt").code == 0
    first = Path("book.wav").read_bytes()
    ran = cli("read", "book.txt", "--json", "-o", "again.wav")
    result = json.loads(ran.out)
    assert (result["segments"], result["cached"], result["output"]) == (5, 5, "again.wav")
    assert Path("again.wav").read_bytes() == first
    assert len(fake.requests) == 5
    Path("book.txt").write_text(BOOK.replace("The end.", "No end."), encoding="utf-8")
    assert json.loads(cli("read", "book.txt", "--json").out)["cached"] == 4
    assert spoken(fake)[5:] == ["No end."]
    assert json.loads(cli("read", "book.txt", "--json", "--no-cache").out)["cached"] == 0
    assert json.loads(cli("read", "book.txt", "--json", "--seed", 1).out)["cached"] == 0


def test_options_reach_the_engine(cli: Run, fake: FakeSynthesizer) -> None:
    Path("words.txt").write_text("hello\tgood day\n", encoding="utf-8")
    words = ["--voice", "bob", "--language", "de", "--seed", 5, "--only", "1", "--quiet"]
    ran = cli("read", "book.txt", *words, "--lexicon", "words.txt", "--no-provenance")
    assert (ran.code, ran.err) == (0, "")
    requests: list[SpeechRequest] = list(fake.requests)
    assert {(request.voice, request.language) for request in requests} == {("bob", "de")}
    assert "good day" in requests[-1].text
    assert len(requests) == 2
    assert b"AI-generated" not in Path("book.wav").read_bytes()
    assert cli("read", "book.txt", "--plain", "-o", "plain.wav").code == 0
    assert "He has 3 cats. Say hello!" in spoken(fake)


def test_chapters_in_an_m4b(cli: Run, fake: FakeSynthesizer) -> None:
    av = pytest.importorskip("av")
    documents = {
        "one.xhtml": document("<h1>The First</h1><p>Its text.</p>"),
        "t w/o.xhtml": document("<p>More text.</p>"),
    }
    write_epub(Path("book.epub"), documents)
    for option, titles in (("--chapters", ["The First", "Second"]), ("--no-chapters", [])):
        assert cli("read", "book.epub", "-o", "book.m4b", option).code == 0
        with av.open("book.m4b") as container:
            assert [c["metadata"]["title"] for c in container.chapters()] == titles
            assert container.metadata["title"] == "A Book"
            assert container.metadata["artist"] == "Jo Doe"
    assert fake.requests[0].language == "english"  # the book says en-GB


def test_a_list_of_chapters_needs_no_model(cli: Run, fake: FakeSynthesizer) -> None:
    ran = cli("read", "book.txt", "--list")
    assert ran.code == 0
    lines = ran.out.decode().splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["(no title)", "Chapter One", "Chapter Two"]
    chapters = json.loads(cli("read", "book.txt", "--list", "--json").out)["chapters"]
    assert [(c["number"], c["segments"]) for c in chapters] == [(0, 1), (1, 2), (2, 2)]
    assert not fake.requests
    assert not Path("book.wav").exists()


def test_how_much_is_said_in_one_go(cli: Run, fake: FakeSynthesizer) -> None:
    sentence = "Twelve words of text are in here, and no more than that. "
    Path("long.txt").write_text(sentence * 12, encoding="utf-8")
    for words, most in (
        (["--model", "nano"], 90),
        (["--model", "x"], 280),
        (["--limit", 150], 150),
    ):
        fake.requests.clear()
        assert cli("read", "long.txt", "--quiet", "--no-cache", *words).code == 0
        longest = max(len(text) for text in spoken(fake))
        assert most - len(sentence) < longest <= most


def test_text_from_stdin(cli: Run, fake: FakeSynthesizer) -> None:
    assert cli("read", "-", stdin="# Títle\n\nText.".encode()).code == 0
    assert cli("read", "-", "--kind", "md", "--list", stdin=b"# T\n\nText.").out.endswith(b"T\n")
    assert read_audio(Path("reading.wav"))[1] == 24_000


def test_what_went_wrong_is_told(cli: Run, fake: FakeSynthesizer) -> None:
    Path("book.txt").write_text("Good.\n\n" + "[endless] bad.", encoding="utf-8")
    ran = cli("read", "book.txt", "--plain")
    assert ran.code == 0
    warning = "qwen3-tts: warning: segment 2 (guard:budget): '[endless] bad.'"
    assert warning in ran.err.splitlines()


def test_ctrl_c_keeps_what_is_finished(
    cli: Run, fake: FakeSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cli("read", "book.txt", "-o", "whole.wav", "--cache", "other")
    assert whole.code == 0
    add = command.ReadingFiles.add

    def interrupted(self: command.ReadingFiles, chunk: object) -> None:
        add(self, chunk)
        if chunk.made and chunk.segment.index == 2:
            signal.raise_signal(signal.SIGINT)

    before = len(fake.requests)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    with monkeypatch.context() as patch:
        patch.setattr(command.ReadingFiles, "add", interrupted)
        patch.setattr(FakeSynthesizer, "close", lambda self, drain: None)
        ran = cli("read", "book.txt", "--subtitles", "book.vtt")
    signal.signal(signal.SIGINT, handler)
    assert ran.code == 130
    hint = "qwen3-tts: stopped after 2 of 5 segments; the same command goes on from there\n"
    assert ran.err == hint  # the third was being written
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == [
        *("book.txt", "whole.wav")
    ]
    made = len(fake.requests) - before
    assert 3 <= made < 5 + 1
    ran = cli("read", "book.txt", "--json")
    assert json.loads(ran.out)["cached"] >= 3
    assert np.array_equal(read_audio(Path("book.wav"))[0], read_audio(Path("whole.wav"))[0])


def test_an_engine_that_fails_says_how_far_it_came(cli: Run, fake: FakeSynthesizer) -> None:
    Path("book.txt").write_text("Good.\n\n[fail:2] bad.\n\nGood.", encoding="utf-8")
    ran = cli("read", "book.txt", "--plain")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "qwen3-tts: stopped after 0 of 3 segments; the same command goes on from there",
        "qwen3-tts: failed after 2 frames, as told",
    ]
    assert not Path("book.wav").exists()


def test_a_bar_on_a_terminal(
    cli: Run, fake: FakeSynthesizer, terminal: Callable[[str], Callable[[], str]]
) -> None:
    shown = terminal("stderr")
    assert cli("read", "book.txt").code == 0
    text = shown()
    assert "Reading" in text
    assert "x realtime" in text


def test_a_voice_of_the_library(
    cli: Run, fake: FakeSynthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qwen3_tts.backends import describe

    base = FakeSynthesizer("base")
    monkeypatch.setattr(opening, "open_synthesizer", lambda args, request, clone: base)
    description = describe.Description("base", "0b6", {}, [])
    monkeypatch.setattr(describe, "describe", lambda folder: description)
    monkeypatch.setenv("QWEN3_TTS_VOICES_DIR", str(tmp_path / "voices"))
    voice = Voice(np.linspace(0, 1, 8, dtype=np.float32), name="Anna")
    voice.save("anna.safetensors")
    VoiceLibrary(tmp_path / "voices").add(voice, name="Anna")
    for number, words in enumerate((["--voice", "anna"], ["--voice-file", "anna.safetensors"])):
        assert cli("read", "book.txt", *words, "--cache", f"c{number}").code == 0
    assert len(base.requests) == 10
    for request in base.requests:
        assert isinstance(request.voice, Voice)
        assert np.array_equal(request.voice.vector, voice.vector)
    ran = cli("read", "book.txt", "--voice", "nobody")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


REFUSED = [
    (["absent.txt"], 1, "there is no file"),
    (["book.pdf"], 1, "does not end in .txt"),
    (["book.txt", "-o", "a.xyz"], 1, "none of wav, flac, mp3, m4b"),
    (["book.txt", "-o", "absent/a.wav"], 1, "folder `absent` does not exist"),
    (["book.txt", "-o", "-"], 2, "a reading cannot go to stdout"),
    (["book.txt", "--subtitles", "a.txt"], 1, "does not end in .srt or .vtt"),
    (["book.txt", "--only", "1-"], 2, "is not a list such as 1,3-5"),
    (["book.txt", "--only", "9"], 1, "there is nothing to read"),
    (["empty.txt"], 1, "there is nothing to read"),
    (["latin.txt"], 1, "is not utf-8 text"),
    (["text.epub"], 1, "is not an EPUB"),
    (["book.txt", "--parallel", "0"], 1, "parallel is 0"),
    (["book.txt", "--seed", "-1"], 1, "seed is -1"),
    (["book.txt", "--cache-gib", "0"], 2, "must be above 0"),
    (["book.txt", "--limit", "0"], 2, "--limit must be above 0"),
    (["book.txt", "--limit", "20"], 1, "limit"),
    (["book.txt", "--style", "happy"], 2, "--style needs"),
    (["book.txt", "--context", "rolling"], 1, "needs a base checkpoint"),
    (["book.txt", "--lexicon", "absent"], 1, "cannot be read"),
    (["-", "--kind", "epub"], 2, "an EPUB cannot come from stdin"),
]


@pytest.mark.parametrize(
    ("words", "code", "part"), REFUSED, ids=[" ".join(w) for w, _, _ in REFUSED]
)
def test_what_is_refused(
    cli: Run, fake: FakeSynthesizer, words: list[str], code: int, part: str
) -> None:
    Path("empty.txt").write_text(" \n\n", encoding="utf-8")
    Path("latin.txt").write_bytes("Grüße".encode("latin-1"))
    Path("text.epub").write_text("text", encoding="utf-8")
    ran = cli("read", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, b"", 1), ran.err
    assert part in ran.err
    assert not fake.requests
    assert not Path("book.wav").exists()


def test_help_needs_neither_torch_nor_the_bar(cli: Run) -> None:
    import subprocess

    script = "import sys, qwen3_tts.cli.read; print({'torch', 'rich', 'av'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
