"""What a checkpoint is and whether a request suits it, from its small files: nothing is loaded.

Weights are counted from the headers of their files, and torch is not imported, so an answer takes
a moment where loading takes many.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from qwen3_tts.config import read_checkpoint_config, read_codec_config, read_generation_config
from qwen3_tts.engine.plan import Planner
from qwen3_tts.errors import InvalidWeights, ModelNotFound, SpeechWarning
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import SpeechRequest, Voice
from qwen3_tts.weights import transfer
from qwen3_tts.weights.hub import fetch

FRAMES_PER_MINUTE = 750  # at 12.5 Hz; each is one position of the talker's memory
# Decoding 64 frames at the published sizes took 0.40e9 bytes on a CPU, torch itself takes 0.25e9.
WORKING_BYTES = 650_000_000


@dataclass(frozen=True)
class Description:
    """`voices` maps each preset to the dialect it speaks, or None."""

    kind: str
    size: str
    voices: dict[str, str | None]
    languages: list[str]


@dataclass(frozen=True)
class Sizes:
    """Of a checkpoint: bytes on disk, and numbers to be held in memory."""

    file_bytes: int
    speech_numbers: int
    float32_numbers: int  # speaker encoder and codec, float32 always
    cache_numbers_per_frame: int

    def memory_bytes(self, bytes_per_number: int) -> int:
        """About what speaking one minute takes, with weights of this width."""
        cache = self.cache_numbers_per_frame * FRAMES_PER_MINUTE
        held = (self.speech_numbers + cache) * bytes_per_number + 4 * self.float32_numbers
        return held + WORKING_BYTES


def locate(
    model: str | Path, *, revision: str | None = None, offline: bool = False, progress: bool = False
) -> Path:
    """The checkpoint's folder, fetched if need be. Raises what `qwen3_tts.load` does for it."""
    return fetch(model, revision=revision, offline=offline, progress=progress)


def describe(folder: Path) -> Description:
    """Kind, voices and languages. Raises `CheckpointError`."""
    config = read_checkpoint_config(folder)
    talker = config.talker_config
    return Description(
        kind=config.tts_model_type,
        size=config.tts_model_size,
        voices={name: talker.spk_is_dialect.get(name) or None for name in sorted(talker.spk_id)},
        languages=sorted(talker.codec_language_id),
    )


def check_request(folder: Path, request: SpeechRequest, *, clone: bool = False) -> None:
    """Raise what speaking `request` would raise: `InvalidRequest` or `CheckpointError`.

    `clone` stands for a voice that is yet to be cloned with this checkpoint.
    """
    config = read_checkpoint_config(folder)
    if clone:
        vector = np.zeros(config.talker_config.hidden_size, dtype=np.float32)
        request = replace(request, voice=Voice(vector))
    tokenizer = TextTokenizer.from_folder(folder)
    planner = Planner(config, read_generation_config(folder), tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpeechWarning)  # speaking will warn
        planner.plan(request)


def measure(folder: Path) -> Sizes:
    """Read all a checkpoint has but the weights themselves. Raises `CheckpointError`."""
    config = read_checkpoint_config(folder)
    read_generation_config(folder)
    TextTokenizer.from_folder(folder)
    codec_folder = folder / "speech_tokenizer"
    read_codec_config(codec_folder)
    speech, codec = _weight_files(folder), _weight_files(codec_folder)
    counts = dict(count for path in speech for count in _counts(path))
    speaker = sum(n for name, n in counts.items() if name.startswith("speaker_encoder."))
    talker = config.talker_config
    per_layer = 2 * talker.num_key_value_heads * talker.head_dim  # a key and a value each
    return Sizes(
        file_bytes=sum(path.stat().st_size for path in [*speech, *codec]),
        speech_numbers=sum(counts.values()) - speaker,
        float32_numbers=speaker + sum(n for path in codec for _, n in _counts(path)),
        cache_numbers_per_frame=talker.num_hidden_layers * per_layer,
    )


def hub_cache() -> Path:
    """Where fetched checkpoints are kept. Raises `MissingPackage` without huggingface_hub."""
    transfer.require_library()
    return transfer.cache_folder()


def hub_is_offline() -> bool:
    """Whether HF_HUB_OFFLINE is set. Raises `MissingPackage` without huggingface_hub."""
    transfer.require_library()
    return transfer.is_offline()


def _weight_files(folder: Path) -> list[Path]:
    single = folder / "model.safetensors"
    files = [single] if single.is_file() else sorted(folder.glob("model-*.safetensors"))
    if not files:
        raise ModelNotFound(f"no file model.safetensors in {folder}")
    return files


def _counts(path: Path) -> Iterator[tuple[str, int]]:
    """Each tensor's name and how many numbers it has, from the header."""
    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118  # not a mapping
                yield name, math.prod(file.get_slice(name).get_shape())
    except (OSError, SafetensorError) as error:
        raise InvalidWeights(f"{path} cannot be read: {error}") from None
