"""What a checkpoint is and whether a request suits it, from its small files: nothing is loaded.

Weights are counted from the headers of their files, and torch is not imported, so an answer takes
a moment where loading takes many.
"""

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qwen3_tts.config import read_checkpoint_config, read_codec_config, read_generation_config
from qwen3_tts.engine.plan import Planner
from qwen3_tts.errors import ModelNotFound, SpeechWarning
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import SpeechRequest, Voice
from qwen3_tts.weights import transfer
from qwen3_tts.weights.hub import fetch
from qwen3_tts.weights.quantized import ROUNDED_TYPES, SCALE, open_weights, plan_of

FRAMES_PER_MINUTE = 750  # at 12.5 Hz; each is one position of the talker's memory
# Decoding 64 frames at the published sizes took 0.40e9 bytes on a CPU, torch itself takes 0.25e9.
WORKING_BYTES = 650_000_000
# Official names of what `quantize.plan` rounds; that module comes with torch.
MATRIX = re.compile(
    r"talker\.(codec_head|code_predictor\.(lm_head\.\d+|small_to_mtp_projection)"
    r"|(code_predictor\.)?model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj)\.weight"
)


@dataclass(frozen=True)
class Description:
    """`voices` maps each preset to the dialect it speaks, or None."""

    kind: str
    size: str
    voices: dict[str, str | None]
    languages: list[str]


@dataclass(frozen=True)
class Sizes:
    """Of a checkpoint: bytes on disk, and numbers to be held in memory.

    `rounded` says to what its weights are rounded in the file, None for floats.
    """

    file_bytes: int
    speech_numbers: int
    rounded: str | None
    rounded_bytes: int  # of rounded weights with their scales, which stay as they are
    matrix_numbers: int  # of the others, those that `quantize` would round
    talker_width: int
    float32_numbers: int  # speaker encoder and codec, float32 always
    cache_numbers_per_frame: int

    def memory_bytes(self, bytes_per_number: int) -> int:
        """About what speaking one minute takes, with weights of this width."""
        cache = self.cache_numbers_per_frame * FRAMES_PER_MINUTE
        held = (self.speech_numbers + cache) * bytes_per_number + 4 * self.float32_numbers
        return held + self.rounded_bytes + WORKING_BYTES

    def int8_memory_bytes(self) -> int:
        """The same with matrices in eight bits, or those of the file, and the rest in bfloat16."""
        return self.memory_bytes(2) - self.matrix_numbers


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
    plan = plan_of(folder)
    tensors = [tensor for path in speech for tensor in _tensors(path)]
    rounded = {t.name: t.bytes for t in tensors if plan and t.is_rounded}
    counts = {t.name: t.numbers for t in tensors if t.name not in rounded}
    speaker = sum(n for name, n in counts.items() if name.startswith("speaker_encoder."))
    talker = config.talker_config
    per_layer = 2 * talker.num_key_value_heads * talker.head_dim  # a key and a value each
    return Sizes(
        file_bytes=sum(path.stat().st_size for path in [*speech, *codec]),
        speech_numbers=sum(counts.values()) - speaker,
        rounded=plan,
        rounded_bytes=sum(rounded.values()),
        matrix_numbers=sum(n for name, n in counts.items() if MATRIX.fullmatch(name)),
        talker_width=talker.hidden_size,
        float32_numbers=speaker + sum(t.numbers for path in codec for t in _tensors(path)),
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


@dataclass(frozen=True)
class _Tensor:
    name: str
    type: str
    numbers: int

    @property
    def is_rounded(self) -> bool:
        return self.type in ROUNDED_TYPES or self.name.endswith(".weight" + SCALE)

    @property
    def bytes(self) -> int:
        """Rounded numbers are one each, scales two or four."""
        return self.numbers * {"BF16": 2, "F32": 4}.get(self.type, 1)


def _tensors(path: Path) -> Iterator[_Tensor]:
    """What the header of a file says."""
    with open_weights(path, "numpy") as file:
        for name in file.keys():  # noqa: SIM118  # not a mapping
            part = file.get_slice(name)
            yield _Tensor(name, part.get_dtype(), math.prod(part.get_shape()))
