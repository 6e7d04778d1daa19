"""Voices are added, found, loaded and removed, and nothing half-made is ever seen."""

import errno
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.errors import DiskFull, InvalidAudio, InvalidVoice, SpeechError, UnknownVoice
from qwen3_tts.voices.library import VoiceLibrary
from tests.voices.recordings import VOICE, hidden, same, wav


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "deep" / "voices")


def test_a_missing_folder_is_an_empty_library(library: VoiceLibrary) -> None:
    assert library.entries() == []
    with pytest.raises(UnknownVoice, match="have: none"):
        library.find("ann")
    with pytest.raises(UnknownVoice):
        library.remove("ann")
    assert not library.folder.exists()


def test_a_voice_and_all_that_is_said_of_it_comes_back(library: VoiceLibrary) -> None:
    before_s = time.time()
    added = library.add(
        VOICE, name="Änne", recording=wav(), description="warm", consent="c-1", owner="key:1"
    )
    for other in (library, VoiceLibrary(library.folder)):
        (entry,) = other.entries()
        assert entry == added
        assert other.find(entry.id) == other.find("äNNE") == other.find("A\u0308nne") == entry
        assert same(other.load(entry), VOICE)
        path = other.recording_path(entry)
        assert path == entry.folder.resolve() / "reference.wav"
        assert path.read_bytes() == wav()
    assert re.fullmatch("voice_[0-9a-f]{12}", entry.id)
    assert (entry.name, entry.language, entry.description) == ("Änne", "german", "warm")
    assert (entry.consent, entry.owner, entry.transcript) == ("c-1", "key:1", VOICE.text)
    assert (entry.has_voice_file, entry.has_recording) == (True, True)
    assert before_s <= entry.created_at <= time.time()
    assert sorted(path.name for path in entry.folder.iterdir()) == [
        "metadata.json", "reference.wav", "transcript.txt", "voice.safetensors",
    ]  # fmt: skip
    assert hidden(library.folder) == []


def test_a_recording_alone_is_prepared_later(library: VoiceLibrary) -> None:
    entry = library.add(None, name="ann", recording=wav(), transcript=" It says.\n", language="en")
    assert (entry.has_voice_file, entry.transcript, entry.language) == (False, "It says.", "en")
    assert library.load(entry) is None
    other = VoiceLibrary(library.folder)
    assert other.entries() == [entry]
    library.save_prepared(entry, VOICE)
    for each in (library, other):
        assert each.find("ann").has_voice_file
        assert same(each.load(each.find("ann")), VOICE)
    library.remove(entry.id)
    with pytest.raises(UnknownVoice):
        library.save_prepared(entry, VOICE)
    assert [path.name for path in library.folder.iterdir()] == [".lock"]


def test_a_voice_without_a_recording(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="ann")
    assert not entry.has_recording
    assert library.recording_path(entry) is None


def test_voices_are_sorted_and_removed(library: VoiceLibrary) -> None:
    ids = {name: library.add(VOICE, name=name).id for name in ("carl", "Ann", "bob", "Émile")}
    assert [entry.name for entry in library.entries()] == ["Ann", "bob", "carl", "Émile"]
    with pytest.raises(UnknownVoice, match="have: Ann, bob, carl, Émile"):
        library.find("dora")
    with pytest.raises(UnknownVoice):
        library.remove("bob")  # by its id alone
    library.remove(ids["bob"])
    assert [entry.name for entry in library.entries()] == ["Ann", "carl", "Émile"]
    with pytest.raises(UnknownVoice):
        library.remove(ids["bob"])
    assert not (library.folder / ids["bob"]).exists()


@pytest.mark.parametrize("again", ["ann", "ANN", " Ann ", "Ａnn"])
def test_names_are_unique(library: VoiceLibrary, again: str) -> None:
    first = library.add(VOICE, name="Ann")
    with pytest.raises(InvalidVoice, match="'Ann' is there already"):
        library.add(VOICE, name=again)
    with pytest.raises(InvalidVoice, match="already"):
        library.add(VOICE, name=first.id)  # it would hide the other
    assert library.entries() == [first]
    assert hidden(library.folder) == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"voice": None}, InvalidVoice),
        ({"recording": b"RIFF, but nothing more"}, InvalidAudio),
        ({"recording": b"\xff\xfb an mp3"}, InvalidAudio),
        ({"name": ""}, InvalidVoice),
        ({"name": "a\nb\0"}, InvalidVoice),
        ({"transcript": "x" * 10_001}, InvalidVoice),
        ({"transcript": "\ud800"}, InvalidVoice),
        ({"description": "a\0"}, InvalidVoice),
        ({"owner": "x" * 201}, InvalidVoice),
    ],
)
def test_what_is_refused_writes_nothing(
    library: VoiceLibrary, given: dict[str, Any], error: type[SpeechError]
) -> None:
    with pytest.raises(error):
        library.add(**{"voice": VOICE, "name": "ann", **given})
    assert not library.folder.exists()


def test_a_broken_voice_file_is_named(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="ann")
    (entry.folder / "voice.safetensors").write_bytes(b"no voice")
    with pytest.raises(InvalidVoice, match="not a voice file"):
        library.load(entry)


# a disk that refuses


def full(*given: object, **options: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace", "mkdir"])
def test_a_full_disk(library: VoiceLibrary, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = library.add(None, name="ann", recording=wav())
    monkeypatch.setattr(os, step, full)
    with pytest.raises(DiskFull, match="no space"):
        library.add(VOICE, name="bob")
    with pytest.raises(DiskFull):
        library.save_prepared(entry, VOICE)
    monkeypatch.undo()
    assert library.entries() == [entry]
    assert hidden(library.folder) == []


@pytest.mark.parametrize("method", ["write_bytes", "write_text"])
def test_a_disk_that_fills_up(
    library: VoiceLibrary, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`write_bytes` is what writes a voice file, whose error hides that of the system."""
    monkeypatch.setattr(Path, method, full)
    with pytest.raises(DiskFull):
        library.add(VOICE, name="bob")
    monkeypatch.undo()
    assert library.entries() == []
    assert library.add(VOICE, name="bob").name == "bob"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "voices"):
        with pytest.raises(InvalidVoice, match="cannot write"):
            VoiceLibrary(folder).add(VOICE, name="ann")
    with pytest.raises(InvalidVoice, match="cannot read"):
        VoiceLibrary(tmp_path / "file").entries()


# many threads


def test_threads_share_a_library(library: VoiceLibrary) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                entry = library.add(VOICE, name=f"{number} {turn}")
                assert library.find(entry.name) == entry
                if turn % 2:
                    library.remove(entry.id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    wanted = sorted(f"{number} {turn}" for number in range(4) for turn in (0, 2))
    assert [entry.name for entry in library.entries()] == wanted


def test_one_of_many_gets_a_name(library: VoiceLibrary) -> None:
    outcomes: list[str] = []

    def work() -> None:
        try:
            outcomes.append(library.add(VOICE, name="ann").name)
        except InvalidVoice:
            outcomes.append("refused")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ann"] + 5 * ["refused"]


def test_metadata_is_json_that_people_can_read(library: VoiceLibrary) -> None:
    entry = library.add(VOICE, name="Änne")
    content = (entry.folder / "metadata.json").read_text(encoding="utf-8")
    assert "Änne" in content
    assert json.loads(content) == dict(entry.metadata)
