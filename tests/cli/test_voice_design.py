"""`voice design` over tiny random checkpoints: takes that are kept, and a voice of one of them."""

import json
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.cli import voice_design
from qwen3_tts.cli.voice_takes import Design, read_design, write_design
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.samples import SAMPLES
from tests.cli.voice_case import (
    FRAMES,
    Command,
    Model,
    codes,
    command,
    design_model,
    failed,
    kept,
    loads,
    opened,
    voices,
)
from tests.conftest import WriteCheckpoint
from tests.refusal import refused
from tests.voices.recordings import VOICE

__all__ = ["command", "design_model", "loads", "opened", "voices"]  # fixtures


WARM = "A warm, elderly narrator"
SHORT = ("--text", "Hi.", "--language", "en")


def test_a_description_becomes_takes_and_one_of_them_a_voice(
    command: Command,
    voices: VoiceLibrary,
    base: Qwen3Synthesizer,
    design: Qwen3Synthesizer,
    checkpoint: WriteCheckpoint,
    design_model: Model,
    loads: list[str],
) -> None:
    words = ("design", WARM, "--takes", 2, "--seed", 7, *SHORT, *design_model)
    ran = command(*words, "--json")
    assert (ran.code, loads) == (0, ["voice_design"]), ran.err
    takes = json.loads(ran.out)["takes"]
    assert [(take["file"], take["seed"]) for take in takes] == [
        ("voice-design/take-1.wav", 7),
        ("voice-design/take-2.wav", 8),
    ]
    for take in takes:
        expected = design.synthesize(
            "Hi.", instruct=WARM, language="english", seed=take["seed"], max_frames=FRAMES
        )
        wave, rate = read_audio(take["file"])
        assert rate == expected.sample_rate
        assert np.array_equal(wave, expected.wave)  # not rounded
        assert take["ended"] == expected.finish_reason
    pick = ("design", "--pick", 2, "--name", "narrator", "--base", checkpoint("base"))
    ran = command(*pick, *design_model[2:])
    assert (ran.code, loads) == (0, ["voice_design", "base"]), ran.err
    assert ran.err.endswith("made of take 2; voice-design is kept\n")
    assert takes[1]["ended"] == "length"
    assert "warning: take 2 did not end by itself (length)" in ran.err
    entry, voice = voices.find("narrator"), kept(voices, "narrator")
    clone = base.clone_voice("voice-design/take-2.wav", "Hi.", mode="icl", language="english")
    assert np.array_equal(codes(base, voice), codes(base, clone))
    assert (entry.folder / "reference.wav").read_bytes() == Path(takes[1]["file"]).read_bytes()
    assert (entry.description, entry.language, entry.transcript) == (WARM, "english", "Hi.")
    provenance = dict(voice.provenance or {})
    assert {provenance.pop("at"), provenance.pop("with")}
    model = Path(str(design_model[1])).name
    assert provenance == {
        "made": "design", "description": WARM, "text": "Hi.", "model": model, "seed": 8,
    }  # fmt: skip
    assert voice.model == "qwen3-tts-12hz-0b6"
    failed(command(*pick), "'narrator' is there already")
    assert command(*pick, "--name", "other", "--mode", "x_vector", "--device", "cpu").code == 0
    assert kept(voices, "other").mode == "x_vector"


def test_nothing_that_was_spoken_is_spoken_again(
    command: Command,
    design_model: Model,
    loads: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that dies after its first take is gone on with; more takes are added to those."""
    words = ("design", WARM, "--folder", "deep/takes", *SHORT, *design_model)
    folder = Path("deep/takes")
    real = voice_design.write_audio

    def second_fails(path: Path, *given: object, **options: object) -> None:
        if path.name == "take-2.wav":
            raise KeyboardInterrupt
        real(path, *given, **options)

    monkeypatch.setattr(voice_design, "write_audio", second_fails)
    assert command(*words, "--takes", 2).code == 130
    monkeypatch.setattr(voice_design, "write_audio", real)
    design = read_design(folder)
    assert design is not None
    assert [take.ended is None for take in design.takes] == [False, True]
    before = (folder / "take-1.wav").stat()
    seeds = [take.seed for take in design.takes]
    assert seeds == [seeds[0], seeds[0] + 1]
    spoken: list[str] = []

    def counted(path: Path, *given: object, **options: object) -> None:
        spoken.append(path.name)
        real(path, *given, **options)

    monkeypatch.setattr(voice_design, "write_audio", counted)
    assert command(*words, "--takes", 2).code == 0
    assert spoken == ["take-2.wav"]
    assert command(*words, "--takes", 3).code == 0
    assert spoken == ["take-2.wav", "take-3.wav"]
    del loads[:]
    assert command(*words, "--takes", 3).code == 0
    assert command(*words, "--takes", 1).code == 0  # none is taken away
    assert (spoken[2:], loads) == ([], [])
    now = (folder / "take-1.wav").stat()
    assert (now.st_mtime_ns, now.st_ino) == (before.st_mtime_ns, before.st_ino)
    done = read_design(folder)
    assert done is not None
    assert [take.seed for take in done.takes] == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    (folder / "take-2.wav").unlink()  # by hand
    assert command(*words, "--takes", 3).code == 0
    assert spoken[2:] == ["take-2.wav"]
    failed(command(*words, "--seed", seeds[0] + 1), "begin with seed", "leave out --seed")
    failed(command("design", "A cold one", *words[2:]), "another design", "another --folder")
    assert sorted(path.name for path in folder.iterdir()) == [
        "design.json", "take-1.wav", "take-2.wav", "take-3.wav",
    ]  # fmt: skip


def test_all_in_one(
    command: Command,
    voices: VoiceLibrary,
    checkpoint: WriteCheckpoint,
    design_model: Model,
    loads: list[str],
) -> None:
    make = ("--base", checkpoint("base"), *SHORT, *design_model)
    ran = command("design", WARM, "--name", "a", *make, "--folder", "one", "--json")
    assert (ran.code, loads) == (0, ["voice_design", "base"]), ran.err
    assert json.loads(ran.out) == {"id": voices.find("a").id, "name": "a", "folder": "one"}
    assert sorted(path.name for path in Path("one").iterdir()) == ["design.json", "take-1.wav"]
    ran = command("design", WARM, "--name", "b", "--pick", 2, *make, "--folder", "two", "--quiet")
    assert ran.code == 0
    assert read_audio("two/take-2.wav")[0].size
    provenance, design = kept(voices, "b").provenance, read_design(Path("two"))
    assert provenance is not None
    assert design is not None
    assert provenance["seed"] == design.takes[1].seed


def test_what_cannot_be_designed(
    command: Command,
    voices: VoiceLibrary,
    checkpoint: WriteCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is said before anything is loaded or written."""
    monkeypatch.setattr(qwen3_tts, "load", pytest.fail)
    for kind in ("base", "custom_voice"):
        failed(
            command("design", WARM, "--model", checkpoint(kind)),
            f"a {kind} checkpoint designs no voices",
            "pass a voice_design checkpoint",
        )
    right = ("--model", checkpoint("voice_design"))
    failed(command("design", WARM, *right, "--language", "klingon"), "'klingon' is unknown")
    voices.add(VOICE, name="a")
    make = ("--name", "a", "--base", checkpoint("base"))
    failed(command("design", WARM, *right, *make), "'a' is there already")
    other = ("--name", "b", "--base", checkpoint("custom_voice"))
    failed(command("design", WARM, *right, *other), "clones no voices", "pass a base checkpoint")
    failed(command("design", "--pick", 1, *make, "--name", "b"), "no design in `voice-design`")
    assert not Path("voice-design").exists()


def test_picking_what_is_not_there(
    command: Command, checkpoint: WriteCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qwen3_tts, "load", pytest.fail)
    Path("d").mkdir()
    design = Design(WARM, "Hi.", "english", "m").with_seeds(3, 5).spoken(1, "stop")
    write_design(Path("d"), design)
    assert read_design(Path("d")) == design
    make = ("design", "--folder", "d", "--name", "a", "--base", checkpoint("base"))
    failed(command(*make, "--pick", 2), "no take 2 in `d`; have: none")
    write_audio("d/take-2.wav", np.ones(24_000, np.float32) / 2, 24_000)
    failed(command(*make, "--pick", 1), "no take 1 in `d`; have: 2")
    failed(command(*make, "--pick", 4), "no take 4 in `d`; have: 2")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"format": "qwen3-tts-design", "version": 2}',
        '{"format": "qwen3-tts-design", "version": 1}',
        "x" * (1 << 21),
        json.dumps({"format": "qwen3-tts-design", "version": 1, "description": 3, "takes": []}),
    ],
)
def test_a_broken_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "design.json").write_text(content)
    with refused(InvalidRequest, str(tmp_path / "design.json"), "move it away"):
        read_design(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", None),
        ("language", 3),
        ("takes", []),
        ("takes", [{}]),
        ("takes", [{"seed": True}]),
        ("takes", [{"seed": 1, "ended": 3}]),
        ("takes", [{"seed": 1}] * 33),
        ("takes", {"seed": 1}),
    ],
)
def test_a_manifest_with_one_thing_wrong(tmp_path: Path, name: str, value: object) -> None:
    write_design(tmp_path, Design(WARM, "Hi.", "english", "m").with_seeds(1, 5))
    about = json.loads((tmp_path / "design.json").read_text())
    assert read_design(tmp_path) is not None
    (tmp_path / "design.json").write_text(json.dumps({**about, name: value}))
    with refused(InvalidRequest, "move it away"):
        read_design(tmp_path)


def test_the_default_text_is_the_sample_of_the_language(
    command: Command,
    checkpoint: WriteCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As far as the planning; a sample is long for a random model."""
    asked: list[str] = []

    def noted(args: object, request: object, clone: bool) -> None:
        asked.append(request.text)  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr("qwen3_tts.cli.opening.open_synthesizer", noted)
    words = ("design", WARM, "--model", checkpoint("voice_design"))
    for language, text in (("Auto", "english"), ("de", "german"), ("Japanese", "japanese")):
        assert command(*words, "--language", language).code == 130
        assert asked.pop() == SAMPLES[text]
