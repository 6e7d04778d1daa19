"""Codec training: the books are where they belong, the training pass is the serving pass."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from qwen3_tts.config import CodecConfig
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.train.books import Books, corpus_features, encode_corpus
from qwen3_tts.train.codec import (
    Segments,
    decode_training,
    encoder_loss,
    nano_codec_config,
    new_codec,
    spectral_distance,
)
from qwen3_tts.train.recipe.corpus import FRAME, read_audio, read_utterances
from qwen3_tts.train.snake import train_snakes
from tests.refusal import refused
from tests.train.test_books import SMALL, write_sound

B, K, T, V = 2, 4, 5, 16


def small_config() -> CodecConfig:
    """The nano codec at a quarter of its widths."""
    config = nano_codec_config(K, V, SMALL["width"])
    decoder = replace(
        config.decoder_config,
        latent_dim=48,
        hidden_size=32,
        intermediate_size=48,
        head_dim=16,
        num_attention_heads=2,
        num_key_value_heads=2,
        decoder_dim=48,
    )
    encoder = replace(
        config.encoder_config, hidden_size=32, intermediate_size=48, head_dim=8, num_hidden_layers=1
    )
    return replace(config, decoder_config=decoder, encoder_config=encoder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_sound(folder)
    encode_corpus(folder, **SMALL, seed=0)
    return folder


@pytest.fixture(scope="module")
def books(sound: Path) -> Books:
    return Books.load(sound / "books.pt")


@pytest.fixture
def codec(books: Books) -> SpeechCodec:
    torch.manual_seed(0)
    return new_codec(small_config(), books)


def some_codes() -> Tensor:
    return torch.randint(0, V, (B, K, T), generator=torch.Generator().manual_seed(1))


class Always:
    """Draws that keep all books, or `kept` of them."""

    def __init__(self, kept: int | None):
        self.kept = kept

    def random(self, count: int) -> np.ndarray:
        return np.full(count, 1.0 if self.kept is None else 0.0)

    def integers(self, low: int, high: int, count: int) -> np.ndarray:
        assert (low, high) == (2, K + 1)
        return np.full(count, self.kept or 0)


def test_the_latent_is_the_semantic_entry_beside_the_acoustic_sum(
    codec: SpeechCodec, books: Books
) -> None:
    codes = some_codes()
    latent = codec.decoder.codebooks.decode(codes)
    rows = [books.entries[k][codes[:, k]] for k in range(K)]  # [B, T, E] each
    expected = torch.cat([rows[0], sum(rows[1:])], dim=-1).transpose(1, 2)
    # sums in another order, and a product with ones and zeros
    assert torch.allclose(latent, expected, atol=1e-6)


def test_both_halves_hold_the_books(codec: SpeechCodec, books: Books) -> None:
    for half in (codec.encoder, codec.decoder):
        chain = [*half.codebooks.semantic.books, *half.codebooks.acoustic.books]
        for book, entries in zip(chain, books.entries, strict=True):
            found = book.lookup(torch.arange(V)[None])
            assert torch.equal(found[0], entries)
            # entries and not ids: a book of few different patterns holds some of them twice
            assert torch.equal(book.lookup(book.nearest(found)), found)
            assert not any(p.requires_grad for p in (book.embedding_sum, book.cluster_usage))


def test_the_training_pass_is_the_serving_pass(codec: SpeechCodec, books: Books) -> None:
    codes, decoder = some_codes(), codec.decoder
    with torch.no_grad():
        served = decoder(codes, decoder.new_state(B))
        whole = decode_training(decoder, books.entries, codes, Always(None))
        train_snakes(decoder)
        trained = decode_training(decoder, books.entries, codes, Always(None))
    assert served.std() > 1e-4
    # rounding alone: entries are summed in another order
    assert torch.allclose(whole.clamp(-1, 1), served, atol=1e-5 * float(served.abs().max()))
    assert torch.allclose(trained, whole, atol=1e-5 * float(served.abs().max()))


def test_left_out_books_do_not_count(codec: SpeechCodec, books: Books) -> None:
    codes, decoder = some_codes(), codec.decoder
    others = codes.clone()
    others[:, 2:] = (others[:, 2:] + 1) % V
    with torch.no_grad():
        one, two = (decode_training(decoder, books.entries, c, Always(2)) for c in (codes, others))
        all_of_it = decode_training(decoder, books.entries, codes, Always(None))
    assert torch.equal(one, two)
    assert not torch.allclose(one, all_of_it)


def test_a_wave_is_at_no_distance_from_itself() -> None:
    wave = 0.1 * torch.randn(2, 3 * FRAME, generator=torch.Generator().manual_seed(1))
    # a magnitude and its square's root differ in the last bits
    assert spectral_distance(wave, wave) < 1e-5
    near, far = (spectral_distance(wave * gain, wave) for gain in (1.1, 2.0))
    assert 0.01 < near < far


def test_segments_lie_inside_utterances(sound: Path) -> None:
    utterances, audio = read_utterances(sound), read_audio(sound)
    frames = sorted(u.samples // FRAME for u in utterances)[2]  # some are too short
    segments = Segments.of(audio, utterances, frames)
    firsts = segments.draw(400, np.random.default_rng(0))
    allowed = {
        u.start // FRAME + i for u in utterances for i in range(u.samples // FRAME - frames + 1)
    }
    assert set(firsts.tolist()) == allowed  # all of them come up, and no others
    wave = segments.wave(firsts[:3])
    for row, first in zip(wave, firsts, strict=False):
        own = audio[first * FRAME : (first + frames) * FRAME].astype(np.float32) / 32768
        assert np.array_equal(row.numpy(), own)
    with refused(InvalidRequest, "no utterance", "99 frames"):
        Segments.of(audio, utterances, 99)


def test_steps_bring_the_decoder_nearer(sound: Path, codec: SpeechCodec, books: Books) -> None:
    """Two utterances by heart; the learnt sound is judged on the path that serves."""
    utterances = read_utterances(sound)[:2]
    codes, decoder = np.load(sound / "codes.npy"), codec.decoder
    frames = min(u.samples for u in utterances) // FRAME
    ids = torch.from_numpy(
        np.stack([codes[u.start // FRAME :][:frames].T for u in utterances]).astype(np.int64)
    )
    audio = read_audio(sound)
    wave = torch.from_numpy(
        np.stack([audio[u.start :][: frames * FRAME] / np.float32(32768) for u in utterances])
    )

    def distance() -> float:
        with torch.no_grad():
            return float(spectral_distance(decoder(ids, decoder.new_state(2)), wave))

    before = distance()
    train_snakes(decoder)
    optimizer = torch.optim.AdamW([p for p in decoder.parameters() if p.requires_grad], lr=3e-3)
    random = np.random.default_rng(0)
    for _ in range(20):
        loss = spectral_distance(decode_training(decoder, books.entries, ids, random), wave)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert distance() < 0.7 * before


def test_the_encoder_is_pulled_to_the_books(sound: Path, codec: SpeechCodec, books: Books) -> None:
    """Its target is what the acoustic books quantise: with that as latent, the codes come out."""
    utterances = read_utterances(sound)
    features = corpus_features(read_audio(sound), utterances)
    codes = torch.from_numpy(np.load(sound / "codes.npy").astype(np.int64))
    acoustic = codec.encoder.codebooks.acoustic
    with torch.no_grad():
        width = acoustic.input_proj.weight.shape[0]
        acoustic.input_proj.weight.zero_()
        acoustic.input_proj.weight[:, :width, 0] = torch.eye(width)
        latent = torch.zeros(1, acoustic.input_proj.weight.shape[1], len(features))
        latent[0, :width] = books.project(features).T
        found = acoustic.encode(latent, K - 1)[0].T
    # another distance routine: a tie may fall the other way
    assert (found == codes[:, 1:]).float().mean() > 0.99

    entry = utterances[0]
    first, frames = entry.start // FRAME, entry.samples // FRAME
    wave = torch.from_numpy(
        read_audio(sound)[entry.start : entry.start + entry.samples] / np.float32(32768)
    )[None]
    ids = codes[first : first + frames].T[None]
    optimizer = torch.optim.AdamW([p for p in codec.encoder.parameters() if p.requires_grad], 3e-3)
    totals = []
    for _ in range(15):
        parts = encoder_loss(codec.encoder, books, wave, ids, skip=1)
        assert 0 <= parts["accuracy"] <= 1
        loss = parts["acoustic"] + parts["semantic"] + parts["choice"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(float(loss.detach()))
    assert totals[-1] < 0.9 * totals[0]
