"""A model in memory -> a checkpoint folder in the official layout, which other programs open too.

Each file appears whole or not at all, so a folder can be overwritten while its weights are in use.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from qwen3_tts.config import GenerationConfig
from qwen3_tts.errors import ModelNotFound
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.load import INDEX
from qwen3_tts.weights.names import CODEC, MODEL, Table, to_official
from qwen3_tts.weights.quantized import SINGLE

TEXT_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
PREPROCESSOR = "preprocessor_config.json"

# Read by the official processors and by nothing here; as published (specification, section 1.2).
SPEECH_PREPROCESSOR = {
    "padding_side": "left",
    "padding_value": 0.0,
    "processor_class": "Qwen3TTSProcessor",
    "return_attention_mask": True,
}
CODEC_PREPROCESSOR = {
    "chunk_length_s": None,
    "feature_extractor_type": "EncodecFeatureExtractor",
    "feature_size": 1,
    "overlap": None,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
    "sampling_rate": 24000,
}


def save_checkpoint(
    folder: Path,
    model: SpeechModel,
    codec: SpeechCodec,
    generation: GenerationConfig,
    *,
    text_files: Path | None,
    max_shard_bytes: int | None = None,
) -> None:
    """Write a whole checkpoint; the folder is made if need be.

    Tensors keep their types. `text_files` is a folder to copy the text tokenizer from; None if
    the caller sees to those files. Weights larger than `max_shard_bytes` are split into shards.
    Raises `ModelNotFound` if `text_files` lacks a file, before anything is written.
    """
    if text_files is not None:
        _require(text_files)
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(folder, model, MODEL, max_shard_bytes)
    _write_json(folder / "config.json", model.config.to_json())
    _write_json(folder / "generation_config.json", generation.to_json())
    if text_files is not None:
        _copy_text_files(text_files, folder)
    if not (folder / PREPROCESSOR).exists():
        _write_json(folder / PREPROCESSOR, SPEECH_PREPROCESSOR)
    save_codec(folder / "speech_tokenizer", codec)


def save_codec(folder: Path, codec: SpeechCodec) -> None:
    """Write a codec's own folder: weights and configs."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(folder, codec, CODEC, None)
    _write_json(folder / "config.json", codec.config.to_json())
    _write_json(folder / PREPROCESSOR, CODEC_PREPROCESSOR)


def _write_weights(
    folder: Path, module: nn.Module, table: Table, max_shard_bytes: int | None
) -> None:
    """Write one file, or shards and their index, then remove what an earlier save left beside."""
    tensors = {to_official(name, table): value for name, value in module.state_dict().items()}
    shards = _split(tensors, max_shard_bytes)
    total = len(shards)
    names = [f"model-{i:05}-of-{total:05}.safetensors" for i in range(1, total + 1)]
    if total == 1:
        names = [SINGLE]
    for name, shard in zip(names, shards, strict=True):
        write_tensors(folder / name, shard)
    if total > 1:
        places = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        size = sum(value.nbytes for value in tensors.values())
        _write_json(folder / INDEX, {"metadata": {"total_size": size}, "weight_map": places})
        names.append(INDEX)
    remove_others(folder, names)


def remove_others(folder: Path, names: Sequence[str]) -> None:
    """Remove the files of weights that an earlier save left in a folder, but for these."""
    for old in (*folder.glob("model-?????-of-?????.safetensors"), folder / INDEX, folder / SINGLE):
        if old.name not in names:
            old.unlink(missing_ok=True)


def _split(tensors: dict[str, Tensor], max_bytes: int | None) -> list[dict[str, Tensor]]:
    """Fill shards in order; a tensor larger than the limit gets a shard of its own."""
    if max_bytes is None:
        return [tensors]
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > max_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write one safetensors file; it appears whole or not at all."""
    data = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(data, temporary, metadata={"format": "pt", **(metadata or {})})
        temporary.chmod(mode)  # the writer makes files that only their owner can read


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _require(text_files: Path) -> None:
    if absent := [name for name in TEXT_FILES if not (text_files / name).is_file()]:
        raise ModelNotFound(f"no file {', '.join(absent)} in {text_files}")


def _copy_text_files(source: Path, folder: Path) -> None:
    for name in (*TEXT_FILES, PREPROCESSOR):
        if (source / name).is_file() and source.resolve() != folder.resolve():
            with replacing(folder / name) as temporary:
                shutil.copyfile(source / name, temporary)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` if the block ends well."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
