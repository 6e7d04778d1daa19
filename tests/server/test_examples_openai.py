"""The examples of docs/openai.md are run as a reader would run them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audio.test_containers import decoded, delay_and_length
from tests.server.speech_server import Served, events_of, served

ROOT = Path(__file__).parents[2]
EXAMPLES, DOCUMENT = ROOT / "examples", ROOT / "docs" / "openai.md"
FRAME = 1_920


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("voices")) as running:
        yield running


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_the_client_in_python(server: Served, tmp_path: Path) -> None:
    script = str(EXAMPLES / "openai_client.py")
    said = run(sys.executable, script, f"{server.live.http}/v1", "out", folder=tmp_path)
    text = server.fake.requests[-1].text
    assert "models: fake, tts-1" in said
    assert f"whole.mp3: {80 * len(text)} ms of speech, ended by stop" in said
    for name, speed in (("whole.mp3", 1), ("streamed.pcm", 1.2), ("events.opus", 1)):
        format = name.partition(".")[2]
        wave, _ = decoded(format, (tmp_path / "out" / name).read_bytes())
        samples = round(FRAME * len(text) / speed)
        if name == "whole.mp3":  # a whole mp3 tells its decoder what to drop
            assert len(wave) == samples
        else:
            assert len(wave) == delay_and_length(format, samples)[1]


def test_the_shell_script(server: Served, tmp_path: Path) -> None:
    run("bash", str(EXAMPLES / "speech.sh"), server.live.http, str(tmp_path), folder=tmp_path)
    num_samples = FRAME * len("Hello.")
    lengths = {
        "hello.mp3": delay_and_length("mp3", num_samples)[1],
        "slow.wav": round(num_samples / 0.8),
        "phone.pcm": num_samples // 3,
        "whole.flac": num_samples,
    }
    for name, length in lengths.items():
        wave, _ = decoded(name.partition(".")[2], (tmp_path / name).read_bytes())
        assert len(wave) == length
    assert events_of((tmp_path / "events.txt").read_bytes())[-1]["type"] == "speech.audio.done"
    for name in ("voices.json", "models.json"):
        assert (tmp_path / name).stat().st_size > 100


def test_the_lines_of_the_document(server: Served, tmp_path: Path) -> None:
    """Its shell and Python blocks, sent to the server of this test."""
    blocks = re.findall(r"```(sh|python)\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert {kind for kind, _ in blocks} == {"sh", "python"}
    for kind, block in blocks:
        code = block.replace("http://127.0.0.1:8000", server.live.http)
        command = ["bash", "-euc", code] if kind == "sh" else [sys.executable, "-c", code]
        run(*command, folder=tmp_path)
    assert (tmp_path / "hello.mp3").stat().st_size > 1_000
    assert (tmp_path / "hello.wav").stat().st_size > 1_000
