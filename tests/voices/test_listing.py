"""Folders and manifests made by hand, what is broken in them, and when they are read again."""

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.errors import UnknownVoice
from qwen3_tts.voices import listing, reading
from qwen3_tts.voices.library import VoiceLibrary
from tests.voices.recordings import VOICE, same, wav


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLibrary:
    """It looks at all files whenever it is asked, so that a change by hand is seen at once."""
    monkeypatch.setattr(listing, "LOOK_SHARE", 0)
    return VoiceLibrary(tmp_path)


def by_hand(folder: Path, **files: Any) -> Path:
    """A folder of files: bytes, texts, or what is to become json; `x__y` is called x.y."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
    return folder


def settle(*paths: Path) -> None:
    """Let the last change be long ago."""
    for path in paths:
        os.utime(path, (time.time() - 60,) * 2)


def test_a_bare_recording(library: VoiceLibrary) -> None:
    folder = by_hand(library.folder / "ann", reference__wav=wav())
    settle(folder)
    (entry,) = library.entries()
    assert (entry.id, entry.name, entry.language, entry.transcript) == ("ann", "ann", None, None)
    assert entry.created_at == pytest.approx(time.time() - 60, abs=30)
    assert library.recording_path(entry) == (folder / "reference.wav").resolve()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("transcript__txt", "\ufeffIt says.\n"),
        ("transcript__json", {"text": "It says."}),
        ("transcript__json", {"transcript": "It says.", "words": []}),
        ("transcript__json", '"It says."'),
        ("metadata__json", {"transcript": "It says."}),
        ("manifest__json", {"reference_text": "It says."}),
    ],
)
def test_where_a_transcript_may_be(library: VoiceLibrary, file: str, content: Any) -> None:
    by_hand(library.folder / "ann", reference__wav=wav(), **{file: content})
    assert library.find("ann").transcript == "It says."


def test_metadata_by_hand(library: VoiceLibrary) -> None:
    about = {"name": "Makima", "language": "English", "description": "calm", "style": ["low"]}
    about["created_at"] = "2026-01-02T03:04:05Z"
    by_hand(library.folder / "makima", reference__flac=b"", metadata__json=about)
    entry = library.find("MAKIMA")
    assert (entry.id, entry.name, entry.language) == ("makima", "Makima", "English")
    assert entry.created_at == 1767323045
    assert entry.metadata["style"] == ["low"]
    assert not entry.has_voice_file


ITEM = {"name": "Ann", "reference_audio": "sounds/ann.wav", "reference_text": "It says."}


@pytest.mark.parametrize(
    "manifest",
    [
        {"version": 2, "voices": [{"id": "ann", **ITEM}, {"id": "gone", "reference_audio": "x"}]},
        {"voices": {"ann": ITEM}},
        {"ann": ITEM},
        [{"id": "ann", **ITEM}],
        {"id": "ann", **ITEM},
        [{**ITEM, "name": "ann"}],
    ],
)
def test_a_manifest_of_the_library(library: VoiceLibrary, manifest: Any) -> None:
    by_hand(library.folder, manifest__json=manifest)
    by_hand(library.folder / "sounds", ann__wav=wav())
    by_hand(library.folder / "bob", reference__wav=wav())
    assert [entry.id for entry in library.entries()] == ["ann", "bob"]
    entry = library.find("Ann")
    assert entry.transcript == "It says."
    path = library.recording_path(entry)
    assert path is not None
    assert path.read_bytes() == wav()
    library.save_prepared(entry, VOICE)
    assert same(library.load(library.find("ann")), VOICE)
    library.remove("ann")
    assert [entry.id for entry in library.entries()] == ["bob"]
    assert path.exists()
    left = reading.read_json(library.folder, "manifest.json")
    if isinstance(manifest, dict) and "version" in manifest:
        assert left == {"version": 2, "voices": [{"id": "gone", "reference_audio": "x"}]}


def test_a_manifest_inside_a_folder(library: VoiceLibrary) -> None:
    manifest = {"name": "Ann", "reference_audio": "it.wav", "language": "en"}
    by_hand(library.folder / "v1", it__wav=wav(), manifest__json=manifest)
    assert library.find("ann").id == "v1"
    by_hand(library.folder / "v1", metadata__json={"name": "Anna"})
    assert (library.find("anna").name, library.find("v1").language) == ("Anna", "en")


BROKEN: dict[str, dict[str, Any]] = {
    "empty": {},
    "words": {"metadata__json": "{"},
    "deep": {"metadata__json": "[" * 100_000},
    "list": {"metadata__json": []},
    "latin": {"metadata__json": b'{"name": "\xe4"}'},
    "name": {"metadata__json": {"name": "a\u202eb"}},
    "number": {"metadata__json": {"name": 3}},
    "time": {"metadata__json": {"created_at": "yesterday"}},
    "nan": {"metadata__json": '{"created_at": NaN}'},
    "long": {"transcript__txt": "x" * 10_001},
    "path": {"metadata__json": {"reference_audio": "nowhere.wav"}},
    "paths": {"metadata__json": {"reference_audio": ["reference.wav"]}},
}


def test_what_is_broken_is_logged_once_and_left_out(
    library: VoiceLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    for name, files in BROKEN.items():
        recording = {} if name == "empty" else {"reference__wav": wav()}
        by_hand(library.folder / name, **recording, **files)
    by_hand(library.folder / "no id", reference__wav=wav())
    by_hand(library.folder / "good", reference__wav=wav())
    by_hand(library.folder, manifest__json=[{"id": "../up"}, "x", {"id": "good"}, {"id": "good"}])
    os.symlink("ring", library.folder / "ring")
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        assert [entry.id for entry in library.entries()] == ["good"]
    for name in (*BROKEN, "no id", "../up", "twice"):
        assert sum(f"{name}" in record.getMessage() for record in caplog.records) >= 1, name
    assert len(caplog.records) == len(BROKEN) + 4
    by_hand(library.folder / "words", metadata__json={"name": "mended"})
    assert library.find("mended").id == "words"


def test_equal_names_by_hand(library: VoiceLibrary) -> None:
    for voice_id in ("a", "b"):
        about = {"name": "Twin"}
        by_hand(library.folder / voice_id, reference__wav=wav(), metadata__json=about)
    by_hand(library.folder / "twin", reference__wav=wav(), metadata__json={"name": "c"})
    assert [entry.id for entry in library.entries()] == ["twin", "a", "b"]
    assert library.find("Twin").id == "twin"  # an id goes before a name
    shutil.rmtree(library.folder / "twin")
    assert library.find("twin").id == "a"


def test_changes_are_seen(library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LOOK_SHARE", 10**9)  # as if nobody ever looked inside
    folder = by_hand(library.folder / "ann", reference__wav=wav())
    settle(library.folder)
    assert [entry.id for entry in library.entries()] == ["ann"]
    by_hand(library.folder / "bob", reference__wav=wav())
    assert [entry.id for entry in library.entries()] == ["ann", "bob"]
    shutil.rmtree(library.folder / "bob")
    assert [entry.id for entry in library.entries()] == ["ann"]
    monkeypatch.setattr(listing, "LOOK_SHARE", 0)
    settle(library.folder)
    library.entries()
    by_hand(folder, metadata__json={"name": "Anna"})
    assert library.find("anna").id == "ann"
    (folder / "metadata.json").unlink()
    with pytest.raises(UnknownVoice):
        library.find("anna")


def test_a_thousand_voices(library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not changed is not opened again, and mostly not looked at."""
    monkeypatch.setattr(listing, "LOOK_SHARE", 20)
    for number in range(1000):
        about = {"name": f"voice number {number}"}
        by_hand(library.folder / f"v{number}", reference__wav=b"", metadata__json=about)
    settle(library.folder)
    assert len(library.entries()) == 1000
    opened = []
    read_entry = reading.read_entry
    monkeypatch.setattr(
        listing, "read_entry", lambda *given: opened.append(given[1]) or read_entry(*given)
    )
    by_hand(library.folder / "new", reference__wav=b"")
    assert len(library.entries()) == 1001
    assert opened == ["new"]
    settle(library.folder)
    library.entries()
    looks = []
    look = library._reader._look
    monkeypatch.setattr(library._reader, "_look", lambda: looks.append(1) or look())
    end_s = time.monotonic() + 0.05
    times = 0
    while time.monotonic() < end_s:
        library.find(f"voice number {times % 1000}")
        times += 1
    assert times > 100  # a look at all files takes some 10 ms, so 5 finds if each did it
    assert len(looks) <= 1
