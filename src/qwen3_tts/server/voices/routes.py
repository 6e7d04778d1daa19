"""Voices over HTTP: our own API, and the same for clients of OpenAI, vLLM-Omni and ElevenLabs."""

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from qwen3_tts.audio.containers import encode_whole
from qwen3_tts.errors import InvalidVoice
from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.http_errors import told
from qwen3_tts.server.speaking.job import PROVENANCE, SpeechJob
from qwen3_tts.server.state import Caller, PublicCaller, ServerState, State
from qwen3_tts.server.voices.recordings import check_cloning
from qwen3_tts.server.voices.schemas import (
    UPLOAD_FORM,
    AudioVoiceList,
    DeletedVoice,
    ListedVoice,
    MadeAudioVoice,
    MadeVoice,
    UploadedVoice,
    VoiceItem,
    VoiceList,
)
from qwen3_tts.server.voices.uploads import read_new_voice
from qwen3_tts.voices.library import VoiceEntry

PREVIEW_FRAMES = 125  # 10 s
PREVIEW_SEED = 1
PREVIEW_TEXTS = {
    "chinese": "你好，这就是我的声音。",
    "english": "Hello, this is what I sound like.",
    "french": "Bonjour, voici le son de ma voix.",
    "german": "Hallo, so klingt meine Stimme.",
    "italian": "Ciao, questa è la mia voce.",
    "japanese": "こんにちは、これが私の声です。",
    "korean": "안녕하세요, 이것이 제 목소리입니다.",
    "portuguese": "Olá, é assim que a minha voz soa.",
    "russian": "Привет, вот так звучит мой голос.",
    "spanish": "Hola, así suena mi voz.",
}

LONGEST = 128  # characters: names have half as many, and long ones cost time to be compared
MAKING: dict[int | str, dict[str, Any]] = {
    409: told("There is a voice of this name."),
    507: told("The server has no room left to keep it."),
}

BYTES = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(tags=["voices"])


async def _short(
    voice_id: Annotated[str, Path(description="its id or its name", examples=["ann"])],
) -> str:
    if len(voice_id) > LONGEST:
        raise Fault(FaultCode.VOICE_NOT_FOUND, "no voice has a name of such a length", "voice")
    return voice_id


VoiceName = Annotated[str, Depends(_short)]


@router.get("/api/v1/voices")
async def list_voices(state: State, caller: PublicCaller) -> VoiceList:
    """The voices the loaded model can speak in."""
    return VoiceList(voices=[VoiceItem.of(voice) for voice in await _listing(state)])


@router.post("/api/v1/voices", status_code=201, openapi_extra=UPLOAD_FORM, responses=MAKING)
async def make_voice(request: Request, state: State, caller: Caller) -> MadeVoice:
    """Clone a voice from a recording and keep it."""
    return MadeVoice.of(await _made(request, state, caller))


@router.get("/api/v1/voices/{voice_id}")
async def show_voice(voice_id: VoiceName, state: State, caller: PublicCaller) -> VoiceItem:
    """One voice, by id or name."""
    return VoiceItem.of(await _found(state, voice_id))


@router.get(
    "/api/v1/voices/{voice_id}/preview",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {"audio/wav": BYTES}}},
)
async def preview_voice(voice_id: VoiceName, state: State, caller: Caller) -> Response:
    """A short sentence in this voice, as a wav file. It is speech, so it needs a key."""
    voice = await _found(state, voice_id)
    key = f"{voice.id} {voice.created_at}"
    wav = await state.shelf.previews.get(key, lambda: _preview(state, voice, caller))
    return Response(wav, media_type="audio/wav", headers={"Cache-Control": "private, max-age=600"})


@router.get("/v1/audio/voices")
@router.get("/v1/voices", include_in_schema=False)
async def list_audio_voices(
    state: State,
    caller: PublicCaller,
    legacy: Annotated[bool, Query(description="names in place of objects")] = False,
) -> AudioVoiceList:
    """The same list, beside it the cloned ones as vLLM-Omni tells them; `legacy` gives names."""
    voices = await _listing(state)
    uploaded = await asyncio.to_thread(_uploaded, state, voices, caller)
    if legacy:
        return AudioVoiceList(voices=[voice.name for voice in voices], uploaded_voices=uploaded)
    items = [VoiceItem.of(voice) for voice in voices]
    return AudioVoiceList(voices=items, uploaded_voices=uploaded)


@router.post("/v1/audio/voices", openapi_extra=UPLOAD_FORM, responses=MAKING)
@router.post("/v1/voices", include_in_schema=False)
async def make_audio_voice(request: Request, state: State, caller: Caller) -> MadeAudioVoice:
    """Clone a voice from a recording and keep it; answers with OpenAI's and vLLM-Omni's keys."""
    return MadeAudioVoice.of(await _made(request, state, caller))


@router.get("/v1/audio/voices/{voice_id}")
@router.get("/v1/voices/{voice_id}", include_in_schema=False)
async def show_audio_voice(voice_id: VoiceName, state: State, caller: PublicCaller) -> VoiceItem:
    """One voice, by id or name."""
    return VoiceItem.of(await _found(state, voice_id))


@router.delete("/api/v1/voices/{voice_id}")
@router.delete("/v1/audio/voices/{voice_id}")
@router.delete("/v1/voices/{voice_id}", include_in_schema=False)
async def delete_voice(voice_id: VoiceName, state: State, caller: Caller) -> DeletedVoice:
    """Delete a cloned voice, with its recording; only who made it may."""
    return DeletedVoice(id=await state.shelf.remove(voice_id, caller))


async def _listing(state: ServerState) -> list[ListedVoice]:
    await state.shelf.learn()
    return await asyncio.to_thread(state.shelf.listing)


async def _found(state: ServerState, voice_id: str) -> ListedVoice:
    await state.shelf.learn()
    return await asyncio.to_thread(state.shelf.find, voice_id)


async def _made(request: Request, state: ServerState, caller: Principal) -> ListedVoice:
    """What can be refused without reading the upload is refused before."""
    with state.limits.stream(caller):
        async with state.model.lease() as model:
            check_cloning(model)
            new = await read_new_voice(request, state.settings)
            return await state.shelf.add(new, caller)


async def _preview(state: ServerState, voice: ListedVoice, caller: Principal) -> bytes:
    text = PREVIEW_TEXTS.get(voice.language.lower(), PREVIEW_TEXTS["english"])
    job = SpeechJob(
        text=text,
        principal=caller,
        voice=voice.id,
        language=voice.language,
        seed=PREVIEW_SEED,
        max_frames=PREVIEW_FRAMES,
        route="voices",
    )
    speaking = await state.speaker.open(job)
    try:
        waves = [piece.wave async for piece in speaking]
    finally:
        await speaking.aclose()
    comment = PROVENANCE if state.settings.provenance else None
    wave = np.concatenate(waves)
    return await asyncio.to_thread(encode_whole, wave, speaking.sample_rate, "wav", comment=comment)


def _uploaded(
    state: ServerState, voices: list[ListedVoice], caller: Principal
) -> list[UploadedVoice]:
    listed = []
    for entry in (voice.entry for voice in voices):
        if entry is not None:
            told = state.shelf.may_manage(caller, entry)
            listed.append(UploadedVoice.of(entry, _size(state, entry), told=told))
    return listed


def _size(state: ServerState, entry: VoiceEntry) -> int:
    """Of the recording; 0 without one, or where it was deleted since the voices were listed."""
    try:
        recording = state.shelf.library.recording_path(entry)
        return recording.stat().st_size if recording else 0
    except (OSError, InvalidVoice):
        return 0
