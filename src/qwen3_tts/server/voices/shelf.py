"""Voices by name: the presets of the checkpoint, those of the library, and the names OpenAI uses.

A base checkpoint speaks in the library's voices, a custom_voice checkpoint in its presets, and a
voice_design checkpoint in none: there a voice is described. A voice of the library is prepared on
first use, once however many ask, and kept while there is room.
"""

import asyncio
import contextlib
import logging
from dataclasses import replace

from qwen3_tts.errors import DiskFull, InvalidVoice, UnknownVoice
from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import HIDDEN, Fault, FaultCode
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.voices.cache import Cache
from qwen3_tts.server.voices.recordings import Prepared, Recording, VoiceMaker, check_cloning
from qwen3_tts.server.voices.schemas import ANY_LANGUAGE, Known, ListedVoice, NewVoice, Resolved
from qwen3_tts.types import Voice
from qwen3_tts.voices.library import VoiceEntry, VoiceLibrary
from qwen3_tts.voices.names import name_key

logger = logging.getLogger(__name__)

OPENAI_NAMES = tuple(
    "alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar".split()
)
FAVOURITE = "makima"  # the default voice of the WebSocket contract, where there is one
CLONES, DESIGNS = "base", "voice_design"  # kinds of checkpoints
DESIGNED = "designed"  # the id under which a voice_design checkpoint speaks
NAMED = 20  # voices an error lists
PREVIEWS, PREVIEW_BYTES = 64, 32 << 20


UNSEEN = Known(CLONES, {}, [])


class VoiceShelf:
    """All voices of a server. One event loop uses it."""

    def __init__(
        self, library: VoiceLibrary, model: ModelHost, settings: ServerSettings, metrics: Metrics
    ):
        self.library, self.model, self.settings = library, model, settings
        self.maker = VoiceMaker(library, model, settings, metrics)
        self.previews: Cache[bytes] = Cache(PREVIEWS, PREVIEW_BYTES, len)
        self._known = UNSEEN
        self._writing = asyncio.Lock()
        self._pinned = {name_key(name): to for name, to in settings.openai_voices.items()}

    @property
    def cache(self) -> Cache[Prepared]:
        """The voices that are ready, with its counters."""
        return self.maker.cache

    async def learn(self) -> None:
        """Wait until it is known what the checkpoint speaks in. Raises `Fault` MODEL_LOADING."""
        if self._known is UNSEEN:
            self._known = Known.of(await self.model.get())

    async def resolve(self, name: str | None) -> Resolved:
        """The voice of this name or id; None or "" is the default. Raises `Fault`."""
        await self.learn()
        found = await asyncio.to_thread(self._choose, name)
        if isinstance(found, Resolved):
            return found
        voice = await self.maker.of_entry(found)
        return Resolved(found.id, voice, voice.language or found.language)

    async def identify(self, name: str | None) -> str:
        """The id `resolve` would give, without preparing the voice. Raises `Fault`."""
        await self.learn()
        return (await asyncio.to_thread(self._choose, name)).id

    def listing(self) -> list[ListedVoice]:
        """What the checkpoint speaks in, as far as that is known. Reads the library's folder."""
        default = self._default_id()
        listed = [self._preset(name, default) for name in self._known.presets.values()]
        return listed + [ListedVoice.of(entry, default) for entry in self._speaking()]

    def find(self, name: str) -> ListedVoice:
        """A voice by id or name, also one of the library this checkpoint cannot speak in."""
        default = self._default_id()
        if (preset := self._known.presets.get(name_key(name))) is not None:
            return self._preset(preset, default)
        if (entry := self._installed(name)) is not None:
            return ListedVoice.of(entry, default)
        raise self._unknown(name)

    async def clone(
        self, content: bytes, transcript: str | None = None, language: str | None = None
    ) -> Voice:
        """A voice from a recording that came with a request; it is not kept. Raises `Fault`."""
        check_cloning(await self.model.get())
        voice, _ = await self.maker.of_recording(content, transcript, language)
        return voice

    async def add(self, new: NewVoice, owner: Principal) -> ListedVoice:
        """Make a voice and keep it. Raises `Fault`."""
        await self.learn()
        await asyncio.to_thread(self.check_room, new.name, owner)
        told = new.content, new.transcript, new.language
        voice, recording = await self.maker.of_recording(*told)
        voice = replace(voice, name=new.name)
        async with self._writing:
            await asyncio.to_thread(self.check_room, new.name, owner)
            entry = await asyncio.to_thread(self._write, new, voice, recording, owner)
        await self.maker.keep(entry, voice)
        consent = "given" if new.consent else "not given"
        logger.info("voice `%s` was made by `%s`, consent %s", entry.id, owner.id, consent)
        listed = await asyncio.to_thread(self.find, entry.id)
        return replace(listed, checks=voice.checks)

    async def remove(self, name: str, caller: Principal) -> str:
        """Delete a voice of the library; gives its id. Raises `Fault`."""
        await self.learn()
        voice = await asyncio.to_thread(self.find, name)
        if voice.entry is None:
            message = f"voice {voice.name!r} belongs to the model and cannot be deleted"
            raise Fault(FaultCode.FORBIDDEN, message, "voice")
        if not self.may_manage(caller, voice.entry):
            message = f"voice {voice.name!r} was not made by you and cannot be deleted by you"
            raise Fault(FaultCode.FORBIDDEN, message, "voice")
        try:
            with contextlib.suppress(UnknownVoice):  # another process was faster
                await asyncio.to_thread(self.library.remove, voice.id)
        except (InvalidVoice, DiskFull) as error:
            raise _unwritable(error) from error
        self.cache.drop(voice.id)
        logger.info("voice `%s` was deleted by `%s`", voice.id, caller.id)
        return voice.id

    def may_manage(self, caller: Principal, entry: VoiceEntry) -> bool:
        """Whether the caller may delete this voice and see what was told about it.

        Where no keys are set, that is everybody. Where there are, it is who made the voice; one
        installed by hand was made by none of them.
        """
        return not self.settings.needs_key or (caller.authenticated and entry.owner == caller.id)

    def check_room(self, name: str, owner: Principal) -> None:
        """Raises `Fault` where a voice of this name may not be made."""
        entries, plain = self._entries(), name_key(name)
        if plain in self._known.presets or plain in OPENAI_NAMES or plain in self._pinned:
            raise Fault(
                FaultCode.CONFLICT, f"{_short(name)} is the name of a built-in voice", "name"
            )
        if self._installed(name) is not None:
            raise self._taken(name)
        most, each = self.settings.max_voices, self.settings.max_voices_per_owner
        if len(entries) >= most:
            message = f"the server holds {len(entries)} voices, allowed are {most}; delete one"
            raise Fault(FaultCode.FORBIDDEN, message)
        own = sum(entry.owner == owner.id for entry in entries)
        if owner.authenticated and own >= each:  # callers without a key cannot be told apart
            raise Fault(
                FaultCode.FORBIDDEN, f"you have {own} voices, allowed are {each}; delete one"
            )

    def _write(
        self, new: NewVoice, voice: Voice, recording: Recording, owner: Principal
    ) -> VoiceEntry:
        try:
            return self.library.add(
                voice,
                name=new.name,
                recording=recording.wav(),
                transcript=new.transcript,
                language=new.language,
                description=new.description,
                consent=new.consent,
                owner=owner.id,
            )
        except (InvalidVoice, DiskFull) as error:
            if isinstance(error, InvalidVoice) and self._installed(new.name) is not None:
                raise self._taken(new.name) from error  # another process was faster
            raise _unwritable(error) from error

    def _choose(self, name: str | None) -> Resolved | VoiceEntry:
        if name is None or not name.strip():
            return self._default()
        try:
            return self._named(name)
        except Fault:
            if not self.settings.voice_fallback:
                raise
            return self._default()

    def _named(self, name: str) -> Resolved | VoiceEntry:
        name = self._pinned.get(name_key(name), name)
        if (preset := self._known.presets.get(name_key(name))) is not None:
            return Resolved(preset, preset, None)
        if (entry := self._installed(name)) is not None:
            return self._speakable(entry)
        if name_key(name) in OPENAI_NAMES:
            return self._stand_in(OPENAI_NAMES.index(name_key(name)))
        raise self._unknown(name)

    def _stand_in(self, index: int) -> Resolved | VoiceEntry:
        """Who speaks under the index-th of OpenAI's names: all voices take turns."""
        if self._known.kind == DESIGNS:
            return Resolved(DESIGNED, None, None)
        candidates = self._candidates()
        return candidates[index % len(candidates)]

    def _default(self) -> Resolved | VoiceEntry:
        if self._known.kind == DESIGNS:
            return Resolved(DESIGNED, None, None)
        if self.settings.default_voice is not None:
            return self._named(self.settings.default_voice)
        candidates = self._candidates()
        return next((c for c in candidates if name_key(_name(c)) == FAVOURITE), candidates[0])

    def _candidates(self) -> list[Resolved | VoiceEntry]:
        """The presets, then the library's voices, oldest first: an upload does not move others."""
        presets = [Resolved(name, name, None) for name in self._known.presets.values()]
        entries = sorted(self._speaking(), key=lambda entry: (entry.created_at, entry.id))
        if not presets and not entries:
            raise Fault(
                FaultCode.VOICE_NOT_FOUND,
                "this server has no voice yet: add one with POST /api/v1/voices, a recording of "
                "3 to 15 s with what it says",
                "voice",
            )
        return [*presets, *entries]

    def _default_id(self) -> str | None:
        try:
            return self._default().id
        except Fault:
            return None

    def _speaking(self) -> list[VoiceEntry]:
        return self._entries() if self._known.kind == CLONES else []

    def _speakable(self, entry: VoiceEntry) -> VoiceEntry:
        if self._known.kind == CLONES:
            return entry
        raise Fault(
            FaultCode.INVALID_MESSAGE,
            f"voice {entry.name!r} is a cloned one, which a {self._known.kind} checkpoint cannot "
            f"speak in; {self._have()}",
            "voice",
        )

    def _entries(self) -> list[VoiceEntry]:
        try:
            return self.library.entries()
        except InvalidVoice as error:
            raise _unreadable(error) from error

    def _installed(self, name: str) -> VoiceEntry | None:
        try:
            return self.library.find(name)
        except UnknownVoice:
            return None
        except InvalidVoice as error:
            raise _unreadable(error) from error

    def _taken(self, name: str) -> Fault:
        return Fault(FaultCode.CONFLICT, f"there is a voice {_short(name)} already", "name")

    def _unknown(self, name: str) -> Fault:
        message = f"there is no voice {_short(name)}; {self._have()}"
        return Fault(FaultCode.VOICE_NOT_FOUND, message, "voice")

    def _have(self) -> str:
        names = [*self._known.presets.values(), *(entry.name for entry in self._speaking())]
        if not names:
            designs = self._known.kind == DESIGNS
            return "leave it out and describe one" if designs else "there is none yet: add one"
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"have: {', '.join(names[:NAMED])}{more}"

    def _preset(self, name: str, default: str | None) -> ListedVoice:
        languages = self._known.languages
        language = languages[0].title() if len(languages) == 1 else ANY_LANGUAGE
        return ListedVoice(name, name, language, "", name == default, "preset")


def _name(candidate: Resolved | VoiceEntry) -> str:
    return candidate.name if isinstance(candidate, VoiceEntry) else candidate.id


def _unreadable(error: InvalidVoice) -> Fault:
    logger.error("the library of voices cannot be read: %s", error)  # it names our folders
    return Fault(FaultCode.SYNTHESIS_ERROR, HIDDEN)


def _unwritable(error: InvalidVoice | DiskFull) -> Fault:
    if isinstance(error, DiskFull):
        return Fault(FaultCode.STORAGE_FULL, "the server has no room left to keep voices")
    logger.error("the library of voices cannot be written to: %s", error)  # it names our folders
    return Fault(FaultCode.SYNTHESIS_ERROR, HIDDEN)


def _short(name: str) -> str:
    return repr(name if len(name) <= 64 else name[:64] + "…")
