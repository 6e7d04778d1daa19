"""Voice-clone prompts: the official item, and the way between it and a `Voice`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qwen3_tts.compat.arguments import as_list, mismatch
from qwen3_tts.compat.errors import CompatError, CompatTypeError
from qwen3_tts.types import Voice

_REQUIRED = ("ref_spk_embedding", "x_vector_only_mode", "icl_mode")
_FIELDS = ("ref_code", *_REQUIRED, "ref_text")


@dataclass
class VoiceClonePromptItem:
    """One cloned voice, as `Qwen3TTSModel.create_voice_clone_prompt` makes it.

    `ref_code` is int64 [R, 16] or None, `ref_spk_embedding` [D] (float32 whatever the model's
    dtype is). With `icl_mode` the reference stays in context and needs its `ref_text`; with
    `x_vector_only_mode` only the embedding is used.
    """

    ref_code: Tensor | None
    ref_spk_embedding: Tensor
    x_vector_only_mode: bool
    icl_mode: bool
    ref_text: str | None = None


def item_of(voice: Voice, ref_text: str | None, device: torch.device) -> VoiceClonePromptItem:
    """`ref_text` is kept as it was given, also where the voice has no use for it."""
    in_context = voice.codes is not None
    return VoiceClonePromptItem(
        ref_code=torch.tensor(voice.codes, device=device) if in_context else None,
        ref_spk_embedding=torch.tensor(voice.vector, device=device),
        x_vector_only_mode=not in_context,
        icl_mode=in_context,
        ref_text=ref_text,
    )


def voices_of(prompt: Any) -> list[Voice]:
    """Voices of an item, a list of items, or the dict form: parallel lists under the item's names.

    Any object with an item's fields will do. The dict form may give `ref_text`, which in-context
    voices need. Raises `CompatTypeError` for another kind of prompt, `CompatError` for an item
    that lacks something, `InvalidVoice` for codes or vectors of a wrong shape.
    """
    items = _items_of_dict(prompt) if isinstance(prompt, Mapping) else as_list(prompt)
    return [_voice_of(item, index) for index, item in enumerate(items)]


def _voice_of(item: Any, index: int) -> Voice:
    if not all(hasattr(item, name) for name in _FIELDS):
        raise CompatTypeError(
            f"voice_clone_prompt[{index}] is a {type(item).__name__}, it must be a "
            "VoiceClonePromptItem (as from create_voice_clone_prompt), a list of them or a dict"
        )
    vector = _numpy(item.ref_spk_embedding, torch.float32).reshape(-1)
    if not item.icl_mode:
        if not item.x_vector_only_mode:
            raise CompatError(
                f"voice_clone_prompt[{index}] has neither icl_mode nor x_vector_only_mode; set one"
            )
        return Voice(vector)
    if item.ref_code is None:
        raise CompatError(f"voice_clone_prompt[{index}] has icl_mode but no ref_code")
    if not item.ref_text or not item.ref_text.strip():
        raise CompatError(f"voice_clone_prompt[{index}] has icl_mode but no ref_text: {_ICL_HINT}")
    return Voice(vector, codes=_numpy(item.ref_code, torch.int64), text=item.ref_text)


_ICL_HINT = "say what the reference says, or use x_vector_only_mode=True"


def check_ref_texts(ref_texts: list[Any], x_vector_only: list[Any]) -> None:
    """Raises `CompatError` naming the recordings cloned in context whose text is missing."""
    pairs = zip(ref_texts, x_vector_only, strict=True)
    if bad := [i for i, (text, vector_only) in enumerate(pairs) if not text and not vector_only]:
        raise CompatError(f"ref_text is missing for ref_audio {bad}: {_ICL_HINT}")


def _items_of_dict(prompt: Mapping[str, Any]) -> list[VoiceClonePromptItem]:
    if missing := [name for name in _REQUIRED if prompt.get(name) is None]:
        raise CompatError(
            f"voice_clone_prompt lacks {', '.join(missing)}; its lists are: {', '.join(_FIELDS)}"
        )
    count = len(_column(prompt, "ref_spk_embedding", 0))
    columns = {name: _column(prompt, name, count) for name in _FIELDS}
    if any(len(column) != count for column in columns.values()):
        raise CompatError(f"{mismatch(columns)} in voice_clone_prompt")
    return [VoiceClonePromptItem(*row) for row in zip(*columns.values(), strict=True)]


def _column(prompt: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """One list of the dict form; a tensor counts by its first dimension."""
    column = prompt.get(name)
    if column is None:
        return [None] * count
    if isinstance(column, str) or not hasattr(column, "__len__"):
        raise CompatTypeError(
            f"{name} in voice_clone_prompt is a {type(column).__name__}, it must be a list"
        )
    return list(column)


def _numpy(values: Any, dtype: torch.dtype) -> np.ndarray[Any, Any]:
    """Numbers of a tensor on any device, an array or lists."""
    array: np.ndarray[Any, Any] = torch.as_tensor(values).detach().to("cpu", dtype).numpy()
    return array
