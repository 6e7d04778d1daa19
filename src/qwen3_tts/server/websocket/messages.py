"""What a client of `/api/v1/speak` may say: one model per message, checked field by field.

Keys are camelCase; the snake_case spellings that older clients send are understood as well. Keys
nobody knows are left alone, as a later version of the protocol may have added them.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from qwen3_tts.server.faults import Fault, FaultCode

Name = Annotated[str, StringConstraints(max_length=128)]
RequestId = Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,64}$")]


class Message(BaseModel):
    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, populate_by_name=True, alias_generator=to_camel
    )


class Start(Message):
    """Settles how this session speaks. What is left out keeps its value."""

    type: Literal["start"]
    sample_rate: int | None = Field(
        None, ge=8000, le=48000, validation_alias=AliasChoices("sampleRate", "sample_rate")
    )
    encoding: Literal["pcm16", "pcm32f"] | None = None
    transport: Literal["binary", "json"] | None = None
    voice: Name | None = None
    style: Name | None = None
    language: Name | None = None
    instructions: str | None = Field(None, max_length=2000)
    seed: int | None = Field(None, ge=0, lt=2**63)
    speed: float | None = Field(None, ge=0.25, le=4.0, allow_inf_nan=False)
    auth_token: str | None = Field(
        None, max_length=8192, validation_alias=AliasChoices("authToken", "auth_token")
    )
    contract_id: Name | None = Field(
        None, validation_alias=AliasChoices("contractId", "contract_id")
    )


class Speak(Message):
    """One text, or with `continue` a piece of one; `continue: false` ends it."""

    type: Literal["speak", "synthesize"]
    text: str
    priority: Literal["low", "normal", "high"] = "normal"
    voice: Name | None = None
    style: Name | None = None
    language: Name | None = None
    instructions: str | None = Field(None, max_length=2000)
    seed: int | None = Field(None, ge=0, lt=2**63)
    request_id: RequestId | None = Field(
        None, validation_alias=AliasChoices("requestId", "request_id")
    )
    more: bool | None = Field(None, validation_alias="continue")


class Cancel(Message):
    """Ends one speech, or without an id all of this session's."""

    type: Literal["cancel"]
    request_id: RequestId | None = Field(
        None, validation_alias=AliasChoices("requestId", "request_id")
    )


class Stop(Message):
    type: Literal["stop"]
    reason: str | None = Field(None, max_length=256)


class Ping(Message):
    type: Literal["ping"]


ClientMessage = Start | Speak | Cancel | Stop | Ping
KINDS = ("start", "speak", "cancel", "stop", "ping")
_READER: TypeAdapter[ClientMessage] = TypeAdapter(
    Annotated[ClientMessage, Field(discriminator="type")]
)


def parse(text: str) -> ClientMessage:
    """Read one message. Raises `Fault` INVALID_MESSAGE saying which field is wrong and how."""
    try:
        data: Any = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _invalid("the message is not JSON") from None
    if not isinstance(data, dict):
        raise _invalid("the message is not a JSON object")
    if data.get("type") not in (*KINDS, "synthesize"):
        given = str(data.get("type"))[:40]
        raise _invalid(f"message type {given!r} is unknown; have: {', '.join(KINDS)}", "type")
    try:
        return _READER.validate_python(data)
    except ValidationError as error:
        raise _explained(error) from None


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _explained(error: ValidationError) -> Fault:
    first = error.errors(include_url=False, include_input=False)[0]
    # the first place is the kind of message
    name = ".".join(str(part) for part in first["loc"][1:]) or "type"
    return _invalid(f"`{name}`: {first['msg'].lower()}", name)


def _invalid(message: str, param: str | None = None) -> Fault:
    return Fault(FaultCode.INVALID_MESSAGE, message, param)
