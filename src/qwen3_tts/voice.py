"""A cloned voice. numpy, never torch.

Layouts: speaker vector float32 [D]; codes int64 [R, K], one row of K codes per 80 ms frame.
"""

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidVoice, UnknownVoice
from qwen3_tts.voice_file import read_voice_file, write_voice_file

Codes = NDArray[np.int64]
Vector = NDArray[np.float32]

NEUTRAL = "neutral"  # the style of a voice's own reference
LONGEST_STYLE, MOST_TAKES = 32, 64
FAMILY = "qwen3-tts-12hz"  # `Voice.model` is this, a hyphen, and the size as a config has it
SIZES = {1024: "0.6B", 2048: "1.7B"}  # published models by the width of their vectors

# What a file says of a voice and of a take, beside their tensors.
WORDS = ("text", "language", "name", "model", "gain_db", "checks", "consent", "provenance")
WORDS_OF_TAKE = ("text", "language", "gain_db")


@dataclass(frozen=True, eq=False)
class Take:
    """One more reference of a voice, for a style such as "happy" or "whisper".

    It has codes with their text, a vector, or both; what is None is the voice's own.
    """

    codes: Codes | None = None  # [R, K]
    text: str | None = None
    vector: Vector | None = None  # [D]
    language: str | None = None
    gain_db: float | None = None

    def __post_init__(self) -> None:
        if self.vector is not None:
            object.__setattr__(self, "vector", _speaker_vector(self.vector))
        elif self.codes is None:
            raise InvalidVoice("a take needs reference codes or a speaker vector, and has neither")
        _check_reference(self)


@dataclass(frozen=True, eq=False)
class Voice:
    """A cloned voice: a speaker vector, and for in-context cloning the reference itself.

    `codes` and `text` go together: the codec's codes of the recording, and what it says. `model` is
    the family and size it was made for ("qwen3-tts-12hz-0b6"), `gain_db` what brings its speech to
    a common loudness, `checks` what was found of the recording, `consent` the speaker's consent in
    words, `provenance` how it was made; the two mappings hold what json can. `takes` are further
    references by style, see `take`. Raises `InvalidVoice` for what does not hold together.
    """

    vector: Vector  # [D]
    codes: Codes | None = None  # [R, K]
    text: str | None = None
    language: str | None = None
    name: str = ""
    model: str | None = None
    gain_db: float | None = None
    checks: Mapping[str, Any] | None = None
    consent: str | None = None
    provenance: Mapping[str, Any] | None = None
    takes: Mapping[str, Take] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", _speaker_vector(self.vector))
        _check_reference(self)
        for what in ("model", "consent"):
            _check_string(getattr(self, what), what)
        if not isinstance(self.name, str):
            raise InvalidVoice(f"a voice's name is a string, got {type(self.name).__name__}")
        for what in ("checks", "provenance"):
            object.__setattr__(self, what, _plain(getattr(self, what), what))
        object.__setattr__(self, "takes", _checked_takes(self.takes, len(self.vector)))

    @property
    def mode(self) -> str:
        """ "icl" with a reference in context, "x_vector" with the vector alone."""
        return "x_vector" if self.codes is None else "icl"

    @property
    def styles(self) -> list[str]:
        """What `take` knows: "neutral", which is the voice's own reference, and its takes."""
        return [NEUTRAL, *self.takes]

    def take(self, style: str | None) -> "Voice":
        """The voice with the reference of this style, whatever its case; None is "neutral".

        Raises `UnknownVoice` listing the styles there are.
        """
        key = NEUTRAL if style is None else style_key(style)
        if key == NEUTRAL:
            return self
        take = self.takes.get(key)
        if take is None:
            raise UnknownVoice(
                f"voice {self.name!r:.80} has no style {key!r}; have: {', '.join(self.styles)}"
            )
        return replace(
            self,
            vector=self.vector if take.vector is None else take.vector,
            codes=take.codes,
            text=take.text,
            language=take.language or self.language,
            gain_db=self.gain_db if take.gain_db is None else take.gain_db,
            takes={},
        )

    def with_take(self, style: str, take: Take) -> "Voice":
        """A copy with one more take. Raises `InvalidVoice` if it has one of this style."""
        key = style_key(style)
        if key in self.takes:
            raise InvalidVoice(
                f"voice {self.name!r:.80} has a take {key!r} already; remove that first"
            )
        return replace(self, takes={**self.takes, key: take})

    def without_take(self, style: str) -> "Voice":
        """A copy without the take of this style. Raises `UnknownVoice`, or `InvalidVoice`."""
        key = style_key(style)
        if key == NEUTRAL:
            raise InvalidVoice(f"{NEUTRAL!r} is the voice itself and no take; remove the voice")
        self.take(key)
        return replace(self, takes={each: t for each, t in self.takes.items() if each != key})

    def check_width(self, width: int) -> None:
        """Raises `InvalidVoice` unless it fits a model of this width, saying what it was made for.

        `width` is the model's `voice_width`, the numbers in its speaker vectors.
        """
        have = len(self.vector)
        if have == width:
            return
        made_for = self.model or (f"a {SIZES[have]} model" if have in SIZES else "")
        raise InvalidVoice(
            f"voice {self.name!r:.80} was made for another model size"
            + (f" ({made_for:.80})" if made_for else "")
            + f": its vector has {have} numbers, this checkpoint's {width}; "
            "clone its recording with this checkpoint, or load the model it was made for"
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write one safetensors file that `Voice.load` reads back unchanged."""
        tensors = {"vector": self.vector, "codes": self.codes}
        listed = []
        for index, (style, take) in enumerate(self.takes.items()):
            tensors |= {f"take.{index}.vector": take.vector, f"take.{index}.codes": take.codes}
            listed.append({"style": style} | {word: getattr(take, word) for word in WORDS_OF_TAKE})
        about = {word: getattr(self, word) for word in WORDS} | {"takes": listed}
        write_voice_file(path, about, {name: t for name, t in tensors.items() if t is not None})

    @staticmethod
    def load(path: str | PathLike[str]) -> "Voice":
        """Read a voice file. Raises `InvalidVoice` naming the file and what is wrong with it."""
        about, tensors = read_voice_file(path)
        words: dict[str, Any] = {word: about.get(word) for word in WORDS}
        words["name"] = words["name"] or ""
        try:
            return Voice(
                tensors["vector"],
                tensors.get("codes"),
                takes=_listed_takes(about.get("takes") or [], tensors),
                **words,
            )
        except InvalidVoice as error:
            raise InvalidVoice(f"{path}: {error}") from None


def style_key(style: object) -> str:
    """A style's name in lower case, its blanks single. Raises `InvalidVoice`."""
    if not isinstance(style, str):
        raise InvalidVoice(f"a style is a string, got {type(style).__name__}")
    if len(style) <= LONGEST_STYLE and style.isprintable():
        key = " ".join(unicodedata.normalize("NFC", style.casefold()).split())
        if 0 < len(key) <= LONGEST_STYLE:
            return key
    raise InvalidVoice(
        f"style {style[:40]!r} is not allowed: 1 to {LONGEST_STYLE} characters that can be seen"
    )


def _listed_takes(listed: object, tensors: Mapping[str, NDArray[Any]]) -> dict[str, Take]:
    """The takes of a file."""
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise InvalidVoice("broken metadata: takes are a list of objects")
    takes = [
        Take(
            codes=tensors.get(f"take.{index}.codes"),
            vector=tensors.get(f"take.{index}.vector"),
            **{word: item.get(word) for word in WORDS_OF_TAKE},
        )
        for index, item in enumerate(listed[: MOST_TAKES + 1])
    ]
    styles = [style_key(item.get("style")) for item in listed[: MOST_TAKES + 1]]
    if len(set(styles)) < len(styles):
        raise InvalidVoice("broken metadata: two takes have one style")
    return dict(zip(styles, takes, strict=True))


def _checked_takes(given: object, width: int) -> dict[str, Take]:
    if not isinstance(given, Mapping) or len(given) > MOST_TAKES:
        raise InvalidVoice(f"takes are a mapping of styles, up to {MOST_TAKES} of them")
    takes: dict[str, Take] = {}
    for style, take in given.items():
        key = style_key(style)
        if key == NEUTRAL or key in takes:
            why = "is the voice's own reference" if key == NEUTRAL else "is there twice"
            raise InvalidVoice(f"a take cannot have the style {key!r}, which {why}")
        if not isinstance(take, Take):
            raise InvalidVoice(f"take {key!r} is a {type(take).__name__}, it must be a Take")
        if take.vector is not None and len(take.vector) != width:
            raise InvalidVoice(
                f"take {key!r} was made for another model size: its vector has "
                f"{len(take.vector)} numbers, the voice's {width}"
            )
        takes[key] = take
    return takes


def _check_reference(of: Voice | Take) -> None:
    """Check and copy in place what voices and takes have alike."""
    _check_string(of.text, "text of a reference")
    _check_string(of.language, "language")
    gain: object = of.gain_db
    if gain is not None:
        if isinstance(gain, bool) or not isinstance(gain, int | float) or not math.isfinite(gain):
            raise InvalidVoice(f"gain_db is a finite number of decibels, got {gain!r:.40}")
        object.__setattr__(of, "gain_db", float(gain))
    if of.codes is None:
        return
    object.__setattr__(of, "codes", _reference_codes(of.codes))
    if not of.text or not of.text.strip():
        raise InvalidVoice("reference codes need the text that was spoken; it is missing")


def _check_string(text: object, what: str) -> None:
    if text is not None and not isinstance(text, str):
        raise InvalidVoice(f"the {what} must be a string, got {type(text).__name__}")


def _plain(given: object, what: str) -> dict[str, Any] | None:
    """A copy of a mapping as json has it."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidVoice(f"the {what} of a voice must be an object, got {type(given).__name__}")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(given), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidVoice(f"the {what} of a voice must be plain json: {error!s:.100}") from None
    return copy


def _speaker_vector(vector: Any) -> Vector:
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
