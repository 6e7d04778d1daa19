"""`voice`: kept by name, told, changed, mixed, and carried from one folder to another."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.compat.prompts import item_of
from qwen3_tts.types import Take, Voice
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.mixing import mix
from tests.cli.voice_case import Command, command, failed, voices
from tests.voices.recordings import VOICE, same, wav

__all__ = ["command", "voices"]  # fixtures

ESCAPES = "\x1b[31mred\x1b[0m\r\n\u202eback"


def test_list(command: Command, voices: VoiceLibrary) -> None:
    ran = command("list")
    assert (ran.code, ran.out, ran.err.count("\n")) == (0, b"", 1)
    assert str(voices.folder) in ran.err
    assert json.loads(command("list", "--json").out) == {"voices": []}
    anna = voices.add(
        replace(VOICE, model="qwen3-tts-12hz-0b6").with_take("happy", Take(vector=VOICE.vector)),
        name="anna",
    )
    voices.add(None, name="Ben", recording=wav())
    voices.add(Voice(VOICE.vector), name="渡辺", language="japanese")
    broken = voices.add(VOICE, name="x")
    (broken.folder / "voice.safetensors").write_bytes(b"no")
    ran = command("list")
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split("  ") for line in ran.out.decode().splitlines()]
    assert [[cell.strip() for cell in row if cell.strip()] for row in rows] == [
        ["name", "language", "kind", "takes", "model"],
        ["anna", "german", "in context", "happy", "qwen3-tts-12hz-0b6"],
        ["Ben", "-", "recording", "-", "-"],
        ["x", "german", "broken", "-", "-"],
        ["渡辺", "japanese", "vector", "-", "-"],
    ]
    told = json.loads(command("list", "--json").out)["voices"]
    assert told[0] == {
        "id": anna.id,
        "name": "anna",
        "language": "german",
        "kind": "in context",
        "styles": ["neutral", "happy"],
        "model": "qwen3-tts-12hz-0b6",
    }
    assert [each["kind"] for each in told] == ["in context", "recording", "broken", "vector"]


def test_show(command: Command, voices: VoiceLibrary) -> None:
    voice = replace(VOICE, gain_db=-1.5, checks={"a": 1}, provenance={"made": "clone"})
    voice = voice.with_take("happy", Take(np.zeros((25, 16), np.int64), "Hooray!"))
    entry = voices.add(voice, name="anna", consent="She agrees.", description="warm")
    told = json.loads(command("show", "ANNA", "--json").out)
    assert told == {
        "id": entry.id,
        "name": "anna",
        "language": "german",
        "kind": "in context",
        "styles": ["neutral", "happy"],
        "model": None,
        "description": "warm",
        "consent": "She agrees.",
        "created_at": entry.created_at,
        "folder": str(entry.folder),
        "has_recording": False,
        "text": "What the recording says.",
        "width": 4,
        "seconds": 0.16,
        "gain_db": -1.5,
        "takes": [{"style": "happy", "kind": "in context", "seconds": 2.0, "text": "Hooray!"}],
        "checks": {"a": 1},
        "provenance": {"made": "clone"},
    }
    lines = command("show", entry.id).out.decode().splitlines()
    for line in ("name: anna", "styles: neutral, happy", "consent: She agrees.", "seconds: 0.16"):
        assert line in lines
    failed(command("show", "nobody"), "'nobody' is not installed; have: anna")


def test_what_steers_a_terminal_is_not_shown(
    command: Command, voices: VoiceLibrary, tmp_path: Path
) -> None:
    voice = replace(VOICE, text=f"Words. {ESCAPES}", model=ESCAPES, provenance={"by": ESCAPES})
    voice = voice.with_take("happy", Take(np.zeros((2, 16), np.int64), ESCAPES))
    entry = voices.add(VOICE, name="anna")
    voice.save(entry.folder / "voice.safetensors")
    for words in (("list",), ("show", "anna")):
        told = command(*words).out.decode()
        assert "red" in told
        assert all(char.isprintable() or char == "\n" for char in told), ascii(told)


def test_rename(command: Command, voices: VoiceLibrary) -> None:
    entry = voices.add(VOICE, name="anna")
    ran = command("rename", "anna", "Änne")
    assert (ran.code, ran.out, ran.err) == (0, b"", f"Änne ({entry.id}): was anna\n")
    assert voices.find("änne").id == entry.id
    failed(command("rename", "anna", "bea"), "'anna' is not installed; have: Änne")
    voices.add(VOICE, name="bea")
    failed(command("rename", "bea", "ÄNNE"), "'Änne' is there already")


def test_remove(command: Command, voices: VoiceLibrary) -> None:
    entry = voices.add(VOICE.with_take("happy", Take(vector=VOICE.vector)), name="anna")
    failed(command("remove", "anna", "--style", "sad"), "no style 'sad'; have: neutral, happy")
    failed(command("remove", "anna", "--style", "neutral"), "the voice itself")
    assert "has: neutral\n" in command("remove", "anna", "--style", "Happy").err
    assert voices.find("anna") == entry
    assert command("remove", "anna", "--quiet").err == ""
    assert voices.entries() == []


def test_export_and_import(command: Command, voices: VoiceLibrary, tmp_path: Path) -> None:
    voice = replace(VOICE, gain_db=2.0, checks={"a": [1]}, model="m")
    voice = voice.with_take("happy", Take(VOICE.codes, "Ha!", VOICE.vector))
    voices.add(voice, name="anna", consent="yes", description="warm")
    ran = command("export", "anna", "--json")
    assert json.loads(ran.out)["output"] == "anna.voice.safetensors"
    found = Voice.load("anna.voice.safetensors")
    assert (found.consent, found.provenance) == ("yes", {"description": "warm"})
    other = ("--voices-dir", tmp_path / "other")
    ran = command("import", "anna.voice.safetensors", *other)
    assert (ran.code, ran.err.count("added, in context")) == (0, 1)
    (entry,) = VoiceLibrary(tmp_path / "other").entries()
    assert (entry.name, entry.consent, entry.description) == ("anna", "yes", "warm")
    kept = Voice.load(entry.folder / "voice.safetensors")
    assert same(kept, found)
    assert same(kept.take("happy"), found.take("happy"))
    assert (kept.gain_db, kept.checks, kept.model) == (2.0, {"a": [1]}, "m")
    failed(command("import", "anna.voice.safetensors", *other), "'anna' is there already")
    assert command("import", "anna.voice.safetensors", "--name", "bea", *other).code == 0
    assert VoiceLibrary(tmp_path / "other").find("bea").description == "warm"
    assert command("export", "anna", "-o", "b.voice").code == 0
    assert same(Voice.load("b.voice").take("happy"), found.take("happy"))


def test_where_a_voice_is_exported_to(command: Command, voices: VoiceLibrary) -> None:
    entry = voices.add(VOICE, name="../Anna B.")
    assert command("export", "../anna b.").code == 0
    assert Voice.load(f"{entry.id}.voice.safetensors").name == "../Anna B."
    failed(command("export", entry.id, "-o", "no/where"), "`no` does not exist")
    failed(command("export", entry.id, "-o", "-"), "cannot be a stream", code=2)
    voices.add(None, name="bob", recording=wav())
    failed(command("export", "bob"), "no model has prepared")


def test_a_file_without_a_name(command: Command, voices: VoiceLibrary) -> None:
    for file, name in (("carla.voice.safetensors", "carla"), ("dora.safetensors", "dora")):
        Voice(VOICE.vector).save(file)
        assert command("import", file).code == 0
        assert not voices.find(name).has_recording


def test_prompts_of_the_official_package(
    command: Command, voices: VoiceLibrary, tmp_path: Path
) -> None:
    items = [
        item_of(voice, voice.text, torch.device("cpu")) for voice in (VOICE, Voice(VOICE.vector))
    ]
    torch.save(items, "theirs.pt")
    torch.save(items[0], "one.pt")
    assert command("import", "theirs.pt", "one.pt").code == 0
    names = ["one", "theirs 1", "theirs 2"]
    assert [entry.name for entry in voices.entries()] == names
    kinds = {name: voices.load(voices.find(name)) for name in names}
    assert same(kinds["one"], replace(VOICE, name="one", language=None))
    assert [voice.mode for voice in kinds.values() if voice] == ["icl", "icl", "x_vector"]
    command("import", "theirs.pt", "--name", "Eva")
    assert [entry.name for entry in voices.entries()][:2] == ["Eva 1", "Eva 2"]
    torch.save([Path("a")], "hostile.pt")
    before = voices.entries()
    failed(
        command("import", "one.pt", "hostile.pt", "--name", "f"), "hostile.pt is refused: it asks"
    )
    assert voices.entries() == before
    Path("none.pt").write_bytes(b"PK")
    failed(command("import", "none.pt"), "none.pt is not a prompt file")
    failed(command("import", "absent.safetensors"), "no voice file absent.safetensors")


def test_mix(command: Command, voices: VoiceLibrary) -> None:
    anna = voices.add(VOICE, name="anna", consent="A.")
    ben = voices.add(Voice(VOICE.vector[::-1], name="x"), name="Ben", consent="B.")
    ran = command("mix", "anna(2)+ben", "--name", "both", "--json")
    assert (ran.code, ran.err) == (0, "")
    found = voices.load(voices.find("both"))
    assert found is not None
    parts = [(voices.portable(anna), 2), (voices.portable(ben), 1)]
    expected = mix(parts, method="slerp", name="both")
    assert np.array_equal(found.vector, expected.vector)
    assert found.provenance == expected.provenance
    assert voices.find("both").consent in ("anna: A.; Ben: B.", "Ben: B.; anna: A.")
    assert command("mix", f"{anna.id}+Ben", "--name", "third", "--method", "linear").code == 0
    mean = voices.load(voices.find("third"))
    assert mean is not None
    np.testing.assert_allclose(mean.vector, np.full(4, 1.5))
    failed(command("mix", "anna", "--name", "a"), "2 to 16 voices, got 1")
    failed(command("mix", "anna+nobody", "--name", "a"), "'nobody' is not installed")
    failed(command("mix", "anna+ben", "--name", "both"), "'both' is there already")
    failed(command("mix", "anna(x)+ben", "--name", "a"), "no part of a recipe")
    voices.add(Voice(np.ones(6, np.float32)), name="wide")
    failed(command("mix", "anna+wide", "--name", "a"), "different model sizes")
    voices.add(None, name="bob", recording=wav())
    failed(command("mix", "anna+bob", "--name", "a"), "no model has prepared")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fly",),
        ("show",),
        ("rename", "anna"),
        ("mix", "a+b"),
        ("mix", "a+b", "--name", "c", "--method", "cubic"),
        ("import",),
        ("add", "a.wav"),
        ("add", "a.wav", "--name", "a", "--mode", "fast"),
        ("add", "a.wav", "--name", "a", "--mode", "icl"),
        ("add", "a.wav", "--name", "a", "--style", "happy", "--consent", "yes"),
        ("design",),
        ("design", " "),
        ("design", "warm", "--name", "a"),
        ("design", "warm", "--base", "b"),
        ("design", "warm", "--pick", "1"),
        ("design", "warm", "--takes", "2", "--name", "a", "--base", "b"),
        ("design", "warm", "--takes", "0"),
        ("design", "warm", "--takes", "33"),
        ("design", "warm", "--seed", "-1"),
        ("design", "--pick", "0", "--name", "a", "--base", "b"),
    ],
)
def test_wrong_arguments(command: Command, words: tuple[str, ...]) -> None:
    failed(command(*words), code=2)


def test_a_folder_that_is_none(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    failed(command("list", "--voices-dir", tmp_path / "file"), "cannot read voices")
    Voice(VOICE.vector).save("v.safetensors")
    failed(command("import", "v.safetensors", "--voices-dir", tmp_path / "file"), "cannot write")


def test_errors_as_json(command: Command) -> None:
    ran = command("show", "nobody", "--json")
    told: dict[str, Any] = json.loads(ran.err)
    assert (ran.code, told["error"]["code"]) == (1, "unknown_voice")
