"""Whose voice is it? A plain score from long-term spectra, for a handful of synthetic speakers.

This is no speaker verification: an utterance becomes the mean and the spread of its mel-cepstra,
every number is brought to mean 0 and spread 1 over the teacher's voices, and two such vectors are
compared by their cosine. It tells apart voices as different as flite's; pitch does not enter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listening import teacher
from listening.spectra import cepstra_of, mel
from qwen3_tts.audio.files import Wave
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import InvalidAudio

HEARD = 4.0  # natural log, 35 dB: frames this far below the loudest are pauses

Array = NDArray[np.float64]
Describe = Callable[[Wave], Array]


@dataclass(frozen=True, eq=False)
class Likeness:
    """Of utterances to the teacher's voice that they should have."""

    own: list[float]  # cosine to that voice, -1..1
    others: list[float]  # to the nearest of the other voices

    @property
    def nearest(self) -> float:
        """Share of utterances that no other voice is as near to."""
        return float(np.mean(np.array(self.own) > np.array(self.others)))


class Speakers:
    """Vectors of known voices, each the mean over some utterances."""

    def __init__(self, spoken: Mapping[str, Sequence[Wave]], describe: Describe, scaled: bool):
        """`describe` makes a vector of a wave; `scaled` brings its numbers to a common scale."""
        self.describe = describe
        vectors = {name: np.stack([describe(w) for w in ws]) for name, ws in spoken.items()}
        means = np.stack([rows.mean(0) for rows in vectors.values()])
        # Spread over single utterances, so that what wavers within a voice counts for little.
        every = np.concatenate(list(vectors.values()))
        self.centre = means.mean(0) if scaled else np.zeros_like(means[0])
        self.spread = every.std(0) + 1e-9 if scaled else np.ones_like(means[0])
        self.voices = dict(zip(vectors, (means - self.centre) / self.spread, strict=True))

    def likeness(self, waves: Sequence[Wave], voice: str) -> Likeness:
        """How like `voice` the waves are, and how like the others."""
        own, others = [], []
        for wave in waves:
            vector = (self.describe(wave) - self.centre) / self.spread
            scores = {name: cosine(vector, known) for name, known in self.voices.items()}
            own.append(scores.pop(voice))
            others.append(max(scores.values()))
        return Likeness(own, others)


def by_cepstra(spoken: Mapping[str, Sequence[Wave]]) -> Speakers:
    return Speakers(spoken, statistics, scaled=True)


def by_encoder(spoken: Mapping[str, Sequence[Wave]], tts: Qwen3Synthesizer) -> Speakers:
    """With the speaker encoder of a base checkpoint; sound too quiet for it is like nobody."""

    def describe(wave: Wave) -> Array:
        try:
            voice = tts.clone_voice((wave, teacher.RATE), mode="x_vector", check=False)
        except InvalidAudio:
            return np.zeros(tts.config.talker_config.hidden_size)
        return voice.vector.astype(np.float64)

    return Speakers(spoken, describe, scaled=False)


def statistics(wave: Wave) -> Array:
    """Mean and standard deviation of cepstra 1..13 where there is speech, [26]."""
    bands = mel(wave)
    peak = bands.max(axis=1)
    speech = cepstra_of(bands[peak >= peak.max() - HEARD])
    return np.concatenate([speech.mean(0), speech.std(0)])


def cosine(left: Array, right: Array) -> float:
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right) + 1e-12))
