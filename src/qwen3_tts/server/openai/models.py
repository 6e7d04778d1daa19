"""Names of models as OpenAI's clients use them, and the routes that list them.

One model is served. It answers to its own name and to OpenAI's, each of which may carry a language:
`tts-1-de` is `tts-1` that speaks German.
"""

import time
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.state import PublicCaller, ServerState, State
from qwen3_tts.version import __version__

ALIASES = (
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-4o-mini-tts-2025-03-20",
    "gpt-4o-mini-tts-2025-12-15",
    "qwen3-tts",
)
SUFFIXES = ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh")

STARTED_S = int(time.time())  # clients want some time at which a model was made

router = APIRouter(tags=["models"])


class ModelItem(BaseModel):
    id: str
    object: str = "model"
    created: int
    owned_by: str = "qwen3-tts"


class ModelList(BaseModel):
    object: str = "list"
    data: list[ModelItem]


class AudioModel(BaseModel):
    id: str
    name: str


class AudioModelList(BaseModel):
    models: list[AudioModel]


@router.get("/v1/models")
async def list_models(state: State, caller: PublicCaller) -> ModelList:
    """The served model and the other names it answers to."""
    return ModelList(data=[_item(name) for name in known_models(state)])


@router.get("/v1/models/{name:path}")
async def show_model(name: str, state: State, caller: PublicCaller) -> ModelItem:
    """One of them, also with a language, as `tts-1-de`."""
    language_of(name, state)
    return _item(name)


@router.get("/v1/audio/models")
async def list_audio_models(state: State, caller: PublicCaller) -> AudioModelList:
    """The same list as Open WebUI reads it."""
    return AudioModelList(models=[AudioModel(id=n, name=n) for n in known_models(state)])


@router.get("/v1/")
@router.get("/v1", include_in_schema=False)
async def greet(state: State, caller: PublicCaller) -> dict[str, Any]:
    """Clients open this to warm up a connection."""
    return {
        "name": "qwen3-tts",
        "version": __version__,
        "model": state.model.name,
        "speech": "/v1/audio/speech",
    }


def known_models(state: ServerState) -> list[str]:
    """All names the model answers to, its own first."""
    return list(dict.fromkeys((state.model.name, *ALIASES)))


def language_of(name: str, state: ServerState) -> str | None:
    """The language in a model's name, if it has any. Raises `Fault` model_not_found."""
    known = known_models(state)
    if name in (*known, state.model.model_id):
        return None
    stem, _, suffix = name.rpartition("-")
    if stem in known and suffix in SUFFIXES:
        return suffix
    raise Fault(
        FaultCode.MODEL_NOT_FOUND,
        f"model {name[:80]!r} is not served; have: {', '.join(known)}, "
        f"each also with a language, as in tts-1-de ({', '.join(SUFFIXES)})",
        "model",
    )


def _item(name: str) -> ModelItem:
    return ModelItem(id=name, created=STARTED_S)
