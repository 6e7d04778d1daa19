"""No name, id, path or link leads out of the library's folder."""

import json
import os
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidVoice, UnknownVoice
from qwen3_tts.types import Voice
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.names import clean_name, is_id, name_key
from tests.voices.recordings import VOICE, wav

PIECES = ["..", ".", "", "/", "ann", "secret", "\\", "\0", "~", "C:", "\ud800", "etc", "x" * 300]
paths = st.lists(st.sampled_from(PIECES), max_size=6).map("/".join) | st.text(max_size=20)


def outside(folder: Path) -> VoiceLibrary:
    """A library with one voice, beside what nobody may reach."""
    library = VoiceLibrary(folder / "voices")
    for place in (folder / "secret", library.folder / "ann"):
        place.mkdir(parents=True)
        (place / "reference.wav").write_bytes(wav())
        VOICE.save(place / "voice.safetensors")
    return library


def untouched(folder: Path) -> bool:
    names = sorted(path.name for path in folder.iterdir())
    secret = sorted(path.name for path in (folder / "secret").iterdir())
    return names == ["secret", "voices"] and secret == ["reference.wav", "voice.safetensors"]


@given(st.text() | paths)
def test_names(name: str) -> None:
    try:
        cleaned = clean_name(name)
    except InvalidVoice:
        return
    assert clean_name(cleaned) == cleaned == unicodedata.normalize("NFC", cleaned)
    assert 1 <= len(cleaned) <= 64
    assert cleaned.strip() == cleaned
    assert cleaned.encode()
    assert not {unicodedata.bidirectional(char) for char in cleaned} & {"LRE", "RLO", "LRI", "B"}
    assert name_key(cleaned) == name_key(cleaned.upper()) or cleaned.upper().lower() != cleaned


@pytest.mark.parametrize(
    "name", ["Ann", "渡辺 真知子", "Nguyễn", "می‌خواهم", "👩‍🎤", "O'Neil", "..", "a/b"]
)
def test_names_of_people_are_allowed(name: str, tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    added = library.add(VOICE, name=name)
    assert library.find(name) == added


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u200d",
        "\u0301",
        "a\0",
        "a\x1b[0m",
        "a\u202eb",
        "\ud800",
        "x" * 65,
        "\ufeffa",
        None,
        3,
    ],
)
def test_names_that_deceive_are_not(name: str) -> None:
    with pytest.raises(InvalidVoice):
        clean_name(name)


@given(paths)
def test_no_id_reaches_out(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = outside(Path(folder))
        if text != "ann":
            with pytest.raises(UnknownVoice):
                library.remove(text)
        with pytest.raises(UnknownVoice):
            library.find(f"../{text}")
        assert untouched(Path(folder))
    assert is_id(text) == (
        0 < len(text) <= 64
        and set(text) <= set(map(chr, range(128)))
        and all(c.isalnum() or c in "_-" for c in text)
    )


@given(paths, st.booleans())
def test_no_manifest_reaches_out(path: str, inner: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = outside(Path(folder))
        about = {"id": "ann", "reference_audio": path}
        place = library.folder / "ann" if inner else library.folder
        (place / "manifest.json").write_text(json.dumps(about))
        for entry in library.entries():
            found = library.recording_path(entry)
            assert found is not None
            assert found == (library.folder / "ann" / "reference.wav").resolve()
        (library.folder / "manifest.json").write_text(json.dumps([{"id": path}, {"name": path}]))
        again = VoiceLibrary(library.folder)
        assert {entry.id for entry in again.entries()} <= {"ann"}
        assert untouched(Path(folder))


@pytest.mark.parametrize(
    "path",
    [
        "../secret/reference.wav",
        "{folder}/secret/reference.wav",
        "ann/../../secret/reference.wav",
        "link/reference.wav",
        "link.wav",
    ],
)
def test_known_ways_out(path: str, tmp_path: Path) -> None:
    library = outside(tmp_path)
    (library.folder / "link").symlink_to(tmp_path / "secret")
    (library.folder / "link.wav").symlink_to(tmp_path / "secret" / "reference.wav")
    about = {"id": "bob", "reference_audio": path.format(folder=tmp_path)}
    (library.folder / "manifest.json").write_text(json.dumps([about]))
    assert [entry.id for entry in library.entries()] == ["ann"]


@pytest.mark.parametrize(
    "name",
    [
        "reference.wav",
        "voice.safetensors",
        "metadata.json",
        "manifest.json",
        "transcript.txt",
        "transcript.json",
    ],
)
def test_links_of_files(name: str, tmp_path: Path) -> None:
    library = outside(tmp_path)
    (tmp_path / "secret" / "metadata.json").write_text("{}")
    link = library.folder / "ann" / name
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "secret" / ("metadata.json" if name.endswith("n") else name))
    assert library.entries() == []


def test_links_of_folders(tmp_path: Path) -> None:
    library = outside(tmp_path)
    (library.folder / "out").symlink_to(tmp_path / "secret")
    (library.folder / "in").symlink_to(library.folder / "ann")
    assert [entry.id for entry in library.entries()] == ["ann", "in"]
    library.remove("in")
    assert [entry.id for entry in library.entries()] == ["ann"]
    assert untouched(tmp_path)


@pytest.mark.parametrize("name", ["reference.wav", "voice.safetensors"])
def test_a_link_that_came_after_the_listing(name: str, tmp_path: Path) -> None:
    library = outside(tmp_path)
    (entry,) = library.entries()
    (entry.folder / name).unlink()
    (entry.folder / name).symlink_to(tmp_path / "secret" / name)
    with pytest.raises(InvalidVoice, match="leads out"):
        library.recording_path(entry) if name == "reference.wav" else library.load(entry)


def test_a_library_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    library = VoiceLibrary(tmp_path / "link")
    entry = library.add(None, name="ann", recording=wav())
    library.save_prepared(entry, VOICE)
    assert isinstance(library.load(library.find("ann")), Voice)
    library.remove(entry.id)
    assert os.listdir(tmp_path / "real") == [".lock"]
