"""Voices mixed of others by their speaker vectors.

"linear" is the weighted mean of the vectors. "slerp" is the mean of their directions on the sphere,
along great circles, with the weighted mean of their lengths: a blend is as long as what it is made
of, where the linear one is shorter, and so nearer to the middle of all voices. Both give the same
bits whatever the order of the parts.

D is the width of a speaker vector, P the number of parts.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidRequest, InvalidVoice
from qwen3_tts.types import Voice

METHODS = ("linear", "slerp")
MOST_PARTS = 16
LONGEST_RECIPE = 4096  # characters
STEPS = 1000  # each makes the error a fraction of what it was; 16 parts at right angles take 52
CLOSE = 1e-13  # radians
LEVEL = 1e-6  # of the mean of unit vectors: below it they point away from each other

Part = tuple[Voice, float]


def mix(parts: Sequence[Part], *, method: str = "linear", name: str = "") -> Voice:
    """A voice of (voice, weight) pairs; only the proportions of the weights matter.

    It has a vector alone: references are not mixed. Its `provenance` is the recipe, its `consent`
    names that of every part if all have one. Raises `InvalidRequest` for weights and methods, and
    `InvalidVoice` for voices that do not go together.
    """
    if method not in METHODS:
        raise InvalidRequest(f"method {method!r:.40} is unknown; allowed: {', '.join(METHODS)}")
    if not 2 <= len(parts) <= MOST_PARTS:
        raise InvalidRequest(f"a mix has 2 to {MOST_PARTS} voices, got {len(parts)}")
    shares = _shares([weight for _, weight in parts])
    # In an order that does not depend on the caller's, so that sums round alike.
    given = [(voice, share) for (voice, _), share in zip(parts, shares, strict=True)]
    given.sort(key=lambda part: (part[0].vector.tobytes(), part[0].name, part[1]))
    voices, weights = [voice for voice, _ in given], np.array([share for _, share in given])
    vectors = _vectors(voices)
    vector = weights @ vectors if method == "linear" else _on_the_sphere(vectors, weights)
    if not np.linalg.norm(vector) > LEVEL * weights @ np.linalg.norm(vectors, axis=1):
        raise _opposite(voices)
    return Voice(
        vector=vector.astype(np.float32),
        language=_common([voice.language for voice in voices]),
        name=name,
        model=next((voice.model for voice in voices if voice.model), None),
        consent=_consent(voices),
        provenance={
            "made": "mix",
            "method": method,
            "parts": [
                {"name": voice.name, "weight": float(weight), "vector_sha256": _digest(voice)}
                for voice, weight in zip(voices, weights, strict=True)
            ],
        },
    )


def parse_recipe(recipe: str) -> list[tuple[str, float]]:
    """Names and weights of "anna(2)+ben"; without a weight it is 1. Raises `InvalidRequest`."""
    if len(recipe) > LONGEST_RECIPE:
        raise InvalidRequest(f"a recipe has up to {LONGEST_RECIPE} characters, got {len(recipe)}")
    pieces = recipe.split("+")
    if len(pieces) > MOST_PARTS:
        raise InvalidRequest(f"a recipe has up to {MOST_PARTS} voices, got {len(pieces)}")
    return [_parse_part(piece) for piece in pieces]


def _parse_part(piece: str) -> tuple[str, float]:
    name, bracket, rest = piece.strip().rpartition("(")
    if not bracket:
        name, rest = rest, "1)"
    try:
        weight = float(rest.removesuffix(")")) if rest.endswith(")") else math.nan
    except ValueError:
        weight = math.nan
    if not name.strip() or math.isnan(weight):
        raise InvalidRequest(f"{piece!r:.80} is no part of a recipe; write anna(2)+ben(1)")
    return name.strip(), weight


def _shares(weights: Sequence[float]) -> list[float]:
    """Weights that sum to 1."""
    for weight in weights:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 1e-6 <= weight <= 1e6:
            raise InvalidRequest(f"weight {weight!r:.40} is not allowed: a number, 1e-6 to 1e6")
    total = math.fsum(weights)  # exact, so the order does not matter
    return [weight / total for weight in weights]


def _vectors(voices: Sequence[Voice]) -> NDArray[np.float64]:
    """Speaker vectors [P, D] that may be added, or `InvalidVoice`."""
    for voice in voices:
        if not voice.vector.any():
            raise InvalidVoice(
                f"voice {voice.name!r:.80} has no speaker vector, its reference in context alone, "
                "so it cannot be mixed; clone its recording again"
            )
    widths = {len(voice.vector): voice for voice in voices}
    if len(widths) > 1:
        told = (f"{voice.name!r:.80} has {width} numbers" for width, voice in widths.items())
        raise InvalidVoice(f"voices of different model sizes cannot be mixed: {', '.join(told)}")
    models = {voice.model: voice for voice in voices if voice.model}
    if len(models) > 1:
        told = (f"{voice.name!r:.80} is of {model:.80}" for model, voice in models.items())
        raise InvalidVoice(f"voices of different models cannot be mixed: {', '.join(told)}")
    return np.stack([voice.vector.astype(np.float64) for voice in voices])


def _on_the_sphere(
    vectors: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean direction of vectors [P, D], by their logarithms, with their mean length -> [D].

    Of two parts it is spherical interpolation. A zero vector where they have no mean.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / lengths[:, None]  # [P, D]
    mean: NDArray[np.float64] = weights @ units
    if np.linalg.norm(mean) <= LEVEL:
        return np.zeros_like(mean)
    mean /= np.linalg.norm(mean)
    for _ in range(STEPS):
        along = units @ mean  # [P]
        across = units - along[:, None] * mean  # [P, D], at right angles to the mean
        sines = np.linalg.norm(across, axis=1)
        angles = np.arctan2(sines, along)
        # angle / sine; 1 where a part lies on the mean
        stretch = np.divide(angles, sines, out=np.ones_like(sines), where=sines > CLOSE)
        step = (weights * stretch) @ across  # [D]
        angle = float(np.linalg.norm(step))
        if angle < CLOSE:
            return mean * float(weights @ lengths)
        mean = math.cos(angle) * mean + math.sin(angle) / angle * step
        mean /= np.linalg.norm(mean)
    return np.zeros_like(mean)


def _opposite(voices: Sequence[Voice]) -> InvalidVoice:
    names = ", ".join(f"{voice.name!r:.80}" for voice in voices)
    return InvalidVoice(f"the vectors of {names} point away from each other; they have no mean")


def _common(languages: Sequence[str | None]) -> str | None:
    return languages[0] if len(set(languages)) == 1 else None


def _consent(voices: Sequence[Voice]) -> str | None:
    """Every speaker's, or None where one is missing."""
    if not all(voice.consent for voice in voices):
        return None
    return "; ".join(f"{voice.name}: {voice.consent}" for voice in voices)


def _digest(voice: Voice) -> str:
    return hashlib.sha256(voice.vector.astype("<f4").tobytes()).hexdigest()
