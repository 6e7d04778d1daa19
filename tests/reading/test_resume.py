"""A reading that is killed and begun again gives the file of one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import qwen3_tts
from qwen3_tts.audio.files import read_audio

SCRIPT = """
import sys
from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.reading.cache import SegmentCache
from qwen3_tts.reading.plan import plan
from qwen3_tts.reading.reader import ReadOptions, read
from qwen3_tts.reading.script import pieces_of
from qwen3_tts.reading.sources import open_book
from qwen3_tts.reading.writing import ReadingFiles
from tests.reading.simple_text import prepare, split

book, output, cache, frame_s = sys.argv[1:]
synth = FakeSynthesizer(frame_s=float(frame_s), chunk_plan=(1,))
segments = plan(pieces_of(open_book(book), prepare), split)
options = ReadOptions(streamed="none", model="fake", seed=3)
with ReadingFiles(output, synth.sample_rate, subtitles=output + ".srt") as files:
    chunks = read(synth, segments, "ann", options=options, cache=SegmentCache(cache))
    for chunk in chunks:
        files.add(chunk)
print(synth.started)
"""
TEXT = "Chapter 1\\n\\n" + "\\n\\n".join(f"Paragraph {n} is here. It goes on." for n in range(12))


def start(folder: Path, output: str, frame_s: float) -> "subprocess.Popen[str]":
    words = [folder / "book.txt", folder / output, folder / f"{output}.cache", frame_s]
    root = Path(qwen3_tts.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("suffix", ["wav", "m4b"])
def test_killed_in_the_middle_and_gone_on_with(tmp_path: Path, suffix: str) -> None:
    if suffix != "wav":
        pytest.importorskip("av")
    (tmp_path / "book.txt").write_text(TEXT.replace("\\n", "\n"))
    name = f"a.{suffix}"
    process = start(tmp_path, name, frame_s=0.002)
    kept = tmp_path / f"{name}.cache"
    deadline = time.monotonic() + 60
    while len(list(kept.glob("*.segment"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = len(list(kept.glob("*.segment")))
    assert 5 <= found < 25
    assert not (tmp_path / name).exists()
    resumed, _ = start(tmp_path, name, frame_s=0).communicate()
    whole, _ = start(tmp_path, f"b.{suffix}", frame_s=0).communicate()
    assert int(resumed) == 25 - found
    assert int(whole) == 25
    for ending in ("", ".srt"):
        one = (tmp_path / f"{name}{ending}").read_bytes()
        assert one == (tmp_path / f"b.{suffix}{ending}").read_bytes()
    if suffix == "wav":
        wave, rate = read_audio(tmp_path / name)
        assert (len(wave) > 30 * rate, rate) == (True, 24_000)
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
