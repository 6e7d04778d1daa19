"""`POST /v1/audio/speech`, as OpenAI's clients call it."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from qwen3_tts.audio.containers import FORMATS
from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import Fault, FaultCode, outcome_of
from qwen3_tts.server.openai import models, sse
from qwen3_tts.server.openai.answer import Manner, SpeechAnswer
from qwen3_tts.server.openai.inline_voice import inline_voice
from qwen3_tts.server.openai.schemas import BODY_DOCUMENT, SpeechBody, read_speech
from qwen3_tts.server.speaking.job import SpeechJob
from qwen3_tts.server.state import Caller, ServerState, State

ROUTE = "speech"  # in the metrics
KINDS = {"CustomVoice": "custom_voice", "Base": "base", "VoiceDesign": "voice_design"}
BYTES = {"schema": {"type": "string", "format": "binary"}}
EVENTS = {"schema": {"type": "string"}}

router = APIRouter(tags=["speech"])
router.include_router(models.router)


@router.post(
    "/v1/audio/speech",
    response_class=Response,
    responses={
        200: {
            "description": "The audio file or, with `stream_format` sse, events that carry it.",
            "content": {**dict.fromkeys(FORMATS.values(), BYTES), sse.MEDIA_TYPE: EVENTS},
        }
    },
    openapi_extra=BODY_DOCUMENT,
)
async def speak(request: Request, state: State, caller: Caller) -> Response:
    """Speak a text; the sound leaves while it is made."""
    try:
        body = await read_speech(request)
        await _check_task(body, state)
        job = _job(body, caller, state)
        if (voice := await inline_voice(body, caller, state)) is not None:
            job = replace(job, voice=voice)
    except Fault as fault:
        model = state.model.name
        state.metrics.request_done(ROUTE, model, outcome_of(fault), fault.code)
        raise
    return SpeechAnswer(state.speaker, job, _manner(body))


def _job(body: SpeechBody, caller: Principal, state: ServerState) -> SpeechJob:
    suffix = models.language_of(body.model, state) if body.model is not None else None
    language = suffix if suffix and body.language.lower() == "auto" else body.language
    return SpeechJob(
        text=body.input,
        principal=caller,
        voice=body.voice_name,
        style=body.style,
        language=language,
        instruct=body.instructions,
        sampling=body.sampling,
        seed=body.seed,
        max_frames=body.max_frames,
        priority=body.priority,
        sample_rate=body.sample_rate,
        speed=body.speed,
        text_first=body.text_first,
        route=ROUTE,
    )


def _manner(body: SpeechBody) -> Manner:
    if body.stream_format == "sse":
        return Manner(body.response_format, "events")
    return Manner(body.response_format, "audio" if body.stream else "whole")


async def _check_task(body: SpeechBody, state: ServerState) -> None:
    """Clients of other servers say which checkpoint they mean; there is only the one."""
    if body.task_type is None:
        return
    kind = (await state.model.get()).kind
    if kind != KINDS[body.task_type]:
        served = next((name for name, value in KINDS.items() if value == kind), kind)
        raise Fault(
            FaultCode.INVALID_MESSAGE,
            f"`task_type` is {body.task_type}, this server has a model for {served}",
            "task_type",
        )
