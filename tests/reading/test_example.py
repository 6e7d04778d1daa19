"""The example reads a small book, and what it made is there the second time."""

import subprocess
import sys
from pathlib import Path

import qwen3_tts
from qwen3_tts.audio.files import read_audio

EXAMPLE = Path(qwen3_tts.__file__).parents[2] / "examples" / "read_book.py"
TEXT = "Chapter 1\n\nThe door is open.\n"


def run(folder: Path) -> list[str]:
    command = [sys.executable, str(EXAMPLE), "book.txt", "book.wav"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_example_reads_a_book(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(TEXT, encoding="utf-8")
    lines = run(tmp_path)
    assert [line.split(" s  ")[1] for line in lines] == ["Chapter one", "The door is open."]
    first = (tmp_path / "book.wav").read_bytes()
    wave, rate = read_audio(tmp_path / "book.wav")
    assert 1 < len(wave) / rate < 10
    assert "The door is open." in (tmp_path / "book.wav.srt").read_text(encoding="utf-8")
    assert all(line.endswith("(kept from before)") for line in run(tmp_path))
    assert (tmp_path / "book.wav").read_bytes() == first
