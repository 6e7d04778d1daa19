"""Data that crosses layers: what a caller asks for and what comes back. numpy, never torch.

Layouts: wave float32 [N] in -1..1; codes int64 [T, K], one row of K codes per 80 ms frame; speaker
vector float32 [D].
"""

import json
import secrets
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

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
        object.__setattr__(self, "vector", _speaker_vector(self.vector))
        if self.codes is None:
            return
        object.__setattr__(self, "codes", _reference_codes(self.codes))
        text: object = self.text
        if text is not None and not isinstance(text, str):
            given = type(text).__name__
            raise InvalidVoice(f"the text of a reference must be a string, got {given}")
        if not text or not text.strip():
            raise InvalidVoice("reference codes need the text that was spoken; it is missing")

    @property
    def mode(self) -> str:
        """ "icl" with a reference in context, "x_vector" with the vector alone."""
        return "x_vector" if self.codes is None else "icl"

    def save(self, path: str | PathLike[str]) -> None:
        """Write one safetensors file that `Voice.load` reads back unchanged."""
        tensors: dict[str, NDArray[Any]] = {"vector": self.vector}
        if self.codes is not None:
            tensors["codes"] = self.codes
        about = {"name": self.name, "text": self.text, "language": self.language}
        metadata = {"format": VOICE_FORMAT, "version": str(VOICE_VERSION)}
        target = Path(path)
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            partial.write_bytes(save(tensors, {**metadata, "voice": json.dumps(about)}))
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise InvalidVoice(f"cannot write voice {path}: {error.strerror}") from None

    @staticmethod
    def load(path: str | PathLike[str]) -> "Voice":
        """Read a voice file. Raises `InvalidVoice` naming the file and what is wrong with it."""
        try:
            with safe_open(path, "numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != VOICE_FORMAT or "vector" not in file.keys():  # noqa: SIM118
                    raise InvalidVoice(f"{path} is a safetensors file but not a voice")
                vector = file.get_tensor("vector")
                codes = file.get_tensor("codes") if "codes" in file.keys() else None  # noqa: SIM118
        except FileNotFoundError:
            raise InvalidVoice(f"no voice file {path}") from None
        except (OSError, SafetensorError, TypeError) as error:  # TypeError: a type numpy lacks
            raise InvalidVoice(f"{path} is not a voice file: {error}") from None
        if metadata.get("version") != str(VOICE_VERSION):
            raise InvalidVoice(
                f"{path} is a voice of version {metadata.get('version')}, "
                f"this package reads version {VOICE_VERSION}"
            )
        about = _about(metadata, path)
        try:
            name = about.get("name") or ""
            return Voice(vector, codes, about.get("text"), about.get("language"), name)
        except InvalidVoice as error:
            raise InvalidVoice(f"{path}: {error}") from None


def _speaker_vector(vector: Any) -> NDArray[np.float32]:
    """A copy of a vector [D], or `InvalidVoice`."""
    if not hasattr(vector, "__array__"):
        raise InvalidVoice(f"a speaker vector is an array, got {type(vector).__name__}")
    try:
        checked = np.array(vector, dtype=np.float32, order="C")
    except (TypeError, ValueError, RuntimeError):
        raise InvalidVoice(f"a speaker vector is numbers, got {type(vector).__name__}") from None
    if checked.ndim != 1:
        raise InvalidVoice(f"a speaker vector has one dimension, got {checked.shape}")
    if not np.isfinite(checked).all():
        raise InvalidVoice("the speaker vector has NaN or infinity in it")
    return checked


def _reference_codes(codes: Any) -> Codes:
    """A copy of codes [R, K], or `InvalidVoice`."""
    try:
        given = np.asarray(codes)
    except ValueError:
        raise InvalidVoice("reference codes must be a rectangle, [frames, codebooks]") from None
    if given.ndim != 2 or not np.issubdtype(given.dtype, np.integer):
        raise InvalidVoice(
            f"reference codes are integers [frames, codebooks], got {given.dtype} {given.shape}"
        )
    return given.astype(np.int64, order="C")  # files hold rows one after another


def _about(metadata: dict[str, str], path: str | PathLike[str]) -> dict[str, Any]:
    """What a voice file says in words."""
    try:
        about = json.loads(metadata.get("voice", "{}"))
    except json.JSONDecodeError as error:
        raise InvalidVoice(f"{path} has broken metadata: {error}") from None
    if not isinstance(about, dict):
        raise InvalidVoice(f"{path} has broken metadata: not an object")
    return about


@dataclass(frozen=True)
class SpeechRequest:
    """One text to speak.

    `voice` is a preset's name or a `Voice`; None takes the checkpoint's first preset where it has
    any, and "" speaks without a speaker. `language` is a name or ISO code, "Auto" lets the model
    find out. `instruct` describes a voice (VoiceDesign) or a manner (CustomVoice 1.7B).
    `max_frames` bounds the audio, 12.5 frames a second. `text_first` reads the whole text before
    the first frame; False feeds one token per frame; None takes the official default: True for
    presets and designed voices, False for cloned ones.

    `priority` is high, normal or low. `guard` says what to do when speech runs away: "stop" it,
    "retry" with another seed (before any sound left, and only if neither seed nor `max_frames`
    was given), "error", or "off"; None takes the engine's.
    """

    text: str
    voice: "str | Voice | None" = None
    language: str = "Auto"
    instruct: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    max_frames: int | None = None
    text_first: bool | None = None
    priority: str = "normal"
    guard: str | None = None


class SpeakOptions(TypedDict, total=False):
    """The keywords of `synthesize`, `stream` and `open_stream`: a `SpeechRequest` but its text."""

    voice: str | Voice | None
    language: str
    instruct: str | None
    sampling: Sampling
    seed: int | None
    max_frames: int | None
    text_first: bool | None
    priority: str
    guard: str | None


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """A piece of speech. The pieces put together are the whole; the last may be empty."""

    wave: Wave  # [n]
    index: int
    start_s: float  # where it begins in the speech
    is_final: bool


@dataclass(frozen=True)
class Timing:
    """Seconds since the request was made; `audio_s` is the length of the speech."""

    queued_s: float  # a row was given
    prefill_s: float  # prompt read
    first_frame_s: float  # first frame's codes known
    first_audio_s: float  # first sound handed over
    codes_s: float  # all codes known
    total_s: float  # all sound handed over
    frames: int
    audio_s: float
    underrun_s: float = 0.0  # silence of a player that started with the first chunk
    chunk_s: tuple[float, ...] = ()  # each chunk handed over

    @property
    def x_realtime(self) -> float:
        """Seconds of speech per second of work."""
        return self.audio_s / self.total_s if self.total_s > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Speech:
    """What a request became.

    `finish_reason` is "stop" (the model ended), "length" (`max_frames`), "text_timeout" (a text
    stream was not fed) or "guard:budget", "guard:loop", "guard:silence" (it ran away).
    """

    wave: Wave  # [N]
    sample_rate: int
    codes: Codes  # [T, K]
    seed: int
    finish_reason: str
    timing: Timing
    retries: int = 0  # times a guard began again; `seed` is that of the last try

    @property
    def duration_s(self) -> float:
        return len(self.wave) / self.sample_rate

    def save(self, target: str | PathLike[str] | BinaryIO, format: str | None = None) -> None:
        """Write an audio file; the suffix or `format` chooses wav, flac, ogg or mp3."""
        write_audio(target, self.wave, self.sample_rate, format=format)
