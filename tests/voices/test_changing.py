"""What is changed of a voice that is there: its name and its takes."""

import errno
import json
import logging
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen3_tts.errors import DiskFull, InvalidText, InvalidVoice, UnknownVoice
from qwen3_tts.types import Take, Voice
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.location import voices_folder
from qwen3_tts.voices.samples import SAMPLES, sample_text
from tests.refusal import refused
from tests.voices.recordings import VOICE, hidden, same, wav

CODES = np.arange(48).reshape(3, 16)
HAPPY = Take(CODES, "Hooray!", VOICE.vector + 1, "english", 2.5)


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


def loaded(library: VoiceLibrary, name: str) -> Voice:
    """As another process finds it."""
    other = VoiceLibrary(library.folder)
    voice = other.load(other.find(name))
    assert voice is not None
    return voice


# names


def test_a_new_name(library: VoiceLibrary) -> None:
    entry = library.add(
        VOICE, name="ann", recording=wav(), description="warm", consent="c", owner="o"
    )
    other = VoiceLibrary(library.folder)
    assert other.find("ann").id == entry.id
    renamed = library.rename(entry.id, " Änne  B. ")
    for each in (library, other):
        assert each.find("änne b.") == each.find(entry.id) == renamed
        with pytest.raises(UnknownVoice):
            each.find("ann")
    assert renamed == replace(entry, name="Änne B.", metadata=renamed.metadata)
    assert renamed.metadata == {**entry.metadata, "name": "Änne B."}
    assert same(loaded(library, "Änne B."), VOICE)
    assert hidden(library.folder) == []


def test_the_same_name_in_another_case(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="ann")
    assert library.rename(entry.id, "Ann").name == "Ann"
    assert library.rename(entry.id, "Ann").name == "Ann"
    assert library.rename(entry.id, entry.id).name == entry.id


def test_names_that_are_taken(library: VoiceLibrary) -> None:
    ann, bob = library.add(VOICE, name="Ann"), library.add(VOICE, name="bob")
    for name in ("ANN", "Ａnn", ann.id):
        with refused(InvalidVoice, "'Ann' is there already", ann.id):
            library.rename(bob.id, name)
    for name in ("", "a\x1b[0m", "x" * 65):
        with pytest.raises(InvalidVoice):
            library.rename(bob.id, name)
    with pytest.raises(UnknownVoice, match="no voice's id"):
        library.rename("bob", "carl")
    with pytest.raises(UnknownVoice):
        library.rename("nobody", "carl")
    assert [entry.name for entry in library.entries()] == ["Ann", "bob"]


def test_a_voice_that_only_a_manifest_tells_of(library: VoiceLibrary) -> None:
    library.folder.mkdir()
    (library.folder / "ann.wav").write_bytes(wav())
    item = {"id": "ann", "name": "Ann", "reference_audio": "ann.wav", "language": "en"}
    (library.folder / "manifest.json").write_text(json.dumps([item]))
    renamed = library.rename("ann", "Anna")
    assert (renamed.id, renamed.name, renamed.language) == ("ann", "Anna", "en")
    assert library.recording_path(renamed) == (library.folder / "ann.wav").resolve()
    assert json.loads((library.folder / "manifest.json").read_text()) == [item]
    assert [each.name for each in VoiceLibrary(library.folder).entries()] == ["Anna"]


def test_what_is_written_by_hand_stays(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="ann")
    about = {"name": "ann", "style": ["low"], "created_at": "2026-01-02T03:04:05Z"}
    (entry.folder / "metadata.json").write_text(json.dumps(about))
    library.rename(entry.id, "bea")
    assert json.loads((entry.folder / "metadata.json").read_text()) == {**about, "name": "bea"}


# takes


def test_takes_are_added_and_removed(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="ann", recording=wav())
    assert library.add_take(entry.id, "Happy", HAPPY).styles == ["neutral", "happy"]
    library.add_take(entry.id, "whisper", Take(CODES, "Psst."))
    voice = loaded(library, "ann")
    assert voice.styles == ["neutral", "happy", "whisper"]
    assert same(voice.take("neutral"), VOICE)
    happy = Voice(VOICE.vector + 1, CODES, "Hooray!", "english", "mine")
    assert same(voice.take("happy"), happy)
    assert voice.take("happy").gain_db == 2.5
    assert same(voice.take("whisper"), replace(VOICE, codes=CODES, text="Psst."))
    assert library.remove_take(entry.id, "HAPPY").styles == ["neutral", "whisper"]
    assert loaded(library, "ann").styles == ["neutral", "whisper"]
    assert library.find("ann") == entry  # nothing else has changed
    assert hidden(library.folder) == []


def test_takes_that_are_refused(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="ann")
    library.add_take(entry.id, "happy", HAPPY)
    before = (entry.folder / "voice.safetensors").read_bytes()
    with refused(InvalidVoice, "'happy'", "already"):
        library.add_take(entry.id, "happy", HAPPY)
    with refused(InvalidVoice, "'sad'", "another model size", "5 numbers", "4"):
        library.add_take(entry.id, "sad", Take(vector=np.ones(5, np.float32)))
    with refused(InvalidVoice, "'neutral'"):
        library.add_take(entry.id, "neutral", HAPPY)
    with refused(UnknownVoice, "'sad'", "have: neutral, happy"):
        library.remove_take(entry.id, "sad")
    with pytest.raises(UnknownVoice):
        library.add_take("ann", "sad", HAPPY)  # by its id alone
    with pytest.raises(UnknownVoice):
        library.remove_take("nobody", "happy")
    assert (entry.folder / "voice.safetensors").read_bytes() == before
    recording = library.add(None, name="bob", recording=wav())
    with refused(InvalidVoice, "'bob'", "no model has prepared"):
        library.add_take(recording.id, "happy", HAPPY)


def full(*given: object, **options: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace", "mkdir"])
def test_a_full_disk(library: VoiceLibrary, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is half-changed."""
    entry = library.add(VOICE, name="ann")
    before = {path.name: path.read_bytes() for path in entry.folder.iterdir()}
    monkeypatch.setattr(os, step, full)
    with pytest.raises(DiskFull):
        library.rename(entry.id, "bea")
    with pytest.raises(DiskFull):
        library.add_take(entry.id, "happy", HAPPY)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in entry.folder.iterdir()} == before
    assert library.entries() == [entry]
    assert hidden(library.folder) == []


def test_threads_that_change_one_voice(library: VoiceLibrary) -> None:
    """No take is lost: each is added to what the others have written."""
    entry = library.add(VOICE, name="ann")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                library.add_take(entry.id, f"{number} {turn}", HAPPY)
                library.rename(entry.id, f"ann {number} {turn}")
                if turn % 2:
                    library.remove_take(entry.id, f"{number} {turn}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    wanted = {f"{number} {turn}" for number in range(4) for turn in (0, 2)}
    assert set(loaded(library, entry.id).takes) == wanted
    assert library.find(entry.id).name in {f"ann {number} 3" for number in range(4)}


def test_a_link_out_of_the_library_is_not_followed(library: VoiceLibrary, tmp_path: Path) -> None:
    entry = library.add(VOICE, name="ann")
    secret = tmp_path / "secret"
    shutil.move(entry.folder, secret)
    before = {path.name: path.read_bytes() for path in secret.iterdir()}
    entry.folder.symlink_to(secret)
    for change in (
        lambda: library.rename(entry.id, "bea"),
        lambda: library.add_take(entry.id, "happy", HAPPY),
    ):
        with pytest.raises((InvalidVoice, UnknownVoice)):
            change()
    assert {path.name: path.read_bytes() for path in secret.iterdir()} == before


# made anew of its recording, as for a model of another size


def test_takes_outlive_another_model_size(
    library: VoiceLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    notes = {"consent": "yes", "checks": {"a": 1}, "gain_db": -1.5, "provenance": {"made": "clone"}}
    small = replace(VOICE, **notes).with_take("happy", HAPPY).with_take("low", Take(CODES, "Low."))
    small = small.with_take("timbre", Take(vector=VOICE.vector))
    entry = library.add(small, name="ann", recording=wav())
    wide = Voice(np.ones(6, np.float32), CODES, "What the recording says.", name="ann", model="big")
    kept = library.save_prepared(entry, wide)
    found = loaded(library, "ann")
    for voice in (kept, found):
        assert same(voice.take(None), wide)
        assert {key: getattr(voice, key) for key in notes} == notes
        assert (voice.model, voice.styles) == ("big", ["neutral", "happy", "low"])
        assert same(
            voice.take("happy"), replace(wide, codes=CODES, text="Hooray!", language="english")
        )
        assert same(voice.take("low"), replace(wide, codes=CODES, text="Low."))
    assert [record.getMessage() for record in caplog.records] == [
        "the take `timbre` of a voice is lost: it is of another model size"
    ]


def test_a_broken_voice_file_is_made_anew(
    library: VoiceLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    entry = library.add(VOICE, name="ann", recording=wav())
    (entry.folder / "voice.safetensors").write_bytes(b"no voice")
    library.save_prepared(entry, VOICE)
    assert same(loaded(library, "ann"), VOICE)
    assert "is replaced" in caplog.text


# one file for all


def test_what_the_library_knows_goes_with_the_file(library: VoiceLibrary, tmp_path: Path) -> None:
    voice = replace(VOICE, language=None, provenance={"made": "clone"}).with_take("happy", HAPPY)
    entry = library.add(
        voice, name="Ann", language="german", description="warm", consent="she agrees"
    )
    library.portable(entry).save(tmp_path / "v")
    found = Voice.load(tmp_path / "v")
    assert (found.name, found.language, found.consent) == ("Ann", "german", "she agrees")
    assert found.provenance == {"made": "clone", "description": "warm"}
    assert same(found.take("happy"), replace(voice.take("happy"), name="Ann"))
    other = VoiceLibrary(tmp_path / "others")
    added = other.add(found, name=found.name)
    assert (added.consent, added.language, added.transcript) == ("she agrees", "german", VOICE.text)
    with refused(InvalidVoice, "'bob'", "no model has prepared"):
        library.portable(library.add(None, name="bob", recording=wav()))


def test_a_long_consent(library: VoiceLibrary) -> None:
    words = "I agree that my voice is cloned. " * 40
    assert library.add(VOICE, name="ann", consent=words).consent == words.strip()
    with refused(InvalidVoice, "consent", "2001", "2000"):
        library.add(VOICE, name="bob", consent="x" * 2001)


# where voices are


def test_the_folder_of_voices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("QWEN3_TTS_VOICES_DIR", "TTS_VOICES_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert voices_folder() == tmp_path / ".local" / "share" / "qwen3-tts" / "voices"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert voices_folder() == tmp_path / ".local" / "share" / "qwen3-tts" / "voices"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert voices_folder() == tmp_path / "data" / "qwen3-tts" / "voices"
    monkeypatch.setenv("TTS_VOICES_DIR", "~/theirs")
    assert voices_folder() == tmp_path / "theirs"
    monkeypatch.setenv("QWEN3_TTS_VOICES_DIR", " ")  # as good as none
    assert voices_folder() == tmp_path / "theirs"
    monkeypatch.setenv("QWEN3_TTS_VOICES_DIR", str(tmp_path / "ours"))
    assert voices_folder() == tmp_path / "ours"


def test_the_server_looks_in_the_same_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = pytest.importorskip("qwen3_tts.server.settings")
    for name in ("QWEN3_TTS_VOICES_DIR", "TTS_VOICES_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("HOME", tmp_path / "home"),
        ("XDG_DATA_HOME", tmp_path / "data"),
        ("TTS_VOICES_DIR", tmp_path / "theirs"),
        ("QWEN3_TTS_VOICES_DIR", tmp_path / "ours"),
    ):
        monkeypatch.setenv(name, str(value))
        assert settings.ServerSettings().voices_dir == voices_folder()


def test_samples() -> None:
    assert len(SAMPLES) == 10
    for language, text in SAMPLES.items():
        assert sample_text(language) == text
        assert text.strip() == text
        assert not any(char.isdigit() for char in text)
        assert text.endswith(("?", "？"))
    with refused(InvalidText, "'klingon'", "chinese, english"):
        sample_text("klingon")
