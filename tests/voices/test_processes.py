"""Processes that share a library, and one that dies while it writes."""

import multiprocessing
import os
import time
from pathlib import Path

from qwen3_tts.types import Take, Voice
from qwen3_tts.voices import writing
from qwen3_tts.voices.library import VoiceLibrary
from tests.voices.recordings import VOICE, hidden, same, wav

spawn = multiprocessing.get_context("spawn")
PATIENCE_S = 60.0  # a process takes a second to start, more on a loaded machine


def add_ten(folder: str, who: str) -> None:
    library = VoiceLibrary(Path(folder))
    for number in range(10):
        library.add(VOICE, name=f"{who} {number}", recording=wav())


def read_until(folder: str, wanted: int) -> None:
    """Everything that is ever seen is whole."""
    library, end_s = VoiceLibrary(Path(folder)), time.monotonic() + PATIENCE_S
    most = 0
    while most < wanted:
        assert time.monotonic() < end_s
        entries = library.entries()
        assert len(entries) >= most
        most = len(entries)
        for entry in entries:
            assert (entry.has_voice_file, entry.has_recording) == (True, True)
            assert entry.transcript == VOICE.text
            assert same(library.load(entry), VOICE)


def die_before_renaming(folder: str) -> None:
    writing.os = _DyingOs()  # type: ignore[assignment]
    VoiceLibrary(Path(folder)).add(VOICE, name="never", recording=wav())


def add_takes(folder: str, voice_id: str, who: str) -> None:
    library = VoiceLibrary(Path(folder))
    for number in range(10):
        library.add_take(voice_id, f"{who} {number}", Take(vector=VOICE.vector))
        library.rename(voice_id, f"{who} {number}")


def read_takes(folder: str, voice_id: str, wanted: int) -> None:
    """No take is ever lost, and no half-written file is ever seen."""
    library, end_s = VoiceLibrary(Path(folder)), time.monotonic() + PATIENCE_S
    most = 0
    while most < wanted:
        assert time.monotonic() < end_s
        voice = library.load(library.find(voice_id))
        assert voice is not None
        assert len(voice.takes) >= most
        most = len(voice.takes)


def die_adding_a_take(folder: str, voice_id: str) -> None:
    writing.os = _DyingOs()  # type: ignore[assignment]
    VoiceLibrary(Path(folder)).add_take(voice_id, "never", Take(vector=VOICE.vector))


class _DyingOs:
    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def replace(self, source: object, target: object) -> None:
        os._exit(9)


def run(*jobs: tuple[object, ...]) -> list[int | None]:
    processes = [spawn.Process(target=job, args=arguments) for job, *arguments in jobs]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    return [process.exitcode for process in processes]


def test_two_writers_and_a_reader(tmp_path: Path) -> None:
    folder, library = str(tmp_path / "voices"), VoiceLibrary(tmp_path / "voices")
    assert library.entries() == []
    assert run((add_ten, folder, "one"), (add_ten, folder, "two"), (read_until, folder, 20)) == [
        0,
        0,
        0,
    ]
    names = {f"{who} {number}" for who in ("one", "two") for number in range(10)}
    assert {entry.name for entry in library.entries()} == names
    assert hidden(library.folder) == []


def test_a_crash_before_the_name_is_given(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    kept = library.add(VOICE, name="kept")
    assert run((die_before_renaming, str(tmp_path))) == [9]
    (left,) = hidden(tmp_path)
    assert isinstance(Voice.load(tmp_path / left / "voice.safetensors"), Voice)  # all but its name
    assert library.entries() == VoiceLibrary(tmp_path).entries() == [kept]
    library.add(VOICE, name="never")
    assert hidden(tmp_path) == []
    assert [entry.name for entry in library.entries()] == ["kept", "never"]


def test_two_writers_of_one_voice_and_a_reader(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    entry = library.add(VOICE, name="ann", recording=wav())
    jobs = [(add_takes, str(tmp_path), entry.id, who) for who in ("one", "two")]
    assert run(*jobs, (read_takes, str(tmp_path), entry.id, 20)) == [0, 0, 0]
    voice = library.load(library.find(entry.id))
    assert voice is not None
    assert set(voice.takes) == {f"{who} {number}" for who in ("one", "two") for number in range(10)}
    assert library.find(entry.id).name in ("one 9", "two 9")
    assert hidden(tmp_path) == []


def test_a_crash_before_a_take_is_there(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    entry = library.add(VOICE, name="ann")
    assert run((die_adding_a_take, str(tmp_path), entry.id)) == [9]
    assert same(library.load(library.find("ann")), VOICE)
    assert len(hidden(tmp_path)) == 1
    library.add_take(entry.id, "happy", Take(vector=VOICE.vector))
    assert hidden(tmp_path) == []
