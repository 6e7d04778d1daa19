"""Codebooks: each entry stands for itself, more books keep more of the sound, all is repeatable."""

import json
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from qwen3_tts.errors import InvalidConfig, ModelNotFound
from qwen3_tts.train.books import (
    Books,
    corpus_features,
    encode_corpus,
    kmeans,
    make_books,
    nearest,
)
from qwen3_tts.train.features import SUBFRAMES
from qwen3_tts.train.recipe.corpus import (
    FRAME,
    SAMPLE_RATE,
    STEP,
    Utterance,
    read_audio,
    read_utterances,
)
from tests.refusal import refused

PHONES = "pabcdefg"  # p is a pause; a sound lasts 80 or 160 ms
SMALL = {"books": 4, "size": 16, "width": 8}


def write_sound(folder: Path, *, texts: int = 8, held_out: int = 2, seed: int = 0) -> None:
    """A corpus as `build_corpus` writes it, of buzzes and hisses, one for each letter."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    waves, labels, lines, start = [], [], [], 0
    for index in range(texts + held_out):
        text = "".join(random.choice(list(PHONES[1:]), 6))
        steps = [2] + [int(n) for n in random.integers(1, 3, 6)]
        letters = "p" + text
        wave = np.concatenate([_sound(x, n, random) for x, n in zip(letters, steps, strict=True)])
        words = [(0, 6, 2 * FRAME / SAMPLE_RATE, len(wave) / SAMPLE_RATE)]
        split = "train" if index < texts else "held_out"
        lines.append(Utterance(index, text, "bee", "english", split, start, len(wave), words))
        ids = [PHONES.index(x) for x, n in zip(letters, steps, strict=True) for _ in range(n)]
        labels.append(np.repeat(np.array(ids, np.uint8), FRAME // STEP))
        waves.append(wave)
        start += len(wave)
    np.concatenate(waves).tofile(folder / "audio.i16")
    np.save(folder / "phones.npy", np.concatenate(labels))
    (folder / "phones.json").write_text(json.dumps(list(PHONES)))
    listing = "".join(json.dumps(asdict(line)) + "\n" for line in lines)
    (folder / "utterances.jsonl").write_text(listing)


def _sound(letter: str, frames: int, random: np.random.Generator) -> np.ndarray:
    time_s = np.arange(frames * FRAME) / SAMPLE_RATE
    number = PHONES.index(letter)
    wave = random.normal(0, 0.002 + 0.01 * (number % 3), len(time_s))
    if number:
        pitch = 90 + 15 * number + random.normal(0, 3)
        for k in range(1, 3 + 2 * number):
            wave += 0.1 / k * np.sin(2 * np.pi * k * pitch * time_s)
    return (wave.clip(-1, 1) * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_sound(folder)
    return folder


def same(one: Books, two: Books) -> bool:
    pairs = [(getattr(one, f.name), getattr(two, f.name)) for f in fields(Books)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_an_entry_is_nearest_to_itself() -> None:
    entries = torch.randn(300, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(nearest(entries, entries), torch.arange(300))
    points = torch.randn(500, 8, generator=torch.Generator().manual_seed(2))
    assert torch.equal(nearest(points, entries), torch.cdist(points, entries).argmin(1))


def test_kmeans_finds_what_is_apart() -> None:
    generator = torch.Generator().manual_seed(3)
    middles = 10 * torch.eye(6)
    points = (middles[:, None] + 0.1 * torch.randn(6, 50, 6, generator=generator)).flatten(0, 1)
    found = kmeans(points, 12, steps=10, generator=generator)
    distance = torch.cdist(middles, found).min(1).values
    assert (distance < 0.5).all()  # twelve centres for six heaps of radius 0.1 sqrt(6)


def test_kmeans_of_few_different_points_stays_finite() -> None:
    """Clusters that nothing falls into take a point; a book may then hold an entry twice."""
    points = torch.eye(4).repeat(10, 1)
    found = kmeans(points, 8, steps=5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found[nearest(points, found)], points)


def test_more_books_leave_less_of_the_sound(sound: Path) -> None:
    left = encode_corpus(sound, **SMALL, seed=0)
    assert left[0] == 1
    assert all(after < before for before, after in pairwise(left)), left
    codes = np.load(sound / "codes.npy")
    utterances, made = read_utterances(sound), Books.load(sound / "books.pt")
    frames = sum(entry.samples for entry in utterances) // FRAME
    assert (codes.dtype, codes.shape) == (np.int16, (frames, 4))

    # the share counts all the sound, what the directions leave out included
    features = corpus_features(read_audio(sound), utterances).float()
    known = np.concatenate(
        [
            np.arange(u.start // FRAME, (u.start + u.samples) // FRAME)
            for u in utterances
            if u.split == "train"
        ]
    )
    wanted = features[known] - made.mean
    ids = torch.from_numpy(codes[known].astype(np.int64))
    vectors = torch.stack([made.entries[k][ids[:, k]] for k in (1, 2, 3)]).sum(0)
    rest = wanted - vectors / made.scale @ made.basis.T
    share = rest.square().sum() / (features[known] - features[known].mean(0)).square().sum()
    # float32 sums, and a variance over T - 1 against sums over T
    assert left[-1] == pytest.approx(float(share), rel=0.02)


def test_the_first_code_hears_phones_alone(sound: Path) -> None:
    encode_corpus(sound, **SMALL, seed=0)
    phones = np.load(sound / "phones.npy").reshape(-1, SUBFRAMES)
    codes = np.load(sound / "codes.npy")
    firsts: dict[bytes, set[int]] = {}
    for row, code in zip(phones, codes, strict=True):
        firsts.setdefault(row.tobytes(), set()).add(int(code[0]))
    assert all(len(found) == 1 for found in firsts.values())
    assert len({min(found) for found in firsts.values()}) == len(firsts) == len(PHONES)


def test_the_seed_decides(sound: Path) -> None:
    made, codes = [], []
    for seed in (0, 0, 1):
        encode_corpus(sound, **SMALL, seed=seed)
        made.append(Books.load(sound / "books.pt"))
        codes.append(np.load(sound / "codes.npy"))
    assert same(made[0], made[1])
    assert np.array_equal(codes[0], codes[1])
    assert not same(made[0], made[2])
    features = corpus_features(read_audio(sound), read_utterances(sound))
    phones = torch.from_numpy(np.load(sound / "phones.npy").astype(np.int64)).view(-1, SUBFRAMES)
    made = [make_books(features, phones, list(PHONES), **SMALL, seed=s)[0] for s in (0, 0, 1)]
    assert same(made[0], made[1])
    assert not same(made[0], made[2])  # of the same frames: other clusters to start from


def test_books_of_another_corpus(sound: Path, tmp_path: Path) -> None:
    """Its phones may be numbered otherwise; the same sound then has the same codes."""
    encode_corpus(sound, **SMALL, seed=0)
    for name in ("utterances.jsonl", "audio.i16"):
        (tmp_path / name).write_bytes((sound / name).read_bytes())
    order = np.random.default_rng(0).permutation(len(PHONES))
    phones = np.load(sound / "phones.npy")
    np.save(tmp_path / "phones.npy", np.argsort(order).astype(np.uint8)[phones])
    (tmp_path / "phones.json").write_text(json.dumps([PHONES[i] for i in order]))
    assert encode_corpus(tmp_path, like=sound) == []
    assert same(Books.load(tmp_path / "books.pt"), Books.load(sound / "books.pt"))
    assert np.array_equal(np.load(tmp_path / "codes.npy"), np.load(sound / "codes.npy"))
    names = json.dumps([*[PHONES[i] for i in order[:-1]], "x"])
    (tmp_path / "phones.json").write_text(names)
    with refused(InvalidConfig, "phones x are in the corpus but not in the books"):
        encode_corpus(tmp_path, like=sound)


def test_what_is_no_corpus_or_too_small(sound: Path, tmp_path: Path) -> None:
    with refused(ModelNotFound, "no utterances.jsonl in", "make a corpus first"):
        encode_corpus(tmp_path)
    with refused(InvalidConfig, "512 x 48", "frames"):
        encode_corpus(sound)
