"""A voice that comes with a request: a recording to speak like, used for that request alone."""

import asyncio
import base64
import binascii

from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.openai.schemas import SpeechBody
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.state import ServerState
from qwen3_tts.server.voices.fetch import fetch_recording
from qwen3_tts.types import Voice

HOW = "base64, or a string as `data:audio/wav;base64,...`"


async def inline_voice(body: SpeechBody, caller: Principal, state: ServerState) -> Voice | None:
    """The voice of `ref_audio`, None without one. Equal recordings are encoded once.

    Cloning takes a place like a stream does. Raises `Fault`.
    """
    if body.ref_audio is None:
        for name in ("ref_text", "x_vector_only_mode"):
            if getattr(body, name):
                raise _invalid(f"`{name}` is about `ref_audio`, which is missing", name)
        return None
    transcript = None if body.x_vector_only_mode else body.ref_text
    language = None if body.language.lower() == "auto" else body.language
    with state.limits.stream(caller):
        content = await _content(body.ref_audio, state.settings)
        return await state.shelf.clone(content, transcript, language)


async def _content(given: str, settings: ServerSettings) -> bytes:
    if given[:8].lower().startswith(("http://", "https://")):
        return await fetch_recording(given, settings)
    head, comma, rest = given.partition(",")
    if comma and not (head.startswith("data:audio/") and head.endswith(";base64")):
        raise _invalid(f"`ref_audio` is {HOW}", "ref_audio")
    try:
        return await asyncio.to_thread(base64.b64decode, rest if comma else given, validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(f"`ref_audio` is not base64; send {HOW}", "ref_audio") from None


def _invalid(message: str, param: str) -> Fault:
    return Fault(FaultCode.INVALID_MESSAGE, message, param)
