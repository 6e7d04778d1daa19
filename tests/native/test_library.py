"""Where the kernels cannot be had there is a reason, None, and no crash."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qwen3_tts.native import library

ASK = """
import logging, sys
from pathlib import Path
from qwen3_tts.native import library
logging.basicConfig(format="%(message)s")
if len(sys.argv) > 1:
    library.PATH = Path(sys.argv[1])
print(library.kernels())
print(library.why_not())
try:
    library.Pool(2)
except RuntimeError as error:
    print(error)
"""


def ask(*arguments: str | Path, **environment: str) -> tuple[list[str], str]:
    """(lines printed, log) of a process of its own: the answers are kept for a whole process."""
    kept = {name: value for name, value in os.environ.items() if name != library.SWITCH}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, arguments)],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("path", [[], ["/no/such/file"]])
def test_switched_off(path: list[str]) -> None:
    lines, log = ask(*path, QWEN3_TTS_NATIVE="0")
    reason = "QWEN3_TTS_NATIVE=0 in the environment"
    assert (lines, log) == (["None", reason, f"no kernels: {reason}"], "")


def test_a_missing_library(tmp_path: Path) -> None:
    lines, log = ask(tmp_path / "_kernels.so")
    reason = "this installation was built without them"
    assert (lines, log) == (["None", reason, f"no kernels: {reason}"], "")


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"garbage " * 999, b"\x7fELF" * 999])
def test_a_file_that_is_no_library(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "_kernels.so"
    path.write_bytes(content)
    lines, log = ask(path)
    assert lines[0] == "None"
    assert lines[1].startswith("_kernels.so does not load here: ")
    assert lines[2] == f"no kernels: {lines[1]}"
    assert log.startswith("cannot load _kernels.so: ")


def test_a_library_of_something_else() -> None:
    import _ctypes  # a shared library that is surely here, without our function

    lines, log = ask(_ctypes.__file__)
    assert lines[0] == "None"
    assert "does not load here: " in lines[1]
    assert "kernels_supported" in lines[1]
    assert "cannot load" in log


def test_kernels_exist_or_a_reason_does() -> None:
    lines, _ = ask()
    assert (lines[0] == "None") == (lines[1] != "None")
    assert lines[2:] == ([] if lines[1] == "None" else [f"no kernels: {lines[1]}"])


class Answering:
    """A library as it comes, on a processor that can run it or cannot."""

    def __init__(self, supported: int):
        self.kernels_supported = lambda: supported


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree whose library is newer than both its C files."""
    monkeypatch.delenv(library.SWITCH, raising=False)
    monkeypatch.setattr(library, "PATH", tmp_path / "_kernels.so")
    for name, second in (("a.c", 1), ("b.h", 2), ("_kernels.so", 3), ("library.py", 4)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (second, second))
    (tmp_path / ".#a.c").symlink_to("an-editor's-lock")
    return tmp_path


def test_a_processor_that_cannot_run_them(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_again = library.why_not.__wrapped__  # what was found before is kept
    monkeypatch.setattr(library, "_open", lambda: Answering(0))
    monkeypatch.setattr(library.platform, "machine", lambda: "abacus")
    assert ask_again() == "this processor (abacus) lacks AVX-512 with VNNI and BF16"
    monkeypatch.setattr(library, "_open", lambda: Answering(1))
    assert ask_again() is None


def test_a_library_older_than_its_sources_is_told(
    tree: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library, "_open", lambda: Answering(1))
    ask_again = library.why_not.__wrapped__
    with caplog.at_level(logging.WARNING):
        assert ask_again() is None
        assert (library.newer_sources(), caplog.messages) == ([], [])
        os.utime(tree / "b.h", (5, 5))
        assert ask_again() is None
    assert library.newer_sources() == ["b.h"]
    assert caplog.messages == ["_kernels.so is older than b.h; compile it again"]
