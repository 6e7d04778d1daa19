"""`voices`: what the configs say, without weights."""

import json
import shutil
from pathlib import Path

import pytest

import qwen3_tts
from qwen3_tts.weights.published import DIALECTS, LANGUAGES, SPEAKERS
from tests.cli.conftest import Run
from tests.conftest import WriteCheckpoint


@pytest.fixture
def small(checkpoint: WriteCheckpoint, tmp_path: Path):
    """Checkpoints that have their config.json and nothing else."""

    def folder(kind: str) -> Path:
        target = tmp_path / kind
        target.mkdir()
        shutil.copy(checkpoint(kind) / "config.json", target)
        return target

    return folder


def test_presets(cli: Run, small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qwen3_tts, "load", None)
    ran = cli("voices", "--model", small("custom_voice"))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.decode().splitlines()
    assert lines[1].startswith("kind: custom_voice 0b6, speaks in preset voices")
    split = lines.index("languages:")
    voices = [line.split() for line in lines[lines.index("voices:") + 1 : split]]
    assert [words[0] for words in voices] == sorted(SPEAKERS)
    assert {words[0]: words[1].strip("()") for words in voices if words[1:]} == DIALECTS
    assert [line.strip() for line in lines[split + 1 :]] == sorted(LANGUAGES)


@pytest.mark.parametrize(("kind", "ability"), [("base", "it clones"), ("voice_design", "descri")])
def test_kinds_without_presets(cli: Run, small, kind: str, ability: str) -> None:
    lines = cli("voices", "--model", small(kind)).out.decode().splitlines()
    assert ability in lines[1]
    assert "voices:" not in lines
    assert "  english" in lines


def test_json(cli: Run, small) -> None:
    folder = small("custom_voice")
    ran = cli("voices", "--model", folder, "--json")
    assert json.loads(ran.out) == {
        "model": str(folder),
        "kind": "custom_voice",
        "size": "0b6",
        "voices": {name: DIALECTS.get(name) for name in SPEAKERS},
        "languages": sorted(LANGUAGES),
    }


def test_without_a_model_those_in_the_package_are_shown(cli: Run) -> None:
    ran = cli("voices", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert list(json.loads(ran.out)["voices"]) == ["awb", "rms", "slt"]


def test_the_model_of_the_environment(cli: Run, small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_MODEL", str(small("base")))
    assert b"kind: base" in cli("voices").out
