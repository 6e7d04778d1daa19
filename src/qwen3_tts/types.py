"""Data that crosses layers: what a caller asks for and what comes back. numpy, never torch.

Layouts: wave float32 [N] in -1..1; codes int64 [T, K], one row of K codes per 80 ms frame; speaker
vector float32 [D].
"""

import json
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from qwen3_tts.audio.files import write_audio
from qwen3_tts.errors import InvalidVoice

Wave = NDArray[np.float32]
Codes = NDArray[np.int64]

VOICE_FORMAT = "qwen3-tts-voice"
VOICE_VERSION = 1


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn. None takes the checkpoint's value (generation_config.json).

    The first code of a frame comes from the talker, the others from the code predictor, which has
    options of its own. `top_k=0` and `top_p=1.0` keep everything. Greedy speech is repeatable but
    not better: it tends to drone on without an end.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    greedy: bool | None = None
    predictor_temperature: float | None = None
    predictor_top_k: int | None = None
    predictor_top_p: float | None = None
    predictor_greedy: bool | None = None


@dataclass(frozen=True, eq=False)
class Voice:
    """A cloned voice: a speaker vector, and for in-context cloning the reference itself.

    `codes` and `text` go together: the codec's codes of the recording, and what it says.
    """

    vector: NDArray[np.float32]  # [D]
    codes: Codes | None = None  # [R, K]
    text: str | None = None
    language: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.vector.ndim != 1:
            raise InvalidVoice(f"a speaker vector has one dimension, got {self.vector.shape}")
        if self.codes is not None and self.codes.ndim != 2:
            raise InvalidVoice(f"reference codes are [frames, codebooks], got {self.codes.shape}")
        if self.codes is not None and not (self.text and self.text.strip()):
            raise InvalidVoice("reference codes need the text that was spoken; it is missing")

    @property
    def mode(self) -> str:
        """ "icl" with a reference in context, "x_vector" with the vector alone."""
        return "x_vector" if self.codes is None else "icl"

    def save(self, path: str | PathLike[str]) -> None:
        """Write one safetensors file that `Voice.load` reads back unchanged."""
        tensors: dict[str, NDArray[Any]] = {"vector": np.ascontiguousarray(self.vector)}
        if self.codes is not None:
            tensors["codes"] = np.ascontiguousarray(self.codes)
        about = {"name": self.name, "text": self.text, "language": self.language}
        metadata = {"format": VOICE_FORMAT, "version": str(VOICE_VERSION)}
        try:
            save_file(tensors, path, {**metadata, "voice": json.dumps(about)})
        except (OSError, SafetensorError) as error:
            raise InvalidVoice(f"cannot write voice {path}: {error}") from None

    @staticmethod
    def load(path: str | PathLike[str]) -> "Voice":
        """Read a voice file. Raises `InvalidVoice` naming the file and what is wrong with it."""
        try:
            with safe_open(path, "numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = json.loads(metadata.get("voice", "{}"))
        except FileNotFoundError:
            raise InvalidVoice(f"no voice file {path}") from None
        except (OSError, SafetensorError, json.JSONDecodeError) as error:
            raise InvalidVoice(f"{path} is not a voice file: {error}") from None
        if metadata.get("format") != VOICE_FORMAT or "vector" not in tensors:
            raise InvalidVoice(f"{path} is a safetensors file but not a voice")
        if metadata.get("version") != str(VOICE_VERSION):
            raise InvalidVoice(
                f"{path} is a voice of version {metadata.get('version')}, "
                f"this package reads version {VOICE_VERSION}"
            )
        return Voice(
            vector=tensors["vector"].astype(np.float32),
            codes=tensors["codes"].astype(np.int64) if "codes" in tensors else None,
            text=about.get("text"),
            language=about.get("language"),
            name=about.get("name") or "",
        )


@dataclass(frozen=True)
class SpeechRequest:
    """One text to speak.

    `voice` is a preset's name or a `Voice`; None takes the checkpoint's first preset where it has
    any, and "" speaks without a speaker. `language` is a name or ISO code, "Auto" lets the model
    find out. `instruct` describes a voice (VoiceDesign) or a manner (CustomVoice 1.7B).
    `max_frames` bounds the audio, 12.5 frames a second. `text_first` reads the whole text before
    the first frame; False feeds one token per frame; None takes the official default: True for
    presets and designed voices, False for cloned ones.
    """

    text: str
    voice: "str | Voice | None" = None
    language: str = "Auto"
    instruct: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    max_frames: int | None = None
    text_first: bool | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds since the request was taken up; `audio_s` is the length of the speech."""

    prefill_s: float  # prompt read
    first_frame_s: float  # first frame's codes known
    codes_s: float  # all codes known
    total_s: float  # wave ready
    frames: int
    audio_s: float

    @property
    def x_realtime(self) -> float:
        """Seconds of speech per second of work."""
        return self.audio_s / self.total_s if self.total_s > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Speech:
    """What a request became. `finish_reason` is "stop" (the model ended) or "length"."""

    wave: Wave  # [N]
    sample_rate: int
    codes: Codes  # [T, K]
    seed: int
    finish_reason: str
    timing: Timing

    @property
    def duration_s(self) -> float:
        return len(self.wave) / self.sample_rate

    def save(self, target: str | PathLike[str] | BinaryIO, format: str | None = None) -> None:
        """Write an audio file; the suffix or `format` chooses wav, flac, ogg or mp3."""
        write_audio(target, self.wave, self.sample_rate, format=format)
