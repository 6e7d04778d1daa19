"""Codebooks made from speech itself, before any network is trained.

The first book holds the *phones* of a frame: entries are clusters of who-speaks-when inside 80 ms,
so that words lie in the first code and nothing else does. The other books are residual k-means of
the frame's sound (`features`), brought to few dimensions by its principal components. A wave
encoder learns to find the same entries later; a talker can begin at once.

Dims: T frames, K books, V entries, E entry width.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qwen3_tts.errors import InvalidConfig, ModelNotFound
from qwen3_tts.train.features import BANDS, SUBFRAMES, WIDTH, frame_features
from qwen3_tts.train.recipe.corpus import FRAME, Utterance, read_audio, read_utterances

PART = 8192  # frames worked on at once
PHONE_WEIGHT = 1.5  # of a phone's identity beside its mean sound (of unit variance a band)


@dataclass(frozen=True)
class Books:
    """Entries of all books, and what leads from phones and features to them."""

    entries: Tensor  # [K, V, E]
    phone_names: list[str]
    phone_vectors: Tensor  # [U, P, E]: a frame's phones add up to what the first book quantises
    mean: Tensor  # [WIDTH]
    basis: Tensor  # [WIDTH, E], orthonormal columns
    scale: float  # entries 1.. are features times this, so that both branches are alike in size

    def pattern(self, phones: Tensor) -> Tensor:
        """Phones [T, U], as indices into `phone_names` -> what the first book quantises [T, E]."""
        steps = zip(self.phone_vectors, phones.unbind(1), strict=True)
        return torch.stack([vectors[ids] for vectors, ids in steps]).sum(0)

    def project(self, features: Tensor) -> Tensor:
        """Features [T, WIDTH] -> what the acoustic books quantise [T, E]."""
        return (features.float() - self.mean) @ self.basis * self.scale

    def encode(self, features: Tensor, phones: Tensor) -> Tensor:
        """Codes [T, K] of frames, of their features [T, WIDTH] and phones [T, U]."""
        return torch.cat(
            [
                self._encode(part, own)
                for part, own in zip(
                    torch.split(features, PART), torch.split(phones, PART), strict=True
                )
            ]
        )

    def _encode(self, features: Tensor, phones: Tensor) -> Tensor:
        codes = [nearest(self.pattern(phones), self.entries[0])]
        residual = self.project(features)
        for entries in self.entries[1:]:
            codes.append(nearest(residual, entries))
            residual = residual - entries[codes[-1]]
        return torch.stack(codes, dim=1)

    def save(self, path: Path) -> None:
        torch.save(vars(self), path)

    @staticmethod
    def load(path: Path) -> "Books":
        return Books(**torch.load(path, map_location="cpu", weights_only=True))


def corpus_features(audio: NDArray[np.int16], utterances: Sequence[Utterance]) -> Tensor:
    """Features of every frame of the corpus in order, [T, WIDTH], float16 to save memory."""
    parts = []
    for entry in utterances:
        pcm = audio[entry.start : entry.start + entry.samples]
        wave = torch.from_numpy(pcm.astype(np.float32) / 32768)
        parts.append(frame_features(wave).half())
    return torch.cat(parts)


def phone_table(phones: Tensor, features: Tensor, num_phones: int) -> Tensor:
    """What stands for each phone, [P, P + M]: its identity, and its mean sound in these frames."""
    mel = features[:, : SUBFRAMES * BANDS].float().reshape(-1, BANDS)
    sums = torch.zeros(num_phones, BANDS).index_add_(0, phones.flatten(), mel)
    counts = torch.bincount(phones.flatten(), minlength=num_phones).clamp(min=1)
    sound = sums / counts[:, None]
    sound = (sound - sound.mean(0)) / BANDS**0.5
    return torch.cat([PHONE_WEIGHT * torch.eye(num_phones), sound], dim=1)


def kmeans(points: Tensor, count: int, *, steps: int, generator: torch.Generator) -> Tensor:
    """Cluster centres [count, E] of points [T, E]; empty clusters take a point of a large one."""
    centres = points[torch.randperm(len(points), generator=generator)[:count]].clone()
    for _ in range(steps):
        ids = nearest(points, centres)
        sums = torch.zeros_like(centres).index_add_(0, ids, points)
        counts = torch.bincount(ids, minlength=count)
        empty = (counts == 0).nonzero()[:, 0]
        centres = sums / counts.clamp(min=1)[:, None]
        if len(empty):
            weights = counts[ids].float()
            drawn = torch.multinomial(weights, len(empty), generator=generator)
            centres[empty] = points[drawn]
    return centres


def nearest(points: Tensor, centres: Tensor) -> Tensor:
    """Index of the closest centre of each point, [T]."""
    norms = centres.square().sum(1)
    return torch.cat(
        [(norms - 2 * part @ centres.T).argmin(1) for part in torch.split(points, PART)]
    )


def principal(points: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, the `width` directions of largest variance [D, width], and all variances."""
    mean = points.mean(0)
    covariance = torch.cov((points - mean).T)
    values, vectors = torch.linalg.eigh(covariance)
    return mean, vectors.flip(1)[:, :width].contiguous(), values.flip(0)


def make_books(
    features: Tensor,
    phones: Tensor,
    phone_names: list[str],
    *,
    books: int,
    size: int,
    width: int,
    seed: int,
    steps: int = 12,
) -> tuple[Books, list[float]]:
    """Books from frames' features [T, WIDTH] and phones [T, U]; and the share of the sound's
    variance that is left after 0, 1, ... acoustic books."""
    generator = torch.Generator().manual_seed(seed)
    table = phone_table(phones, features, len(phone_names))
    patterns = table[phones].flatten(1)
    mean, basis, _ = principal(patterns, width)
    patterns = (patterns - mean) @ basis
    vectors = torch.stack(
        [
            (table - own) @ part
            for own, part in zip(
                mean.view(SUBFRAMES, -1), basis.view(SUBFRAMES, -1, width), strict=True
            )
        ]
    )
    entries = [kmeans(patterns, size, steps=2 * steps, generator=generator)]

    mean, basis, variances = principal(features.float(), width)
    residual = (features.float() - mean) @ basis
    scale = float((patterns.square().sum(1).mean() / residual.square().sum(1).mean()).sqrt())
    residual *= scale
    total = float(variances.sum()) * scale**2
    lost = total - float(variances[:width].sum()) * scale**2
    left = [1.0]
    for _ in range(books - 1):
        entries.append(kmeans(residual, size, steps=steps, generator=generator))
        residual -= entries[-1][nearest(residual, entries[-1])]
        left.append((float(residual.square().sum(1).mean()) + lost) / total)
    return Books(torch.stack(entries), phone_names, vectors, mean, basis, scale), left


def encode_corpus(
    folder: Path,
    *,
    books: int = 6,
    size: int = 512,
    width: int = 48,
    seed: int = 0,
    frames: int = 90_000,
    like: Path | None = None,
) -> list[float]:
    """Make books from `frames` random frames of the training split, and codes of all frames.

    With `like`, the books of that corpus serve instead, so that both can be learnt from together.
    Writes books.pt and codes.npy into the corpus folder; returns the share of the sound's variance
    left after 0, 1, ... acoustic books (nothing with `like`).
    """
    for name in ("utterances.jsonl", "audio.i16", "phones.npy", "phones.json"):
        if not (folder / name).is_file():
            raise ModelNotFound(f"no {name} in {folder}; make a corpus first")
    utterances = read_utterances(folder)
    features = corpus_features(read_audio(folder), utterances)
    phones = torch.from_numpy(np.load(folder / "phones.npy").astype(np.int64)).view(-1, SUBFRAMES)
    names: list[str] = json.loads((folder / "phones.json").read_text())
    left: list[float] = []
    if like is not None:
        made = Books.load(like / "books.pt")
        phones = _renamed(phones, names, made.phone_names)
    else:
        known = torch.from_numpy(frames_of([u for u in utterances if u.split == "train"]))
        generator = torch.Generator().manual_seed(seed)
        chosen = known[torch.randperm(len(known), generator=generator)[:frames]]
        if len(chosen) < size or width > WIDTH:
            raise InvalidConfig(
                f"books of {size} x {width} cannot be made of {len(chosen)} frames x {WIDTH}"
            )
        made, left = make_books(
            features[chosen], phones[chosen], names, books=books, size=size, width=width, seed=seed
        )  # fmt: skip
    made.save(folder / "books.pt")
    np.save(folder / "codes.npy", made.encode(features, phones).numpy().astype(np.int16))
    return left


def _renamed(phones: Tensor, names: list[str], wanted: list[str]) -> Tensor:
    """The same phones as indices into `wanted`."""
    unknown = sorted(set(names) - set(wanted))
    if unknown:
        raise InvalidConfig(f"phones {', '.join(unknown)} are in the corpus but not in the books")
    return torch.tensor([wanted.index(name) for name in names])[phones]


def frames_of(utterances: Sequence[Utterance]) -> NDArray[np.int64]:
    """Indices of all frames of these utterances."""
    spans = [np.arange(u.start // FRAME, (u.start + u.samples) // FRAME) for u in utterances]
    return np.concatenate([np.zeros(0, np.int64), *spans])
