"""The teacher: flite's voices through its C library, with the time of every word and phone.

Flite speaks some eighty times faster than realtime on one core, and knows when each phone begins
and ends, which is what a small model needs to learn to read. The noise in its voices is that of the
C library's `rand`, which is seeded by the text: the same text is the same speech.
"""

import ctypes
import ctypes.util
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import MissingPackage, UnknownVoice

VOICES = ("rms", "slt", "awb", "kal16")

# Where a word begins and ends, as paths through flite's relations.
_START = b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_END = b"R:SylStructure.daughtern.daughtern.R:Segment.end"


class _Wave(ctypes.Structure):  # cst_wave of flite 2
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


@dataclass(frozen=True)
class Spoken:
    """What a teacher said: int16 wave [N], and who said what when."""

    wave: NDArray[np.int16]
    sample_rate: int
    tokens: list[tuple[str, float, float]]  # as written, start and end in seconds
    phones: list[tuple[str, float]]  # name, end in seconds


class Flite:
    """One voice of `VOICES`. Raises `UnknownVoice`, or `MissingPackage` without the library."""

    def __init__(self, voice: str):
        if voice not in VOICES:
            raise UnknownVoice(f"flite voice {voice!r} is unknown; there are: {', '.join(VOICES)}")
        self._lib = _library("flite")
        register = getattr(_library(f"flite_cmu_us_{voice}"), f"register_cmu_us_{voice}")
        register.restype = ctypes.c_void_p
        self._voice = ctypes.c_void_p(register(None))

    def speak(self, text: str) -> Spoken:
        """Synthesise a sentence."""
        lib = self._lib
        ctypes.CDLL(None).srand(ctypes.c_uint(zlib.crc32(text.encode())))
        utterance = ctypes.c_void_p(lib.flite_synth_text(text.encode(), self._voice))
        try:
            wave = lib.utt_wave(utterance).contents
            samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
            phones = [
                (_text(lib.item_feat_string(item, b"name")), lib.item_feat_float(item, b"end"))
                for item in self._items(utterance, b"Segment")
            ]
            return Spoken(samples, wave.sample_rate, self._tokens(utterance), phones)
        finally:
            lib.delete_utterance(utterance)

    def _tokens(self, utterance: ctypes.c_void_p) -> list[tuple[str, float, float]]:
        lib = self._lib
        tokens = []
        for token in self._items(utterance, b"Token"):
            first = lib.item_daughter(token)
            if not first:  # read as nothing, such as a lone dash
                continue
            last = first
            while following := lib.item_next(last):
                last = following
            word = (lib.item_as(item, b"Word") for item in (first, last))
            start = lib.ffeature_float(next(word), _START)
            end = lib.ffeature_float(next(word), _END)
            tokens.append((_text(lib.item_feat_string(token, b"name")), start, end))
        return tokens

    def _items(self, utterance: ctypes.c_void_p, relation: bytes) -> list[int]:
        lib = self._lib
        items = []
        item = lib.relation_head(ctypes.c_void_p(lib.utt_relation(utterance, relation)))
        while item:
            items.append(item)
            item = lib.item_next(item)
        return items


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


@cache
def _library(name: str) -> ctypes.CDLL:
    found = ctypes.util.find_library(name)
    if found is None:
        raise MissingPackage(
            f"lib{name} is not installed; the teacher's voices come with the package `flite`"
            " (Debian, Ubuntu: apt install flite)"
        )
    mode = ctypes.RTLD_GLOBAL  # the voices look for flite's own functions
    for needed in ("flite", "flite_usenglish", "flite_cmulex"):
        if name != needed and (path := ctypes.util.find_library(needed)):
            ctypes.CDLL(path, mode)
    lib = ctypes.CDLL(found, mode)
    if name == "flite":
        _declare(lib)
        lib.flite_init()
    return lib


def _declare(lib: ctypes.CDLL) -> None:
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float
    signatures = {
        "flite_init": (ctypes.c_int, []),
        "flite_synth_text": (pointer, [text, pointer]),
        "delete_utterance": (None, [pointer]),
        "utt_wave": (ctypes.POINTER(_Wave), [pointer]),
        "utt_relation": (pointer, [pointer, text]),
        "relation_head": (pointer, [pointer]),
        "item_next": (pointer, [pointer]),
        "item_daughter": (pointer, [pointer]),
        "item_as": (pointer, [pointer, text]),
        "item_feat_string": (text, [pointer, text]),
        "item_feat_float": (number, [pointer, text]),
        "ffeature_float": (number, [pointer, text]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
