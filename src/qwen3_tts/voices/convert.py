"""Voices of the official package's prompts: what `torch.save` wrote of `VoiceClonePromptItem`s.

A .pt file is a zip with a pickle in it, and a pickle can run code. So what the pickle asks for is
read before torch opens it, and only what prompts are made of is let through; torch then loads it
with `weights_only=True`, which is a second such list. Numbers are counted before they are copied: a
tensor of a few bytes can claim to be as large as it likes.
"""

import pickle
import pickletools
import struct
import threading
import warnings
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidVoice
from qwen3_tts.types import Voice

if TYPE_CHECKING:
    from torch import Tensor

FIELDS = ("ref_code", "ref_spk_embedding", "x_vector_only_mode", "icl_mode", "ref_text")
ITEM_CLASSES = (
    "qwen_tts.inference.qwen3_tts_model.VoiceClonePromptItem",
    "qwen3_tts.compat.prompts.VoiceClonePromptItem",
)
KINDS = "Float Half BFloat16 Double Long Int Short Char Byte Bool".split()
ALLOWED = {
    *ITEM_CLASSES,
    *(f"torch.{kind}Storage" for kind in KINDS),
    "torch._utils._rebuild_tensor_v2",
    "collections.OrderedDict",
}
LARGEST_FILE = 64 << 20  # bytes, unpacked
MOST_MEMBERS, MOST_ITEMS = 10_000, 256
MOST_NUMBERS = 1 << 17  # of one item's tensor; codes of 650 s
PUBLISHED = {1024: "qwen3-tts-12hz-0b6", 2048: "qwen3-tts-12hz-1b7"}  # by width

# What reading a damaged or hostile file was seen to raise, beside torch's own errors.
BROKEN = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, OSError, EOFError, MemoryError),
    *(RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
    AssertionError,
)
_loading = threading.Lock()  # torch's list of allowed classes is one for all threads


def from_official_prompt(path: str | PathLike[str]) -> list[Voice]:
    """The voices of a .pt file: an item, a list of items, `{"items": [...]}` or the dict form.

    An item is a `VoiceClonePromptItem` or a dict of its fields, and the dict form has a list for
    each field. Vectors become float32. Raises `InvalidVoice` for what is no such file, and for
    one that asks for anything but tensors and items: it is never run.
    """
    content = _read(path)
    try:
        items = _items(_load(content))
        return [_voice(item, index) for index, item in enumerate(items)]
    except InvalidVoice as error:
        raise InvalidVoice(f"{path}: {error}") from None
    except BROKEN as error:
        reason = " ".join(str(error).split())
        raise InvalidVoice(
            f"{path} is not a prompt file: {type(error).__name__}: {reason:.100}"
        ) from None


def _read(path: str | PathLike[str]) -> Path:
    """The path, when what lies there has a bearable size and asks for nothing strange."""
    file = Path(path)
    try:
        if not file.is_file():
            raise InvalidVoice(f"there is no prompt file {path}")
        if file.stat().st_size > LARGEST_FILE:
            raise InvalidVoice(f"{path} is not a prompt file: over {LARGEST_FILE} bytes")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS or sum(m.file_size for m in members) > LARGEST_FILE:
                raise InvalidVoice(f"{path} is not a prompt file: over {LARGEST_FILE} bytes")
            pickles = [m for m in members if m.filename.split("/")[1:] == ["data.pkl"]]
            if len(pickles) != 1 or pickles[0].compress_type != zipfile.ZIP_STORED:
                raise InvalidVoice(f"{path} is not a prompt file: torch.save did not write it")
            unknown = _globals(archive.read(pickles[0])) - ALLOWED
    except InvalidVoice:
        raise
    except zipfile.BadZipFile:
        raise InvalidVoice(
            f"{path} is not a prompt file: torch.save writes zip files, and this is none"
        ) from None
    except (*BROKEN, NotImplementedError, zipfile.LargeZipFile) as error:
        raise InvalidVoice(f"{path} is not a prompt file: {error!s:.100}") from None
    if unknown:
        raise InvalidVoice(
            f"{path} is refused: it asks for {ascii(', '.join(sorted(unknown)))[:200]}, and a "
            "prompt file has tensors, numbers and texts alone"
        )
    return file


def _globals(content: bytes) -> set[str]:
    """Names of all functions and classes a pickle asks for. Raises `ValueError` if it is broken."""
    found = set()
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "GLOBAL":
            found.add(str(argument).replace(" ", ".", 1))
        elif opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            found.add(opcode.name)  # torch writes none of these, and does not read them
    return found


def _load(path: Path) -> Any:
    """What the file holds; its items are objects that have their fields and nothing else."""
    import torch

    stand_ins: list[Any] = []
    for name in ITEM_CLASSES:
        module, _, last = name.rpartition(".")
        stand_ins.append(type(last, (), {"__module__": module, "__qualname__": last}))
    with _loading, torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of other pickle protocols
        return torch.load(path, map_location="cpu", weights_only=True)


def _items(content: Any) -> list[Mapping[str, Any]]:
    """The fields of each item."""
    if isinstance(content, dict) and "items" in content:
        content = content["items"]
    if isinstance(content, dict) and isinstance(content.get("x_vector_only_mode"), list | tuple):
        content = _rows(content)
    items = list(content) if isinstance(content, list | tuple) else [content]
    if not 1 <= len(items) <= MOST_ITEMS:
        raise InvalidVoice(f"it has {len(items)} items, allowed: 1 to {MOST_ITEMS}")
    return [_fields(item, index) for index, item in enumerate(items)]


def _fields(item: Any, index: int) -> Mapping[str, Any]:
    fields = item if isinstance(item, dict) else getattr(item, "__dict__", None)
    if not isinstance(fields, dict) or "ref_spk_embedding" not in fields:
        raise InvalidVoice(
            f"item {index} is a {type(item).__name__}, it must be a VoiceClonePromptItem or a dict "
            f"of {', '.join(FIELDS)}"
        )
    return fields


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The dict form, a list for each field, as items."""
    given = {name: columns[name] for name in FIELDS if columns.get(name) is not None}
    for name, column in given.items():
        if not hasattr(column, "__len__") or isinstance(column, str):
            raise InvalidVoice(f"{name} is a {type(column).__name__}, it must be a list")
    lengths = {name: len(column) for name, column in given.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidVoice(f"its lists have different lengths: {lengths}")
    count = next(iter(lengths.values()))
    if count > MOST_ITEMS:
        raise InvalidVoice(f"it has {count} items, allowed: 1 to {MOST_ITEMS}")
    return [{name: column[i] for name, column in given.items()} for i in range(count)]


def _voice(item: Mapping[str, Any], index: int) -> Voice:
    vector = _numbers(item["ref_spk_embedding"], f"ref_spk_embedding of item {index}", 1)
    vector_alone = bool(item.get("x_vector_only_mode"))
    in_context = item.get("icl_mode")
    in_context = not vector_alone if in_context is None else bool(in_context)
    if not (in_context or vector_alone):
        raise InvalidVoice(f"item {index} has neither icl_mode nor x_vector_only_mode set")
    voice = Voice(
        vector=vector.reshape(-1).astype(np.float32),
        model=PUBLISHED.get(vector.size),
        provenance={"made": "import", "format": "VoiceClonePromptItem"},
    )
    if not in_context:
        return voice
    codes, text = item.get("ref_code"), item.get("ref_text")
    if codes is None or not isinstance(text, str) or not text.strip():
        lacking = "ref_code" if codes is None else "ref_text, which says what was spoken"
        raise InvalidVoice(f"item {index} is in context, but has no {lacking}")
    found = _numbers(codes, f"ref_code of item {index}", 2)
    return Voice(voice.vector, found, text, model=voice.model, provenance=voice.provenance)


def _numbers(given: Any, what: str, most_dims: int) -> NDArray[Any]:
    """A tensor, or lists as the official demo reads them too, as an array."""
    if hasattr(given, "detach"):
        tensor: Tensor = given
        if tensor.numel() > MOST_NUMBERS:
            raise InvalidVoice(f"{what} has {tensor.numel()} numbers, allowed: {MOST_NUMBERS}")
        tensor = tensor.detach()
        array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        return array
    if not isinstance(given, list | tuple):
        raise InvalidVoice(f"{what} is a {type(given).__name__}, it must be a tensor or a list")
    _check_lists(given, what, most_dims)
    return np.array(given)


def _check_lists(given: Any, what: str, most_dims: int) -> None:
    """Lists may be inside each other many times over, so they are counted before they are read."""
    rows, left = [given], MOST_NUMBERS
    for depth in range(most_dims):
        left -= sum(len(row) for row in rows)
        if left < 0:
            raise InvalidVoice(f"{what} has too many numbers, allowed: {MOST_NUMBERS}")
        inner = [each for row in rows for each in row]
        rows = [each for each in inner if isinstance(each, list | tuple)]
        if rows and depth == most_dims - 1:
            raise InvalidVoice(f"{what} has lists in lists, allowed: {most_dims} deep")
        if any(not isinstance(e, int | float | list | tuple) for e in inner):
            raise InvalidVoice(f"{what} has something in it that is no number")
