"""A checkpoint folder -> a model with its weights, checked tensor by tensor.

Files are memory-mapped: where a tensor already has the wanted type and place, the parameter is the
file's own pages and nothing is copied; the system reads a page when it is first used and shares it
between processes. Pages are private, so changing a parameter never changes the file. Rounded
weights (`weights.quantized`) stay the numbers and scales that the file holds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from qwen3_tts.config import read_checkpoint_config, read_codec_config, read_json
from qwen3_tts.errors import InvalidConfig, InvalidWeights, ModelNotFound
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.quantize.linear import QuantizedLinear
from qwen3_tts.quantize.plan import blank_quantized
from qwen3_tts.weights.names import CODEC, MODEL, Table, officials, to_official
from qwen3_tts.weights.quantized import SCALE, SINGLE, open_weights, plan_of

INDEX = "model.safetensors.index.json"
FLOATS = ("BF16", "F16", "F32", "F64")  # as safetensors spells them
SPELT = {torch.int8: "I8", torch.uint8: "U8", torch.float32: "F32", torch.bfloat16: "BF16"}

M = TypeVar("M", bound=nn.Module)


def load_speech_model(
    folder: Path, *, device: torch.device, dtype: torch.dtype, check_finite: bool = True
) -> SpeechModel:
    """Load talker, code predictor and speaker encoder of a checkpoint folder, ready to infer.

    Where the folder's weights are rounded, so are the model's: its linear layers are
    `QuantizedLinear`, and `dtype` is the type of the rest. The speaker encoder is float32 whatever
    `dtype` is, as its mel front end is. `check_finite` looks for NaN and infinity, which reads the
    whole file. Raises `ModelNotFound` (a file is not there), `InvalidConfig` or `InvalidWeights`
    (all tensors that do not fit, in one message).
    """
    config, plan = read_checkpoint_config(folder), plan_of(folder)
    with blank():
        model = SpeechModel(config)
        if plan:
            blank_quantized(model, plan)

    def wanted(name: str) -> torch.dtype:
        return torch.float32 if name.startswith("speaker_encoder.") else dtype

    return _fill(model, folder, MODEL, wanted, device, check_finite)


def load_codec(folder: Path, *, device: torch.device, check_finite: bool = True) -> SpeechCodec:
    """Load the codec of a `speech_tokenizer` folder, always float32, ready to infer.

    Raises as `load_speech_model` does.
    """
    config = read_codec_config(folder)
    with blank():
        codec = SpeechCodec(config)
    return _fill(codec, folder, CODEC, lambda _: torch.float32, device, check_finite)


def read_tensors(folder: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors of a folder whose official names begin so, in the types of the file."""
    stored = _stored(folder)
    return {name: found.read() for name, found in stored.items() if name.startswith(prefix)}


@contextmanager
def blank() -> Iterator[None]:
    """Modules made in here have shapes but no numbers: they stand on the meta device."""
    with torch.device("meta"), _NoDraw():
        yield


class _NoDraw(TorchFunctionMode):
    """Spare new embeddings their random numbers: on the meta device, drawing the first of them
    imports PyTorch's compiler, which takes longer than everything else here."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is nn.init.normal_:
            return None
        return func(*args, **(kwargs or {}))


def _fill(
    model: M,
    folder: Path,
    table: Table,
    wanted: Callable[[str], torch.dtype],
    device: torch.device,
    check_finite: bool,
) -> M:
    """Give a model on the meta device its tensors; `wanted` is the type of a parameter of ours."""
    parameters, rounded = model.state_dict(), rounded_names(model)
    names = officials((ours for ours in parameters if ours not in rounded), table)
    names |= {official: ours for ours, official in rounded.items()}
    stored = _stored(folder)
    _refuse_misfits(
        folder,
        stored,
        {name: list(parameters[ours].shape) for name, ours in names.items()},
        {name: SPELT[parameters[ours].dtype] for ours, name in rounded.items()},
    )
    tensors: dict[str, Tensor] = {}
    broken = []
    for name, ours in names.items():
        # One at a time: the original of a converted tensor is let go before the next is read.
        dtype = parameters[ours].dtype if ours in rounded else wanted(ours)
        tensors[ours] = stored[name].read().to(device=device, dtype=dtype)
        if check_finite and dtype.is_floating_point and not _is_finite(tensors[ours]):
            broken.append(f"{name} as {str(dtype).removeprefix('torch.')}")
    if broken:
        raise InvalidWeights(f"{folder}: NaN or infinity in {_short(broken)}")
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(False).eval()


def rounded_names(model: nn.Module) -> dict[str, str]:
    """Our name -> official one of the numbers and scales of every rounded layer of a speech model.

    The table has one name for a layer's weights; a rounded layer has two tensors.
    """
    names: dict[str, str] = {}
    for layer, module in model.named_modules():
        if isinstance(module, QuantizedLinear):
            official = to_official(f"{layer}.weight", MODEL)
            names |= {f"{layer}.values": official, f"{layer}.scales": official + SCALE}
    return names


def _is_finite(tensor: Tensor) -> bool:
    """Whether no entry is NaN or infinite.

    Such an entry always reaches the sum, which is some 30 times faster than looking at each
    entry. A sum can also overflow by itself, so only a finite one decides.
    """
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


@dataclass(frozen=True)
class Stored:
    """One tensor of an open file; only its header has been read."""

    file: Any
    name: str
    type: str
    shape: list[int]

    def read(self) -> Tensor:
        tensor: Tensor = self.file.get_tensor(self.name)
        return tensor


def _stored(folder: Path) -> dict[str, Stored]:
    """Official name -> tensor, over the file or all the shards of a folder."""
    if (folder / SINGLE).is_file():
        return _open(folder / SINGLE)
    if not (folder / INDEX).is_file():
        raise ModelNotFound(f"no file {SINGLE} or {INDEX} in {folder}")
    listed = _weight_map(folder / INDEX)
    shards = sorted(set(listed.values()))
    if absent := [name for name in shards if not (folder / name).is_file()]:
        raise ModelNotFound(f"no file {_short(absent)} in {folder}, which {INDEX} names")
    stored: dict[str, Stored] = {}
    for shard in shards:
        tensors = _open(folder / shard)
        if strays := [name for name in tensors if listed.get(name) != shard]:
            raise InvalidWeights(f"{folder / shard}: {INDEX} does not list {_short(strays)} there")
        stored |= tensors
    if absent := [name for name in listed if name not in stored]:
        raise InvalidWeights(f"{folder / INDEX}: no shard holds {_short(absent)}")
    return stored


def _weight_map(index: Path) -> dict[str, str]:
    """Official name -> file name, from an index of shards."""
    try:
        content = read_json(index)
    except InvalidConfig as error:
        raise InvalidWeights(str(error)) from None
    listed = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed or not all(map(_is_file_name, listed.values())):
        raise InvalidWeights(f"{index}: `weight_map` must give the file name of every tensor")
    return listed


def _is_file_name(value: object) -> bool:
    """A plain name, so that an index cannot point out of its folder."""
    return isinstance(value, str) and value == Path(value).name != ""


def _open(path: Path) -> dict[str, Stored]:
    file = open_weights(path, "pt")
    names: list[str] = file.keys()
    slices = {name: file.get_slice(name) for name in names}
    return {
        name: Stored(file, name, part.get_dtype(), part.get_shape())
        for name, part in slices.items()
    }


def _refuse_misfits(
    folder: Path,
    stored: Mapping[str, Stored],
    expected: Mapping[str, list[int]],
    types: Mapping[str, str],
) -> None:
    """Raise one error that names every kind of difference between the files and the model.

    `expected` is the shape of every tensor, `types` the type of those that may have only one.
    """
    pairs = [(stored[name], shape) for name, shape in expected.items() if name in stored]
    problems = {
        "missing": [name for name in expected if name not in stored],
        "unexpected": [name for name in stored if name not in expected],
        "mis-shaped": [
            f"{found.name} is {found.shape}, expected {shape}"
            for found, shape in pairs
            if found.shape != shape
        ],
    }
    for tensor, _ in pairs:
        allowed = (types[tensor.name],) if tensor.name in types else FLOATS
        if tensor.type not in allowed:
            kind = f"not of a type allowed ({', '.join(allowed)})"
            problems.setdefault(kind, []).append(f"{tensor.name} is {tensor.type}")
    found = [f"{len(names)} {kind}: {_short(names)}" for kind, names in problems.items() if names]
    if found:
        raise InvalidWeights(f"weights in {folder} do not fit config.json: {'; '.join(found)}")


def _short(names: Iterable[str], limit: int = 8) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = [f"and {len(listed) - limit} more"] if len(listed) > limit else []
    return ", ".join(listed[:limit] + more)
