"""Running a command line inside the test's process, over the fake synthesizer or a real one."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import qwen3_tts
from qwen3_tts.cli import opening
from qwen3_tts.cli.main import main
from tests.fake_synthesizer import FakeCodec, FakeSynthesizer


@dataclass
class Ran:
    code: int
    out: bytes
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def cli(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """`cli(*words, stdin=b"")` runs them in an empty folder, with no model in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(opening.MODEL_VARIABLE, raising=False)

    def run(*words: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = main([str(word) for word in words])
        out, err = capsysbinary.readouterr()
        return Ran(code, out, err.decode())

    return run


@pytest.fixture
def fake(cli: Run, monkeypatch: pytest.MonkeyPatch) -> FakeSynthesizer:
    """What `say` then opens, whichever model is named."""
    synthesizer = FakeSynthesizer()
    monkeypatch.setattr(opening, "open_synthesizer", lambda args, request, clone: synthesizer)
    monkeypatch.setenv(opening.MODEL_VARIABLE, "fake")
    return synthesizer


@pytest.fixture
def fake_codec(cli: Run, monkeypatch: pytest.MonkeyPatch) -> FakeCodec:
    codec = FakeCodec()
    monkeypatch.setattr(qwen3_tts, "load_codec", lambda model, **options: codec)
    monkeypatch.setenv(opening.MODEL_VARIABLE, "fake")
    return codec


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], str]]:
    """`terminal("stderr")` puts a terminal there; calling the result returns what it showed."""
    monkeypatch.setenv("TERM", "xterm")

    def put(name: str) -> Callable[[], str]:
        ours, theirs = os.openpty()
        stream = os.fdopen(theirs, "w", encoding="utf-8")
        monkeypatch.setattr(sys, name, stream)

        def shown() -> str:
            stream.close()
            parts = []
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # what Linux says at the end of a terminal's output
                    part = b""
                if not part:
                    break
                parts.append(part)
            os.close(ours)
            return b"".join(parts).decode()

        return shown

    return put
