"""From recordings to voices: strangers' content is read within bounds, and encoded off the loop."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from qwen3_tts.audio.files import Wave, write_audio
from qwen3_tts.audio.uploads import Bounds, read_upload
from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.errors import InvalidAudio, InvalidVoice, SpeechError
from qwen3_tts.server.faults import Fault, FaultCode, fault_of
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.voices.cache import Cache
from qwen3_tts.types import Voice
from qwen3_tts.voices.library import VoiceEntry, VoiceLibrary
from qwen3_tts.voices.reading import VOICE_FILE

logger = logging.getLogger(__name__)

SHORTEST_S = 1.0
DECODERS = 2  # recordings decoded at a time; they are encoded one by one, beside the speaking

Stamp = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Recording:
    """What somebody sent, as sound and nothing else."""

    wave: Wave  # [N] mono
    sample_rate: int

    @property
    def duration_s(self) -> float:
        return len(self.wave) / self.sample_rate

    def wav(self) -> bytes:
        """16-bit, at its own rate: what is kept of it."""
        file = BytesIO()
        write_audio(file, self.wave, self.sample_rate, format="wav")
        return file.getvalue()


@dataclass(frozen=True, eq=False)
class Prepared:
    """A voice ready to speak, and the state of the files it came from."""

    voice: Voice
    stamp: Stamp = ()

    @property
    def bytes(self) -> int:
        codes = 0 if self.voice.codes is None else self.voice.codes.nbytes
        text = 4 * len(self.voice.text or "")
        return self.voice.vector.nbytes + codes + text + 1024  # the last for the objects around


class VoiceMaker:
    """Makes voices and keeps the newest used ones. One event loop uses it."""

    def __init__(
        self, library: VoiceLibrary, model: ModelHost, settings: ServerSettings, metrics: Metrics
    ):
        self.library, self.model, self.settings = library, model, settings
        room = settings.voice_cache_mb << 20
        self.cache: Cache[Prepared] = Cache(
            settings.voice_cache_entries, room, lambda kept: kept.bytes
        )
        metrics.watch("tts_voice_cache_bytes", lambda: self.cache.bytes)
        metrics.watch("tts_voice_cache_hits_total", lambda: self.cache.hits)
        metrics.watch("tts_voice_cache_misses_total", lambda: self.cache.misses)
        metrics.watch("tts_voice_cache_evictions_total", lambda: self.cache.evictions)
        self._decoding, self._encoding = asyncio.Semaphore(DECODERS), asyncio.Semaphore(1)

    async def of_entry(self, entry: VoiceEntry) -> Voice:
        """The voice of an entry of the library, as its files are now. Raises `Fault`."""
        stamp = await asyncio.to_thread(stamp_of, self.library, entry)

        async def make() -> Prepared:
            return await self._encode(lambda model: prepare(self.library, entry, model))

        kept = await self.cache.get(entry.id, make, lambda kept: kept.stamp == stamp)
        return kept.voice

    async def of_recording(
        self, content: bytes, transcript: str | None, language: str | None
    ) -> tuple[Voice, Recording]:
        """A voice from what somebody sent; the same content is encoded once. Raises `Fault`."""
        async with self._decoding:
            longest_s = self.settings.max_reference_s
            recording = await asyncio.to_thread(read_recording, content, longest_s)

        def clone(model: Synthesizer) -> Prepared:
            check_cloning(model)
            sound = recording.wave, recording.sample_rate
            return Prepared(model.clone_voice(sound, transcript, language=language, warn=False))

        async def make() -> Prepared:
            return await self._encode(clone)

        told = f"{transcript or ''}\0{language or ''}\0".encode()
        key = f"recording:{hashlib.sha256(told + content).hexdigest()}"
        return (await self.cache.get(key, make)).voice, recording

    async def keep(self, entry: VoiceEntry, voice: Voice) -> None:
        """Remember the voice of an entry that was just made."""
        stamp = await asyncio.to_thread(stamp_of, self.library, entry)
        self.cache.put(entry.id, Prepared(voice, stamp))

    async def _encode(self, make: Callable[[Synthesizer], Prepared]) -> Prepared:
        async with self.model.lease() as model, self._encoding:
            try:
                return await asyncio.to_thread(make, model)
            except SpeechError as error:
                raise fault_of(error) from error


def read_recording(content: bytes, longest_s: float) -> Recording:
    """Decode what was uploaded. Raises `Fault`."""
    try:
        recording = Recording(*read_upload(content, Bounds(longest_s=longest_s)))
    except InvalidAudio as error:
        raise Fault(FaultCode.INVALID_MESSAGE, str(error), "audio") from error
    if recording.duration_s < SHORTEST_S:
        raise Fault(
            FaultCode.INVALID_MESSAGE,
            f"the recording lasts {recording.duration_s:.2f} s, allowed are {SHORTEST_S:g} to "
            f"{longest_s:g} s; 3 to 15 s is best",
            "audio",
        )
    return recording


def check_cloning(model: Synthesizer) -> None:
    """Raises `Fault` where the checkpoint makes no voices from recordings."""
    if model.kind != "base":
        raise Fault(
            FaultCode.INVALID_MESSAGE,
            f"the model that is loaded is a {model.kind} checkpoint, which cannot clone voices; "
            "start the server with a base checkpoint",
        )


def stamp_of(library: VoiceLibrary, entry: VoiceEntry) -> Stamp:
    """Changes when the files of a voice change."""
    recording = library.recording_path(entry)
    return (*_stat(entry.folder / VOICE_FILE), *(_stat(recording) if recording else ()))


def prepare(library: VoiceLibrary, entry: VoiceEntry, model: Synthesizer) -> Prepared:
    """The voice of an entry: its voice file, or else made from its recording and kept beside it.

    Raises `Fault` where neither can be had.
    """
    stamp = stamp_of(library, entry)  # before they are read: what changes meanwhile counts as new
    voice, problem = _from_file(library, entry, model)
    if voice is None:
        voice = _from_recording(library, entry, model, problem)
        stamp = stamp_of(library, entry)  # with the voice file that this has made
    return Prepared(voice, stamp)


def _from_file(
    library: VoiceLibrary, entry: VoiceEntry, model: Synthesizer
) -> tuple[Voice | None, str]:
    """A voice that fits the model, or why there is none."""
    try:
        voice = library.load(entry)
    except InvalidVoice as error:
        logger.warning("voice `%s`: %s", entry.id, error)
        return None, "its voice file cannot be read"
    if voice is None:
        return None, "it has no voice file"
    if len(voice.vector) != model.voice_width:
        made_for = f"its vector has {len(voice.vector)} numbers, this model's {model.voice_width}"
        return None, f"its voice file was made for a model of another size: {made_for}"
    return voice, ""


def _from_recording(
    library: VoiceLibrary, entry: VoiceEntry, model: Synthesizer, problem: str
) -> Voice:
    recording = library.recording_path(entry)
    if recording is None:
        raise _unusable(entry, f"{problem}, and there is no recording to make it anew from")
    logger.info("voice `%s` is made from its recording: %s", entry.id, problem)
    try:
        voice = model.clone_voice(
            recording, entry.transcript, language=entry.language, name=entry.name, warn=False
        )
    except InvalidAudio as error:
        logger.warning("voice `%s`: %s", entry.id, error)  # it names our folders
        raise _unusable(entry, "its recording cannot be read") from error
    try:
        library.save_prepared(entry, voice)
    except (SpeechError, OSError) as error:  # a library that cannot be written to still speaks
        logger.warning("voice `%s` could not be kept prepared: %s", entry.id, error)
    return voice


def _unusable(entry: VoiceEntry, why: str) -> Fault:
    message = f"voice {entry.name!r} cannot be used: {why}; add the voice again"
    return Fault(FaultCode.INVALID_MESSAGE, message, "voice")


def _stat(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
