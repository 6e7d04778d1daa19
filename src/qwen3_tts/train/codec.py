"""Training the two halves of a codec against codebooks that already exist (`books`).

The decoder learns codes -> wave by spectral distances at several resolutions; the encoder learns
wave -> the vectors that the books quantise. Both are the classes that serve.

Dims: B rows, K books, T frames, N samples, E entry width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from qwen3_tts.config import CodecConfig
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.model.codec.codebooks import Codebook, SplitCodebooks
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.encoder import CodecEncoder, StridedConv1d
from qwen3_tts.train.books import Books, nearest
from qwen3_tts.train.features import frame_features, mel_bands
from qwen3_tts.train.recipe.corpus import FRAME, LEVEL, Utterance
from qwen3_tts.weights.published import published_codec_config

FFT_SIZES = (2048, 1024, 512, 256, 128)
QUIET = 1e-3  # magnitudes below are alike to the ear here; keeps the logarithm from ruling


def nano_codec_config(books: int, size: int, width: int) -> CodecConfig:
    """The official architecture, small. `width` is that of the entries."""
    full = published_codec_config()
    encoder = replace(
        full.encoder_config,
        codebook_dim=width,
        vector_quantization_hidden_dimension=width,
        codebook_size=size,
        num_quantizers=books,
        hidden_size=128,
        intermediate_size=384,
        head_dim=32,
        num_attention_heads=4,
        num_key_value_heads=4,
        num_filters=8,
        num_hidden_layers=3,
        upsample_groups=128,
        layer_scale_initial_scale=0.1,
    )
    decoder = replace(
        full.decoder_config,
        codebook_dim=2 * width,
        codebook_size=size,
        num_quantizers=books,
        latent_dim=128,
        hidden_size=128,
        intermediate_size=256,
        head_dim=32,
        num_attention_heads=4,
        num_key_value_heads=4,
        num_hidden_layers=2,
        decoder_dim=128,
        sliding_window=12,
        layer_scale_initial_scale=0.1,
    )
    return replace(
        full,
        encoder_config=encoder,
        decoder_config=decoder,
        encoder_valid_num_quantizers=books,
    )


def new_codec(config: CodecConfig, books: Books) -> SpeechCodec:
    """A codec with random networks around these books, both halves."""
    codec = SpeechCodec(config)
    for half in (codec.encoder, codec.decoder):
        place_books(half.codebooks, books.entries)
    with torch.no_grad():
        for i, branch in enumerate(
            (codec.decoder.codebooks.semantic, codec.decoder.codebooks.acoustic)
        ):
            # The semantic entry fills the first half of the latent, the acoustic sum the second:
            # nothing is lost in their sum.
            eye = torch.zeros_like(branch.output_proj.weight)
            width = eye.shape[1]
            eye[i * width : (i + 1) * width, :, 0] = torch.eye(width)
            branch.output_proj.weight.copy_(eye)
            branch.output_proj.weight.requires_grad_(False)
        for name, parameter in codec.decoder.latent_stages.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.1)
        codec.decoder.wave_out.weight.mul_(0.1)
        for part in codec.encoder.modules():
            if isinstance(part, StridedConv1d):
                # PyTorch's own start loses two thirds of the signal in each layer: after eleven of
                # them the output hardly depends on the wave, and nothing is learnt.
                part.weight.normal_(0, 1.3 / part.weight[0].numel() ** 0.5)
        codec.encoder.conv_in.weight.mul_(1 / LEVEL)
    return codec


def place_books(books: SplitCodebooks, entries: Tensor) -> None:
    """Write entries [K, V, E] into a half's codebooks, which no training then changes."""
    chain: Sequence[Codebook] = [*books.semantic.books, *books.acoustic.books]
    for book, values in zip(chain, entries, strict=True):
        with torch.no_grad():
            book.embedding_sum.copy_(values)
            book.cluster_usage.fill_(1)
        book.embedding_sum.requires_grad_(False)
        book.cluster_usage.requires_grad_(False)


@dataclass(frozen=True)
class Segments:
    """Draws stretches of `frames` frames out of a corpus; shorter utterances are left out.

    Raises `InvalidRequest` if none is left.
    """

    audio: NDArray[np.int16]
    starts: NDArray[np.int64]  # first frame of each usable utterance
    lengths: NDArray[np.int64]
    frames: int

    @staticmethod
    def of(audio: NDArray[np.int16], utterances: Sequence[Utterance], frames: int) -> "Segments":
        usable = [u for u in utterances if u.samples >= frames * FRAME]
        if not usable:
            raise InvalidRequest(f"no utterance to train on has {frames} frames; ask for fewer")
        starts = np.array([u.start // FRAME for u in usable])
        lengths = np.array([u.samples // FRAME for u in usable])
        return Segments(audio, starts, lengths, frames)

    def draw(self, rows: int, random: np.random.Generator) -> NDArray[np.int64]:
        """First frames of `rows` stretches, [rows]; one in eight begins an utterance."""
        picked = random.choice(len(self.starts), rows, p=self.lengths / self.lengths.sum())
        room = self.lengths[picked] - self.frames
        offset = (random.random(rows) * (room + 1)).astype(np.int64)
        return self.starts[picked] + offset * (random.random(rows) > 0.125)

    def wave(self, firsts: NDArray[np.int64]) -> Tensor:
        """[B, frames * FRAME], float32."""
        span = np.arange(self.frames * FRAME)
        return torch.from_numpy(self.audio[firsts[:, None] * FRAME + span] / np.float32(32768))


def spectral_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of log and of compressed magnitudes, over all FFT sizes.

    Waves [B, N]. Magnitudes are of unit-sum windows, so one floor fits all sizes.
    """
    total = made.new_zeros(())
    for size in FFT_SIZES:
        window = torch.hann_window(size)
        window = window / window.sum()
        one, two = (
            torch.stft(x, size, size // 4, window=window, center=True, return_complex=True)
            for x in (made, wanted)
        )
        low = QUIET / size**0.5
        a = (one.real.square() + one.imag.square() + low**2).sqrt()
        b = two.abs().square().add(low**2).sqrt()
        total = total + (a.log() - b.log()).abs().mean() + 10 * (a.sqrt() - b.sqrt()).abs().mean()
        if size >= 512:
            bands = mel_bands(size, 64, 50.0, 8000.0)
            total = total + 2 * ((bands @ a).log() - (bands @ b).log()).abs().mean()
    return total / len(FFT_SIZES)


def decode_training(
    decoder: CodecDecoder, books: Tensor, codes: Tensor, random: np.random.Generator
) -> Tensor:
    """Codes [B, K, T] -> wave [B, N], some rows with their last books left out.

    A decoder that has heard frames without their fine books forgives wrong fine codes.
    """
    rows, count, _ = codes.shape
    kept = np.where(random.random(rows) < 0.3, random.integers(2, count + 1, rows), count)
    mask = torch.from_numpy(np.arange(count)[None] < kept[:, None])
    vectors = books[torch.arange(count)[:, None], codes] * mask[:, :, None, None]  # [B, K, T, E]
    latent = torch.cat([vectors[:, 0], vectors[:, 1:].sum(1)], dim=-1).transpose(1, 2)
    return decoder.from_latent(latent, decoder.new_state(rows))


def encoder_loss(
    encoder: CodecEncoder, books: Books, wave: Tensor, codes: Tensor, skip: int
) -> dict[str, Tensor]:
    """How far the encoder is from the books' vectors for wave [B, N] with codes [B, K, T].

    `skip` frames at the start have too little past to be judged.
    """
    latent = encoder.latent(wave)  # [B, C, T]
    semantic = encoder.codebooks.semantic.input_proj(latent).transpose(1, 2)[:, skip:]
    acoustic = encoder.codebooks.acoustic.input_proj(latent).transpose(1, 2)[:, skip:]
    with torch.no_grad():
        features = torch.stack([books.project(frame_features(row)) for row in wave])[:, skip:]
    size = books.entries[0].square().sum(1).mean()
    first = codes[:, 0, skip:].flatten()
    flat = semantic.flatten(0, 1)
    scores = 2 * flat @ books.entries[0].T - books.entries[0].square().sum(1)
    return {
        "acoustic": (acoustic - features).square().sum(-1).mean() / size,
        "semantic": (flat - books.entries[0][first]).square().sum(-1).mean() / size,
        "choice": 0.2 * F.cross_entropy(scores * (8 / size), first),
        "accuracy": (nearest(flat.detach(), books.entries[0]) == first).float().mean(),
    }
