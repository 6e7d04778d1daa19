"""Files of a run: the state to go on from, and the checkpoint to speak with."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from qwen3_tts.config import GenerationConfig
from qwen3_tts.errors import ModelNotFound
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.setup import Parts
from qwen3_tts.weights.save import save_checkpoint

STATE = "trainer.pt"


def save_state(out: Path, state: dict[str, Any]) -> None:
    """Replace the state in `out`, in one step."""
    write_whole(out / STATE, state)


def write_whole(path: Path, content: object) -> None:
    """Save tensors to a file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    torch.save(content, temporary)
    temporary.replace(path)


def load_state(out: Path) -> dict[str, Any]:
    path = out / STATE
    if not path.is_file():
        raise ModelNotFound(f"no {STATE} in {out}; start without --resume")
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def export(out: Path, model: SpeechModel, parts: Parts, options: TalkerOptions) -> None:
    """Write a checkpoint folder of the official layout, in float16."""
    generation = GenerationConfig(
        temperature=options.temperature,
        top_k=options.top_k,
        repetition_penalty=options.repetition_penalty,
        subtalker_temperature=options.temperature,
        subtalker_top_k=options.top_k,
    )
    small = deepcopy(model).half().cpu()
    save_checkpoint(out, small, parts.codec, generation, text_files=parts.tokenizer_folder)
