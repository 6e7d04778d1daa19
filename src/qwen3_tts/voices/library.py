"""A folder of named voices. Any number of threads and processes may read and write it at once.

    <folder>/<id>/{voice.safetensors, reference.wav, transcript.txt, metadata.json}

A voice that was given as a recording gets its voice file when it is first prepared. Folders and a
`manifest.json` made by hand are read too; what is broken is logged and left out.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from qwen3_tts.audio.files import read_audio
from qwen3_tts.errors import InvalidAudio, InvalidVoice, UnknownVoice
from qwen3_tts.types import Take, Voice
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

logger = logging.getLogger(__name__)

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
            consent = consent or voice.consent
        about = {
            "id": new_id(),
            "name": clean_name(name),
            "language": clean_text(language or "", "language", LONGEST_WORD) or None,
            "description": clean_text(description, "description", LONGEST_DESCRIPTION),
            "created_at": time.time(),
            "consent": clean_text(consent or "", "consent", LONGEST_DESCRIPTION) or None,
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

    def rename(self, voice_id: str, name: str) -> VoiceEntry:
        """Give a voice another name; its id stays.

        Raises `UnknownVoice`, `InvalidVoice` for a name that is taken or not allowed, and
        `DiskFull`.
        """
        cleaned = clean_name(name)
        self._checked(voice_id)
        with writing.writing(self.folder):
            entry, root = self._found(voice_id), self.folder.resolve()
            self._check_free(cleaned, but=entry)
            about = read_json(root, f"{voice_id}/{METADATA}") or {}
            folder = inside(root, entry.folder)
            with writing.new_folder(self.folder) as part:
                _write_json(part / METADATA, {**about, "name": cleaned})
                folder.mkdir(exist_ok=True)  # one that only a manifest tells of has none
                writing.publish(part / METADATA, folder / METADATA)
        return self._found(voice_id)

    def add_take(self, voice_id: str, style: str, take: Take) -> Voice:
        """Give a voice one more reference; gives the voice as it is then.

        Raises `UnknownVoice`, `InvalidVoice` where it has a take of this style, is of another
        model size or is not yet prepared, and `DiskFull`.
        """
        return self._change(voice_id, lambda voice: voice.with_take(style, take))

    def remove_take(self, voice_id: str, style: str) -> Voice:
        """Take a reference away again. Raises `UnknownVoice`, also for a style it does not have."""
        return self._change(voice_id, lambda voice: voice.without_take(style))

    def load(self, entry: VoiceEntry) -> Voice | None:
        """The voice, or None where there is only a recording. Raises `InvalidVoice`."""
        path = entry.folder / VOICE_FILE
        return Voice.load(path) if is_file(self.folder.resolve(), path) else None

    def recording_path(self, entry: VoiceEntry) -> Path | None:
        """The recording, if there is one still."""
        path = entry.recording
        return path if path and is_file(self.folder.resolve(), path) else None

    def portable(self, entry: VoiceEntry) -> Voice:
        """The voice with all that the library knows of it, to be saved as one file.

        Raises `InvalidVoice` where there is only a recording.
        """
        voice = self._prepared(entry)
        provenance = dict(voice.provenance or {})
        if entry.description:
            provenance["description"] = entry.description
        return replace(
            voice,
            name=entry.name,
            language=voice.language or entry.language,
            consent=voice.consent or entry.consent,
            provenance=provenance or None,
        )

    def save_prepared(self, entry: VoiceEntry, voice: Voice) -> Voice:
        """Keep the voice made of an entry's recording; gives what is kept.

        If there was a voice file already, its takes and what was noted in it are kept, too. Raises
        `UnknownVoice` if the entry has gone.
        """
        self._checked(entry.id)
        with writing.writing(self.folder):
            found = self._found(entry.id)
            try:
                voice = made_anew(self.load(found), voice)
            except InvalidVoice as error:
                logger.warning("voice `%s` is replaced: %s", entry.id, error)
            self._write_voice(found, voice)
        self._reader.forget()
        return voice

    def _change(self, voice_id: str, change: Callable[[Voice], Voice]) -> Voice:
        """Write the voice file anew. No other writer comes between the reading and the writing."""
        self._checked(voice_id)
        with writing.writing(self.folder):
            entry = self._found(voice_id)
            voice = change(self._prepared(entry))
            self._write_voice(entry, voice)
        self._reader.forget()
        return voice

    def _prepared(self, entry: VoiceEntry) -> Voice:
        voice = self.load(entry)
        if voice is None:
            raise InvalidVoice(
                f"voice {entry.name!r} is a recording that no model has prepared yet; "
                "speak in it once, or add it again"
            )
        return voice

    def _write_voice(self, entry: VoiceEntry, voice: Voice) -> None:
        """As the only writer."""
        folder = inside(self.folder.resolve(), entry.folder)
        with writing.new_folder(self.folder) as part:
            voice.save(part / VOICE_FILE)
            folder.mkdir(exist_ok=True)  # one that only a manifest tells of has none
            writing.publish(part / VOICE_FILE, folder / VOICE_FILE)

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

    def _check_free(self, name: str, but: VoiceEntry | None = None) -> None:
        self._reader.forget()
        key = name_key(name)
        for there in self._reader.current().entries:
            if key in (name_key(there.name), name_key(there.id)) and there.id != (but and but.id):
                raise InvalidVoice(f"a voice named {there.name!r} is there already (id {there.id})")


def made_anew(old: Voice | None, new: Voice) -> Voice:
    """The new voice with what only the old one knows: its takes, and what was noted of it.

    The old one may be of another model size. The codes of its takes are good for every size, the
    vectors are not: a take in context goes on with the new voice's own, one without is dropped.
    """
    if old is None:
        return new
    takes = {}
    for style, take in old.takes.items():
        if take.vector is None or len(take.vector) == len(new.vector):
            takes[style] = take
        elif take.codes is not None:
            takes[style] = replace(take, vector=None)
        else:
            logger.warning("the take `%s` of a voice is lost: it is of another model size", style)
    return replace(
        new,
        takes={**takes, **new.takes},
        gain_db=old.gain_db if new.gain_db is None else new.gain_db,
        checks=old.checks if new.checks is None else new.checks,
        consent=old.consent if new.consent is None else new.consent,
        provenance=old.provenance if new.provenance is None else new.provenance,
    )


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def _check_recording(recording: bytes) -> None:
    if recording[:4] != b"RIFF" or recording[8:12] != b"WAVE":
        raise InvalidAudio("a voice's recording is kept as a wav file, and this is none")
    read_audio(recording)
