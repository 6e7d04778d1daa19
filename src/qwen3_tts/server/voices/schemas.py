"""Voices as the doors tell them: the wire shapes of our API, OpenAI, vLLM-Omni and ElevenLabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.types import Voice
from qwen3_tts.voices.library import VoiceEntry
from qwen3_tts.voices.names import name_key

ANY_LANGUAGE = "Auto"


@dataclass(frozen=True, eq=False)
class Resolved:
    """Who speaks: the id to tell, what the engine takes, and the voice's own language."""

    id: str
    voice: str | Voice | None
    language: str | None


@dataclass(frozen=True)
class Known:
    """What a checkpoint is; kept while it is unloaded."""

    kind: str
    presets: dict[str, str]  # by `name_key`, as the checkpoint spells them, its default first
    languages: list[str]

    @staticmethod
    def of(model: Synthesizer) -> "Known":
        names = sorted(model.voices, key=lambda name: name != model.default_voice)
        presets = {name_key(name): name for name in names}
        return Known(model.kind, presets, model.languages)


@dataclass(frozen=True)
class ListedVoice:
    """A voice that can speak. `entry` is its place in the library; presets have none."""

    id: str
    name: str
    language: str
    description: str
    is_default: bool
    kind: str  # "preset" or "cloned"
    created_at: float | None = None
    entry: VoiceEntry | None = None
    checks: Mapping[str, Any] | None = None  # what was found of its recording, when it was made

    @staticmethod
    def of(entry: VoiceEntry, default: str | None) -> "ListedVoice":
        """A voice of the library."""
        return ListedVoice(
            id=entry.id,
            name=entry.name,
            language=entry.language or ANY_LANGUAGE,
            description=entry.description,
            is_default=entry.id == default,
            kind="cloned",
            created_at=entry.created_at,
            entry=entry,
        )


@dataclass(frozen=True)
class NewVoice:
    """What a caller gives to make a voice."""

    name: str
    content: bytes
    transcript: str | None = None
    language: str | None = None
    description: str = ""
    consent: str | None = None


class VoiceItem(BaseModel):
    """One voice, with the keys of all the clients there are."""

    id: str
    name: str
    language: str = Field(description="`Auto` where the voice has none of its own")
    description: str
    isDefault: bool
    kind: str = Field(description="`preset` or `cloned`")
    createdAt: float | None = Field(description="seconds since 1970; null for presets")
    hasTranscript: bool = Field(description="whether it was cloned with what the recording says")
    voice_id: str
    category: str = Field(description="`premade` or `cloned`, as ElevenLabs has it")

    @staticmethod
    def of(voice: ListedVoice) -> "VoiceItem":
        return VoiceItem(
            id=voice.id,
            name=voice.name,
            language=voice.language,
            description=voice.description,
            isDefault=voice.is_default,
            kind=voice.kind,
            createdAt=voice.created_at,
            hasTranscript=bool(voice.entry and voice.entry.transcript),
            voice_id=voice.id,
            category="premade" if voice.entry is None else "cloned",
        )


class VoiceList(BaseModel):
    voices: list[VoiceItem]


class UploadedVoice(BaseModel):
    """A cloned voice as vLLM-Omni lists it. What was told about it is for who made it."""

    name: str
    consent: str | None
    created_at: int
    file_size: int
    mime_type: str
    ref_text: str | None = None

    @staticmethod
    def of(entry: VoiceEntry, file_size: int, *, told: bool) -> "UploadedVoice":
        return UploadedVoice(
            name=entry.name,
            consent=entry.consent if told else None,
            created_at=int(entry.created_at),
            file_size=file_size,
            mime_type="audio/wav",
            ref_text=entry.transcript if told else None,
        )


class AudioVoiceList(BaseModel):
    voices: list[VoiceItem] | list[str]
    uploaded_voices: list[UploadedVoice]


class MadeVoice(BaseModel):
    voice: VoiceItem
    checks: dict[str, Any] | None = Field(
        description="what was found of the recording, with advice; the way of cloning and why"
    )

    @staticmethod
    def of(voice: ListedVoice) -> "MadeVoice":
        checks = None if voice.checks is None else dict(voice.checks)
        return MadeVoice(voice=VoiceItem.of(voice), checks=checks)


class MadeAudioVoice(BaseModel):
    """The answers of OpenAI and of vLLM-Omni in one."""

    id: str
    object: str = "audio.voice"
    name: str
    type: str = "audio_sample"
    created_at: int
    success: bool = True
    voice: VoiceItem

    @staticmethod
    def of(voice: ListedVoice) -> "MadeAudioVoice":
        return MadeAudioVoice(
            id=voice.id,
            name=voice.name,
            created_at=int(voice.created_at or 0),
            voice=VoiceItem.of(voice),
        )


class DeletedVoice(BaseModel):
    id: str
    object: str = "audio.voice.deleted"
    deleted: bool = True
    success: bool = True


# The upload is read by hand, with limits, so its form is described by hand too.
_TEXT = {"type": "string"}
UPLOAD_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {**_TEXT, "maxLength": 64},
                        "audio": {
                            **_TEXT,
                            "format": "binary",
                            "description": "1 to 30 s of one speaker: wav, flac, mp3, ogg, m4a, "
                            "webm or aac; also as `file` or `audio_sample`",
                        },
                        "audio_url": {**_TEXT, "description": "instead of `audio`, if allowed"},
                        "transcript": {
                            **_TEXT,
                            "description": "what it says, word by word; also as `ref_text` or "
                            "`text`. With it the voice is closer",
                        },
                        "language": _TEXT,
                        "description": _TEXT,
                        "consent": {**_TEXT, "description": "the speaker's consent, kept as told"},
                    },
                }
            }
        },
    }
}
