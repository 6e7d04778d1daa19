"""What docs/recordings.md shows runs, and its tables name every finding there is."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import qwen3_tts
from qwen3_tts.audio import checks
from qwen3_tts.audio.files import write_audio
from qwen3_tts.audio.reference import prepare_reference
from qwen3_tts.types import Voice
from tests.audio.conftest import Spoken

PAGE = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text(encoding="utf-8")


class Cloner:
    """Checks as a base checkpoint does, and has no other use for the sound."""

    def clone_voice(self, audio: str, text: str | None = None, **options: Any) -> Voice:
        wave, rate = soundfile.read(audio, dtype="float32")
        found = prepare_reference(wave, rate, text, **options)
        return Voice(np.zeros(4), checks=found.checks, gain_db=found.gain_db)


def test_the_python_runs(clean: Spoken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    write_audio("me.wav", clean.wave, clean.rate)
    played: list[np.ndarray] = []
    halves = np.array_split(clean.wave, 2)
    names: dict[str, Any] = {
        "tts": Cloner(),
        "speaker_vector": lambda part, rate: np.ones(4),
        "stream": [SimpleNamespace(wave=half) for half in halves],
        "play": played.append,
        "my_plug_in": SimpleNamespace(apply=lambda wave, sample_rate: wave * 0.5),
    }
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    assert names["voice"].checks["mode"] in ("icl", "x_vector")
    assert sum(map(len, played)) == len(clean.wave)
    assert {path.name for path in tmp_path.iterdir()} == {"me.wav", "a.flac", "a.mp3", "a.wav"}
    marked = soundfile.read("a.wav", dtype="float32")[0]
    np.testing.assert_allclose(marked, names["wave"] * 0.5, atol=2**-15)
    with soundfile.SoundFile("a.mp3") as file:
        assert f"qwen3-tts {qwen3_tts.__version__}" in file.comment
        assert file.title == "Chapter 1"


def test_every_finding_is_in_a_table() -> None:
    sources = Path(checks.__file__).parent.glob("*.py")
    made = {
        code
        for source in sources
        for code in re.findall(r'Finding\(\s*"(\w+)"', source.read_text(encoding="utf-8"))
    }
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert len(made) > 10
    assert made == told
