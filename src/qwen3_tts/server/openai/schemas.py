"""What `POST /v1/audio/speech` takes: OpenAI's fields, and those that other servers added.

The body is read here rather than by the framework, so that every mistake is a 400 that names its
field, and so that what cannot be done is said, never left out in silence.
"""

import difflib
import json
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.requests import ClientDisconnect

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.types import Sampling

LONGEST_NAME, LONGEST_INSTRUCTIONS = 256, 4096  # characters
ALIASES = {
    "lang_code": "language",
    "instruct": "instructions",
    "speaker": "voice",
    "non_streaming_mode": "text_first",
}
# What other servers offer and this one does not: refused when it is asked for.
UNSUPPORTED = (
    "references",
    "speaker_embedding",
    "word_timestamps",
    "timestamps",
    "return_timestamps",
    "normalization_options",
    "initial_codec_chunk_frames",
    "pronunciations",
    "extra_params",
)
INSTEAD = {
    "references": "send one as `ref_audio`, or clone it once with POST /v1/audio/voices",
}

Text = Annotated[str, Field(max_length=LONGEST_NAME)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
LEAST = 1e-6  # the engine divides by it; below it a temperature counts as 0
Factor = Annotated[float, Field(ge=LEAST, le=100, allow_inf_nan=False)]
Temperature = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class _VoiceId(BaseModel):
    id: Text


VoiceId = Annotated[
    _VoiceId,
    WithJsonSchema(
        {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    ),
]


class SpeechBody(BaseModel):
    """A field that is null counts as left out."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
        json_schema_extra={"examples": [{"input": "Hello there.", "response_format": "mp3"}]},
    )

    input: str = Field(description="The text to speak.")
    model: Text | None = Field(None, description="Left out: the model that is served.")
    voice: Text | VoiceId | None = Field(None, description="Left out: the default voice.")
    style: Text | None = Field(None, description="A take of a cloned voice that has several.")
    instructions: str | None = Field(None, max_length=LONGEST_INSTRUCTIONS)
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0, allow_inf_nan=False)
    stream_format: Literal["audio", "sse"] = "audio"

    stream: bool = Field(True, description="false: one answer with its length, when all is made.")
    language: Text = Field("Auto", description="A name or a code, as German or de.")
    sample_rate: int = Field(24_000, ge=8_000, le=48_000)
    seed: int | None = Field(None, ge=0, lt=2**63)
    temperature: Temperature | None = Field(None, description="0 is greedy.")
    top_k: Count | None = Field(None, description="0 keeps all.")
    top_p: Share | None = None
    repetition_penalty: Factor | None = None
    do_sample: bool | None = None
    subtalker_temperature: Temperature | None = None
    subtalker_top_k: Count | None = None
    subtalker_top_p: Share | None = None
    subtalker_dosample: bool | None = None
    max_new_tokens: int | None = Field(
        None, ge=2, lt=2**31, description="N gives at most N - 1 frames of 80 ms."
    )
    text_first: bool | None = Field(None, description="Read all the text before the first sound.")
    ref_audio: str | None = Field(
        None,
        description="A recording to speak like, in place of `voice`: base64, a data: string or, "
        "where the server fetches any, an https URL.",
    )
    ref_text: str | None = Field(
        None, max_length=LONGEST_INSTRUCTIONS, description="What the recording says, all of it."
    )
    x_vector_only_mode: bool | None = Field(
        None, description="Take the speaker's sound alone, not the recording as an example."
    )
    task_type: Literal["CustomVoice", "Base", "VoiceDesign"] | None = None
    priority: Literal["low", "normal", "high"] = "normal"
    strict: bool = Field(False, description="Refuse fields that are not known.")

    @property
    def voice_name(self) -> str | None:
        return self.voice.id if isinstance(self.voice, _VoiceId) else self.voice

    @property
    def max_frames(self) -> int | None:
        """The last token of a run never becomes a frame, as in the official package."""
        return None if self.max_new_tokens is None else self.max_new_tokens - 1

    @property
    def sampling(self) -> Sampling:
        temperature, greedy = _draw(self.temperature, self.do_sample)
        sub_temperature, sub_greedy = _draw(self.subtalker_temperature, self.subtalker_dosample)
        if (
            self.temperature is not None
            and temperature is None
            and sub_temperature is None
            and sub_greedy is None
        ):
            sub_greedy = True  # who wants no chance at all wants none in the other codes either
        return Sampling(
            temperature=temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            repetition_penalty=self.repetition_penalty,
            greedy=greedy,
            predictor_temperature=sub_temperature,
            predictor_top_k=self.subtalker_top_k,
            predictor_top_p=self.subtalker_top_p,
            predictor_greedy=sub_greedy,
        )


def _draw(temperature: float | None, do_sample: bool | None) -> tuple[float | None, bool | None]:
    """A temperature for the engine, which takes none of 0, and whether it is greedy."""
    if temperature is not None and temperature < LEAST:
        return None, True
    return temperature, None if do_sample is None else not do_sample


BODY_DOCUMENT: dict[str, Any] = {  # for the framework's document, as it does not read the body
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SpeechBody.model_json_schema()}},
    }
}


async def read_speech(request: Request) -> SpeechBody:
    """The body of a request. Raises `Fault` INVALID_MESSAGE or INVALID_TEXT naming the field."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":  # which a page of another site cannot send unasked
        raise _invalid("send JSON, with the header `Content-Type: application/json`")
    try:
        raw = await request.body()
    except ClientDisconnect:
        raise Fault(FaultCode.CANCELLED, "the client left before its request was read") from None
    return parse_speech(raw)


def parse_speech(raw: bytes) -> SpeechBody:
    """Check a body field by field. Raises `Fault`."""
    given = _object(raw)
    strict = given.get("strict") is True
    _unaliase(given)
    _refuse_unsupported(given)
    unknown = set(given) - set(SpeechBody.model_fields) - set(UNSUPPORTED)
    if strict and unknown:
        raise _unknown(sorted(unknown)[0])
    try:
        body = SpeechBody.model_validate(given)
    except ValidationError as error:
        raise _explained(error, given) from None
    if not body.stream and body.stream_format == "sse":
        raise _invalid(
            "`stream` false asks for one answer, `stream_format` sse for events", "stream"
        )
    return body


def _object(raw: bytes) -> dict[str, Any]:
    """A JSON object without its nulls."""
    try:
        data = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode("utf-8")  # half surrogate pairs fail here
    except _Constant as error:
        raise _invalid(f"{error} is not JSON") from None
    except UnicodeEncodeError:
        raise _invalid("a string has half a surrogate pair in it") from None
    except (ValueError, RecursionError):
        raise _invalid("the body is not JSON") from None
    if not isinstance(data, dict):
        raise _invalid("the body is not a JSON object")
    return {name: value for name, value in data.items() if value is not None}


class _Constant(ValueError):
    """NaN or an infinity, which Python would read."""


def _no_constant(name: str) -> float:
    raise _Constant(name)


def _unaliase(given: dict[str, Any]) -> None:
    for alias, name in ALIASES.items():
        if alias not in given:
            continue
        value = given.pop(alias)
        if given.setdefault(name, value) != value:
            raise _invalid(f"`{alias}` and `{name}` mean the same and differ", alias)


def _refuse_unsupported(given: dict[str, Any]) -> None:
    for name in UNSUPPORTED:
        if given.get(name):  # false and empty ask for nothing
            hint = INSTEAD.get(name, "leave it out")
            raise _invalid(f"`{name}` is not supported by this server; {hint}", name)


def _unknown(name: str) -> Fault:
    name = name[:40]  # longer ones are like none of ours, and comparing them would take a while
    near = difflib.get_close_matches(name, [*SpeechBody.model_fields, *ALIASES], 1)
    shown = ascii(name)[1:-1]
    return _invalid(f"unknown field `{shown}`" + (f"; did you mean `{near[0]}`?" if near else ""))


def _explained(error: ValidationError, given: dict[str, Any]) -> Fault:
    first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return _invalid(f"`{name}` is missing", name)
    if name == "voice":
        return _invalid('`voice` is a name, or an object as {"id": "..."}', name)
    shown = ""  # an input may be a book
    is_short = name not in ("input", "instructions", "ref_audio", "ref_text")
    if is_short and isinstance(given.get(name), str | int | float):
        shown = f" is {given[name]!r:.60}"
    said = first["msg"][0].lower() + first["msg"][1:]
    return _invalid(f"`{name}`{shown}: {said}", name)


def _invalid(message: str, param: str | None = None) -> Fault:
    code = FaultCode.INVALID_TEXT if param == "input" else FaultCode.INVALID_MESSAGE
    return Fault(code, message, param)
