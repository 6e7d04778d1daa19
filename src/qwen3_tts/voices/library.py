"""A folder of named voices. Any number of threads and processes may read and write it at once.

    <folder>/<id>/{voice.safetensors, reference.wav, transcript.txt, metadata.json}

A voice that was given as a recording gets its voice file when it is first prepared. Folders and a
`manifest.json` made by hand are read too; what is broken is logged and left out.
"""

import json
import os
import time
from pathlib import Path

from qwen3_tts.audio.files import read_audio
from qwen3_tts.errors import InvalidAudio, InvalidVoice, UnknownVoice
from qwen3_tts.types import Voice
from qwen3_tts.voices import writing
from qwen3_tts.voices.listing import Reader
from qwen3_tts.voices.names import clean_name, clean_text, is_id, name_key, new_id
from qwen3_tts.voices.reading import (
    LONGEST_DESCRIPTION,
    LONGEST_TRANSCRIPT,
    LONGEST_WORD,
    MANIFEST,
    METADATA,
    RECORDINGS,
    TRANSCRIPTS,
    VOICE_FILE,
    VoiceEntry,
    inside,
    is_file,
    read_json,
    read_manifest,
    without,
)

__all__ = ["VoiceEntry", "VoiceLibrary"]

SHOWN = 20  # names in an error


class VoiceLibrary:
    """The voices of a folder. It is made when the first one is added; until then it is empty."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._reader = Reader(self.folder)

    def entries(self) -> list[VoiceEntry]:
        """All voices, sorted by name. Raises `InvalidVoice` if the folder cannot be read."""
        return list(self._reader.current().entries)

    def find(self, name: str) -> VoiceEntry:
        """By id, else by name, whatever its case. Raises `UnknownVoice` listing what there is."""
        listing = self._reader.current()
        if isinstance(name, str):
            entry = listing.by_id.get(name) or listing.by_key.get(name_key(name))
            if entry is not None:
                return entry
        names = [entry.name for entry in listing.entries]
        have = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        raise UnknownVoice(f"voice {str(name)!r:.100} is not installed; have: {have or 'none'}")

    def add(
        self,
        voice: Voice | None,
        *,
        name: str,
        recording: bytes | None = None,
        transcript: str | None = None,
        language: str | None = None,
        description: str = "",
        consent: str | None = None,
        owner: str | None = None,
    ) -> VoiceEntry:
        """Install a voice, a recording (a wav file) to make one of, or both.

        Raises `InvalidVoice` for a name that is taken or not allowed, `InvalidAudio` for a
        recording that cannot be read, and `DiskFull`.
        """
        if voice is None and recording is None:
            raise InvalidVoice("a voice needs a recording or a voice file, and has neither")
        if recording is not None:
            _check_recording(recording)
        if voice is not None:
            transcript, language = transcript or voice.text, language or voice.language
        about = {
            "id": new_id(),
            "name": clean_name(name),
            "language": clean_text(language or "", "language", LONGEST_WORD) or None,
            "description": clean_text(description, "description", LONGEST_DESCRIPTION),
            "created_at": time.time(),
            "consent": clean_text(consent or "", "consent", LONGEST_WORD) or None,
            "owner": clean_text(owner or "", "owner", LONGEST_WORD) or None,
        }
        words = clean_text(transcript or "", "transcript", LONGEST_TRANSCRIPT)
        with writing.writing(self.folder):
            self._check_free(str(about["name"]))
            with writing.new_folder(self.folder) as part:
                if voice is not None:
                    voice.save(part / VOICE_FILE)
                if recording is not None:
                    (part / RECORDINGS[0]).write_bytes(recording)
                if words:
                    (part / TRANSCRIPTS[0]).write_text(words, encoding="utf-8")
                _write_json(part / METADATA, about)
                writing.publish(part, self.folder / str(about["id"]))
        return self._found(str(about["id"]))

    def remove(self, voice_id: str) -> None:
        """Raises `UnknownVoice`. A recording that a manifest has elsewhere stays where it is."""
        self._checked(voice_id)
        with writing.writing(self.folder):
            self._reader.forget()
            self._checked(voice_id)  # another process may have been quicker
            if os.path.lexists(self.folder / voice_id):
                writing.remove(self.folder, voice_id)
            root = self.folder.resolve()
            if voice_id in read_manifest(root)[0]:
                with writing.new_folder(self.folder) as part:
                    _write_json(part / MANIFEST, without(read_json(root, MANIFEST), voice_id))
                    writing.publish(part / MANIFEST, root / MANIFEST)
        self._reader.forget()

    def load(self, entry: VoiceEntry) -> Voice | None:
        """The voice, or None where there is only a recording. Raises `InvalidVoice`."""
        path = entry.folder / VOICE_FILE
        return Voice.load(path) if is_file(self.folder.resolve(), path) else None

    def recording_path(self, entry: VoiceEntry) -> Path | None:
        """The recording, if there is one still."""
        path = entry.recording
        return path if path and is_file(self.folder.resolve(), path) else None

    def save_prepared(self, entry: VoiceEntry, voice: Voice) -> None:
        """Keep the voice made of an entry's recording. Raises `UnknownVoice` if that has gone."""
        self._checked(entry.id)
        with writing.writing(self.folder):
            folder = inside(self.folder.resolve(), self._found(entry.id).folder)
            with writing.new_folder(self.folder) as part:
                voice.save(part / VOICE_FILE)
                folder.mkdir(exist_ok=True)  # one that only a manifest tells of has none
                writing.publish(part / VOICE_FILE, folder / VOICE_FILE)
        self._reader.forget()

    def _found(self, voice_id: str) -> VoiceEntry:
        """What is on the disk now."""
        self._reader.forget()
        return self._checked(voice_id)

    def _checked(self, voice_id: str) -> VoiceEntry:
        """The voice of that id; a name will not do."""
        entry = self.find(voice_id)
        if not is_id(voice_id) or entry.id != voice_id:
            raise UnknownVoice(f"{str(voice_id)!r:.100} is no voice's id; {entry.name!r} has one")
        return entry

    def _check_free(self, name: str) -> None:
        self._reader.forget()
        try:
            there = self.find(name)
        except UnknownVoice:
            return
        raise InvalidVoice(f"a voice named {there.name!r} is there already (id {there.id})")


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def _check_recording(recording: bytes) -> None:
    if recording[:4] != b"RIFF" or recording[8:12] != b"WAVE":
        raise InvalidAudio("a voice's recording is kept as a wav file, and this is none")
    read_audio(recording)
