"""What docs/voices.md shows works: its commands are commands, its Python runs."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.audio.files import write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.cli import voice, voice_add, voice_design
from qwen3_tts.cli.messages import Parser
from qwen3_tts.voice import WORDS
from tests.cli.voice_case import Lent

PAGE = (Path(__file__).parents[2] / "docs" / "voices.md").read_text(encoding="utf-8")
EPILOGS = (voice.EPILOG, voice_add.EPILOG, voice_design.EPILOG)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    lines = "\n".join([*blocks("sh"), *EPILOGS]).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if "qwen3-tts voice " in line]
    return [each[1:] for each in words if each[:2] == ["qwen3-tts", "voice"]]


def test_commands_are_shown() -> None:
    shown = {each[1] for each in commands()}
    assert shown == set("add list show rename remove design export import mix".split())


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one(words: list[str]) -> None:
    parser = Parser(prog="qwen3-tts")
    voice.add_parser(parser.add_subparsers())
    args = parser.parse_args(words)
    assert callable(args.run)
    if words[1] == "design":
        voice_design._check_usage(args)


def test_every_word_of_a_file_is_told() -> None:
    told = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| `.*$", PAGE, re.MULTILINE))))
    assert {*WORDS, "takes"} <= told


def test_the_python_runs(
    base: Qwen3Synthesizer,
    recording: tuple[np.ndarray, int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    lent = Lent(base)
    lent.synthesize = lambda text, **given: base.synthesize(text, max_frames=3, **given)  # type: ignore[attr-defined]
    monkeypatch.setattr(qwen3_tts, "load", lambda model: lent)
    write_audio("anna.wav", *recording)
    (block,) = blocks("python")
    exec(block, {})
    assert {path.name for path in tmp_path.iterdir()} == {
        "anna.wav", "anna.voice.safetensors", "hello.wav",
    }  # fmt: skip
