"""`voice add` over tiny random checkpoints: what Python makes of the same recording."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.cli import voice_add
from qwen3_tts.voices.library import VoiceLibrary
from tests.cli.voice_case import (
    TEXT,
    Command,
    Model,
    base_model,
    codes,
    command,
    failed,
    kept,
    loads,
    opened,
    voices,
)
from tests.conftest import WriteCheckpoint
from tests.voices.recordings import VOICE, wav

__all__ = ["base_model", "command", "loads", "opened", "voices"]  # fixtures


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        (("--text", TEXT), "icl"),
        (("--text", TEXT, "--mode", "x_vector"), "x_vector"),
        (("--text", TEXT, "--mode", "icl"), "icl"),
        ((), "x_vector"),
    ],
)
def test_a_recording_becomes_a_voice(
    command: Command,
    voices: VoiceLibrary,
    base: Qwen3Synthesizer,
    base_model: Model,
    loads: list[str],
    recording: tuple[np.ndarray, int],
    words: tuple[str, ...],
    mode: str,
) -> None:
    write_audio("in.flac", *recording)
    about = ("--name", "Anna", "--language", "en", "--consent", "She agrees.", "--description", "x")
    ran = command("add", "in.flac", *about, *words, *base_model, "--json")
    assert (ran.code, loads) == (0, ["base"])
    lines = ran.err.splitlines()
    assert lines  # it is no good recording
    assert all(re.match("qwen3-tts: (warning|error): .*; .", line) for line in lines)
    entry, voice = voices.find("anna"), kept(voices, "anna")
    told = json.loads(ran.out)
    assert told == {
        "id": entry.id, "name": "Anna", "style": None, "mode": mode, "seconds": 0.5, "width": 64,
    }  # fmt: skip
    again = base.clone_voice(
        voices.recording_path(entry), TEXT if mode == "icl" else None, mode=mode, language="en"
    )
    assert np.array_equal(codes(base, voice), codes(base, again))
    assert (voice.mode, voice.name, voice.language, voice.model) == (
        mode, "Anna", "en", "qwen3-tts-12hz-0b6",
    )  # fmt: skip
    assert (entry.consent, voice.consent, entry.description) == ("She agrees.", "She agrees.", "x")
    assert entry.transcript == (TEXT if words else None)
    assert voice.checks is not None
    assert (voice.checks["mode"], voice.checks["cleaned"]) == (mode, [])
    assert "too_short" in {each["code"] for each in voice.checks["findings"]}
    assert voice.gain_db == pytest.approx(again.gain_db, abs=0.01)
    assert voice.provenance is not None
    content = (entry.folder / "reference.wav").read_bytes()
    assert voice.provenance["recording_sha256"] == hashlib.sha256(content).hexdigest()
    assert voice.provenance["made"] == "clone"


def test_styles(
    command: Command,
    voices: VoiceLibrary,
    base: Qwen3Synthesizer,
    base_model: Model,
    loads: list[str],
    recording: tuple[np.ndarray, int],
) -> None:
    write_audio("in.wav", *recording)
    write_audio("glad.wav", recording[0][::-2] * 0.8, 24_000)
    add = ("add", "in.wav", "--name", "anna", *base_model)
    happy = (
        "add",
        "glad.wav",
        "--name",
        "Anna",
        "--style",
        "Happy",
        "--text",
        "Glad.",
        *base_model,
    )
    failed(command(*happy), "'Anna' is not installed", "add it without --style first")
    assert command(*add, "--text", TEXT).code == 0
    ran = command(*happy)
    assert (ran.code, ran.err.count("take 'Happy' of 0.2 s, in context")) == (0, 1)
    voice = kept(voices, "anna")
    assert voice.styles == ["neutral", "happy"]
    clone = base.clone_voice("glad.wav", "Glad.")
    assert np.array_equal(codes(base, voice.take("happy")), codes(base, clone))
    del loads[:]
    failed(command(*happy), "take 'happy' already")
    failed(command(*happy, "--style", "neutral"), "own reference")
    failed(command(*add), "'anna' is there already", "--style")
    failed(command(*add, "--name", "a\0"), "U+0000")
    assert loads == []  # all of it was said before a model was loaded
    assert command("remove", "anna", "--style", "happy").code == 0
    assert kept(voices, "anna").styles == ["neutral"]


def test_a_take_of_a_voice_that_was_only_a_recording(
    command: Command,
    voices: VoiceLibrary,
    base: Qwen3Synthesizer,
    base_model: Model,
    loads: list[str],
    recording: tuple[np.ndarray, int],
) -> None:
    write_audio("in.wav", *recording)
    entry = voices.add(None, name="anna", recording=Path("in.wav").read_bytes(), transcript=TEXT)
    happy = ("add", "in.wav", "--name", "anna", "--style", "happy", *base_model)
    assert command(*happy).code == 0
    voice = kept(voices, entry.id)
    assert (voice.mode, voice.styles) == ("icl", ["neutral", "happy"])
    assert np.array_equal(codes(base, voice), codes(base, base.clone_voice("in.wav", TEXT)))


def test_a_take_of_another_model_size(
    command: Command,
    voices: VoiceLibrary,
    base_model: Model,
    checkpoint: WriteCheckpoint,
    loads: list[str],
) -> None:
    Path("in.wav").write_bytes(wav())
    assert command("add", "in.wav", "--name", "anna", *base_model).code == 0
    before = kept(voices, "anna")
    wide = ("--model", checkpoint("base", True), "--device", "cpu")
    ran = command("add", "in.wav", "--name", "anna", "--style", "happy", *wide)
    assert (ran.code, ran.out) == (1, b"")
    last = ran.err.splitlines()[-1]
    assert "'happy' was made for another model size" in last
    assert "80 numbers, the voice's 64" in last
    assert kept(voices, "anna").styles == before.styles


def test_what_cannot_be_added(
    command: Command,
    voices: VoiceLibrary,
    base_model: Model,
    checkpoint: WriteCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is said before anything is loaded, and nothing is written."""
    monkeypatch.setattr(qwen3_tts, "load", pytest.fail)
    Path("in.wav").write_bytes(wav())
    Path("no.wav").write_bytes(b"RIFF")
    add = ("add", "in.wav", "--name", "anna")
    failed(command(*add, "--model", checkpoint("custom_voice")), "load a base checkpoint")
    failed(command(*add, *base_model, "--language", "klingon"), "'klingon' is unknown")
    failed(command("add", "no.wav", "--name", "anna", *base_model), "cannot decode")
    failed(command("add", "none.wav", "--name", "anna", *base_model), "none.wav")
    failed(command(*add, "--model", "no/such/folder"), "no/such/folder")
    assert voices.entries() == []


def test_a_recording_from_stdin(
    command: Command,
    voices: VoiceLibrary,
    base_model: Model,
    loads: list[str],
    recording: tuple[np.ndarray, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = wav()
    monkeypatch.setattr("qwen3_tts.cli.streams.read_bytes", lambda name: content)
    ran = command("add", "-", "--name", "anna", *base_model)
    assert (ran.code, loads) == (0, ["base"])
    assert voices.find("anna").has_recording


@dataclass(frozen=True)
class Found:
    code: str
    severity: str
    message: str
    advice: str = ""
    value: float | None = None


def test_findings_are_told_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    noise = Found(
        "noise", "warning", "the recording is noisy (8 dB)", "record in a quiet room", 8.0
    )
    length = Found("length", "info", "it lasts 5 s", value=5.0)
    swapped = Found("swapped", "error", "the transcript is another text")
    assert voice_add.tell([]) == []
    checks = {"findings": voice_add.tell([noise, length])}
    voice_add.tell([swapped])
    assert capsys.readouterr().err.splitlines() == [
        "qwen3-tts: warning: the recording is noisy (8 dB); record in a quiet room",
        "qwen3-tts: error: the transcript is another text",
    ]
    assert checks == {
        "findings": [
            {"code": "noise", "severity": "warning", "message": noise.message, "value": 8.0},
            {"code": "length", "severity": "info", "message": "it lasts 5 s", "value": 5.0},
        ]
    }
    assert replace(VOICE, checks=checks).checks == checks


def test_what_was_found_is_kept_with_the_voice(
    command: Command,
    voices: VoiceLibrary,
    base_model: Model,
    loads: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("in.wav").write_bytes(wav())
    plain = voice_add.heard
    found = (Found("noise", "warning", "noisy", "be quiet", 8.0),)
    monkeypatch.setattr(
        voice_add,
        "heard",
        lambda *sound, **told: replace(plain(*sound, **told), findings=found, gain_db=-2.5),
    )
    ran = command("add", "in.wav", "--name", "anna", *base_model)
    assert "warning: noisy; be quiet" in ran.err
    assert kept(voices, "anna").gain_db == -2.5
    checks = kept(voices, "anna").checks
    assert checks is not None
    assert [each["code"] for each in checks["findings"]] == ["noise"]
    assert command("add", "in.wav", "--name", "anna", "--style", "happy", *base_model).code == 0
    assert kept(voices, "anna").take("happy").gain_db == -2.5


def test_a_long_recording_is_cut_and_its_text_with_it(
    command: Command,
    voices: VoiceLibrary,
    base_model: Model,
    loads: list[str],
) -> None:
    """What is kept beside the voice is what was cloned."""
    rate = 8000
    noise = np.random.default_rng(3).normal(0, 0.2, 20 * rate).astype(np.float32)
    noise[12 * rate : round(12.6 * rate)] = 0  # a pause
    write_audio("long.wav", noise, rate)
    said = ("--text", "Words that no recogniser would find in it.", "--mode", "auto")
    ran = command("add", "long.wav", "--name", "anna", *said, *base_model)
    assert ran.code == 0, ran.err
    assert "cut" in ran.err
    entry, voice = voices.find("anna"), kept(voices, "anna")
    wave, _ = read_audio(voices.recording_path(entry) or "")
    assert 12 * rate < len(wave) < 13 * rate
    assert (voice.mode, entry.transcript) == ("x_vector", None)
    assert voice.checks is not None
    assert voice.checks["seconds"] == 20
    assert any("cut after" in note for note in voice.checks["cleaned"])
