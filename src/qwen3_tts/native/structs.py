"""The structures of the kernels' headers, and the signatures of their functions."""

import ctypes
import functools
from ctypes import POINTER, Structure, c_float, c_int, c_int32, c_int64, c_size_t, c_void_p

from qwen3_tts.native.library import kernels

FORMATS = {"int8": 0, "int4": 1, "bfloat16": 2}  # matrix.h


class Matrix(Structure):
    _fields_ = (
        ("format", c_int32),
        ("n", c_int32),
        ("k", c_int32),
        ("data", c_void_p),
        ("scales", c_void_p),
    )


class Block(Structure):
    _fields_ = (
        ("qkv", Matrix),
        ("o", Matrix),
        ("gate_up", Matrix),
        ("down", Matrix),
        ("attn_norm", c_void_p),
        ("q_norm", c_void_p),
        ("k_norm", c_void_p),
        ("mlp_norm", c_void_p),
    )


class Stack(Structure):
    _fields_ = (
        ("layers", c_int32),
        ("width", c_int32),
        ("heads", c_int32),
        ("groups", c_int32),
        ("head_dim", c_int32),
        ("inner", c_int32),
        ("eps", c_float),
        ("norm", c_void_p),
        ("blocks", POINTER(Block)),
    )


class Cache(Structure):
    _fields_ = (
        ("keys", c_void_p),
        ("values", c_void_p),
        ("layer_step", c_int64),
        ("row_step", c_int64),
        ("group_step", c_int64),
        ("position_step", c_int64),
        ("is_bf16", c_int32),
    )


class Tokens(Structure):
    _fields_ = (
        ("count", c_int32),
        ("longest", c_int32),
        ("row", c_void_p),
        ("position", c_void_p),
        ("cosines", c_void_p),
        ("sines", c_void_p),
    )


class Table(Structure):
    _fields_ = (("data", c_void_p), ("width", c_int32), ("is_bf16", c_int32))


class Predictor(Structure):
    _fields_ = (
        ("stack", Stack),
        ("groups", c_int32),
        ("codes", c_int32),
        ("embeddings", POINTER(Table)),
        ("heads", POINTER(Matrix)),
        ("projection", POINTER(Matrix)),
        ("bias", c_void_p),
    )


class DrawOptions(Structure):
    _fields_ = (
        ("temperature", c_void_p),
        ("tail", c_void_p),
        ("top_k", c_void_p),
        ("greedy", c_void_p),
    )


SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "arena_new": (c_void_p, [c_size_t]),
    "arena_free": (None, [c_void_p, c_size_t]),
    "matrix_data_bytes": (c_size_t, [c_int, c_int, c_int]),
    "matrix_scale_bytes": (c_size_t, [c_int, c_int, c_int]),
    "matrix_pack": (None, [c_int, c_int, c_int, *[c_void_p] * 4]),
    "matrix_round": (None, [c_int, c_int, c_void_p, c_void_p, c_void_p]),
    "matrix_multiply": (c_int, [c_void_p, c_int, POINTER(Matrix), c_void_p, c_int, c_void_p]),
    "stack_run": (
        c_int,
        [c_void_p, c_int, POINTER(Stack), POINTER(Cache), POINTER(Tokens), c_void_p, c_void_p],
    ),
    "frame_fill": (
        c_int,
        [
            *[c_void_p, c_int, POINTER(Predictor), POINTER(Cache), c_void_p, c_void_p, c_int],
            *[c_void_p, c_void_p, c_void_p, c_int64, POINTER(DrawOptions), c_void_p],
        ],
    ),
    "tables_add": (None, [POINTER(Table), c_int, c_void_p, c_int, c_void_p]),
}


@functools.cache
def functions() -> ctypes.CDLL:
    """The library with its signatures set. Only where `kernels()` is not None."""
    library = kernels()
    assert library is not None
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
