"""Talker and code predictor on the kernels against torch with the same rounded weights."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qwen3_tts.engine.sampling import HeadOptions, draw
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.library import Pool
from qwen3_tts.native.speech import NativeSpeech, misfit
from qwen3_tts.native.structs import DrawOptions
from qwen3_tts.quantize.plan import quantize_model
from qwen3_tts.quantize.rows import Format
from qwen3_tts.weights.published import published_config, tiny_config
from qwen3_tts.weights.random import random_speech_model

FORMATS: list[Format | None] = ["int8", "int4", None]
FLOAT = torch.zeros(1)
HALF = torch.zeros(1, dtype=torch.bfloat16)
V = 2048
# Products are off by 2^-15 of their inputs (test_matrix.py), and three layers add up to this.
CLOSE = {"rtol": 0.0, "atol": 3e-3}


class Pair:
    """The same rounded model twice."""

    def __init__(self, wide: bool, format: Format | None, pool: Pool):
        config = tiny_config("custom_voice", wide=wide)
        model = random_speech_model(config, 4, torch.bfloat16)
        self.config = config.talker_config
        self.torch = deepcopy(model).float()
        if format:
            quantize_model(self.torch, format)
        self.native = NativeSpeech(model, format, pool)

    def caches(self, rows: int, like: Tensor = FLOAT) -> tuple[KVCache, KVCache]:
        first, second = (KVCache.new(self.config, rows, 24, like) for _ in range(2))
        return first, second

    def frame_cache(self, rows: int) -> FrameCache:
        return FrameCache.new(self.config.code_predictor_config, rows, FLOAT)

    def hidden(self, rows: int) -> tuple[Tensor, Tensor]:
        """Inputs of a frame: hidden states and first codes."""
        torch.manual_seed(rows)
        return torch.randn(rows, self.config.hidden_size), torch.arange(rows) * 3

    def fill(self, rows: int, options: HeadOptions, noise: Tensor, threads: int = 2) -> Tensor:
        hidden, first = self.hidden(rows)
        self.native.threads = threads
        given = addresses(options)
        return self.native.fill_frame(hidden, first, noise, given, self.frame_cache(rows))

    def fill_by_torch(self, rows: int, options: HeadOptions, noise: Tensor) -> Tensor:
        hidden, first = self.hidden(rows)
        predictor, cache = self.torch.code_predictor, self.frame_cache(rows)
        scores = predictor.start(hidden, self.torch.talker.codec_embedding(first), cache)
        codes = [first, draw(scores, options, noise[:, 0])]
        for group in range(1, 15):
            scores = predictor.step(group, codes[-1], cache)
            codes.append(draw(scores, options, noise[:, group]))
        return torch.stack(codes, 1)


@pytest.fixture(params=[False, True], ids=["narrow", "wide"])
def wide(request: Any) -> bool:
    return bool(request.param)


@pytest.fixture(params=FORMATS, ids=str)
def pair(wide: bool, request: Any, pool: Pool) -> Pair:
    return Pair(wide, request.param, pool)


def options_of(rows: list[tuple[float, int, float, bool]]) -> HeadOptions:
    """(temperature, top_k, top_p, greedy) of every row."""
    options = HeadOptions.new(len(rows), V, torch.device("cpu"))
    for row, (temperature, top_k, top_p, greedy) in enumerate(rows):
        options.temperature[row] = temperature
        options.top_k[row] = top_k or V
        options.tail[row] = 1 - top_p
        options.greedy[row] = greedy
    options.widest_k = int(options.top_k.max())
    options.use_top_p = bool((options.tail > 0).any())
    return options


def addresses(options: HeadOptions) -> DrawOptions:
    names = ("temperature", "tail", "top_k", "greedy")
    return DrawOptions(**{name: getattr(options, name).data_ptr() for name in names})


def test_the_talker_says_what_torch_says(pair: Pair) -> None:
    """A prompt, then steps, of rows that stand at different places."""
    ours, theirs = pair.caches(2)
    torch.manual_seed(5)
    lengths = (3, 7)
    with torch.inference_mode():
        for row, length in enumerate(lengths):
            x = torch.randn(1, length, pair.config.hidden_size)
            a, b = ours.rows(row, row + 1), theirs.rows(row, row + 1)
            got, expected = (
                pair.native.talker(x, a, length),
                pair.torch.talker(x, b.span(length, length)),
            )
            torch.testing.assert_close(got, expected, **CLOSE)
            a.pos += length
            b.pos += length
        for step in range(4):
            x = torch.randn(2, 1, pair.config.hidden_size)
            limit = max(lengths) + step + 1
            got, expected = (
                pair.native.talker(x, ours, limit),
                pair.torch.talker(x, theirs.span(1, limit)),
            )
            torch.testing.assert_close(got, expected, **CLOSE)
            ours.pos += 1
            theirs.pos += 1
        scores = pair.native.logits(got[:, 0]), pair.torch.talker.logits(got[:, 0])
        torch.testing.assert_close(*scores, **CLOSE)


def test_memory_in_bfloat16_is_near(pair: Pair) -> None:
    ours, theirs = pair.caches(1, HALF)[0], pair.caches(1)[1]
    x = torch.randn(1, 9, pair.config.hidden_size, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        error = pair.native.talker(x, ours, 9) - pair.torch.talker(x, theirs.span(9, 9))
    # keys and values rounded to 2^-9 of themselves, in three layers
    assert error.norm() < 0.02 * (9 * pair.config.hidden_size) ** 0.5


def test_a_prompt_in_pieces_is_the_prompt(pair: Pair) -> None:
    """Bit for bit: a position's numbers do not depend on what is read with it."""
    x = torch.randn(1, 11, pair.config.hidden_size, generator=torch.Generator().manual_seed(7))
    whole, pieces = pair.caches(1)
    expected, got = pair.native.talker(x, whole, 11), []
    for start, end in ((0, 1), (1, 6), (6, 11)):
        got.append(pair.native.talker(x[:, start:end], pieces, end))
        pieces.pos += end - start
    assert torch.equal(torch.cat(got, 1), expected)


def test_a_row_feels_neither_neighbours_nor_threads(pair: Pair) -> None:
    torch.manual_seed(8)
    x = torch.randn(3, 5, pair.config.hidden_size)
    together = pair.native.talker(x, pair.caches(3)[0], 5)
    pair.native.threads = 1
    for row in range(3):
        alone = pair.native.talker(x[row : row + 1], pair.caches(1)[0], 5)
        assert torch.equal(alone[0], together[row])


def test_a_greedy_frame_is_torchs(pair: Pair) -> None:
    """Scores of a random model lie close, so what is compared is up to the first code that differs
    by less than the products' own error."""
    options, noise = options_of([(1.0, 1, 1.0, True)] * 3), torch.ones(3, 15, V)
    with torch.inference_mode():
        got, expected = pair.fill(3, options, noise), pair.fill_by_torch(3, options, noise)
    same = (got == expected).all(1)
    assert same.sum() >= 2, (got, expected)


MANNERS = [
    (0.9, 50, 1.0, False),
    (1.3, 0, 1.0, False),
    (0.7, 20, 0.8, False),
    (1.0, 0, 0.5, False),
    (1.0, 1, 1.0, False),
    (0.9, 50, 0.0, False),
    (1.0, 50, 1.0, True),
]


def test_codes_are_drawn_as_the_engine_draws_them(pool: Pool) -> None:
    """Every manner in one batch, against torch's `draw` from the same random numbers."""
    pair = Pair(False, None, pool)
    options, rows = options_of(MANNERS), len(MANNERS)
    agreed = total = 0
    for seed in range(6):
        noise = torch.empty(rows, 15, V).exponential_(generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            got, expected = (
                pair.fill(rows, options, noise),
                pair.fill_by_torch(rows, options, noise),
            )
        agreed += int((got == expected).all(1).sum())
        total += rows
    # one code in 15 that falls on the other side of a threshold by 1e-4 changes those after it
    assert agreed >= 0.9 * total


def test_a_drawn_frame_feels_neither_neighbours_nor_threads(pair: Pair) -> None:
    options = options_of(MANNERS[:4])
    noise = torch.empty(4, 15, V).exponential_(generator=torch.Generator().manual_seed(9))
    together = pair.fill(4, options, noise)
    assert torch.equal(pair.fill(4, options, noise, threads=1), together)
    for rows in (1, 2, 3):
        hidden, first = pair.hidden(4)
        alone = pair.native.fill_frame(
            hidden[:rows], first[:rows], noise[:rows], addresses(options), pair.frame_cache(rows)
        )
        assert torch.equal(alone, together[:rows])


def test_embeddings_of_codes_are_added(pair: Pair) -> None:
    torch.manual_seed(10)
    codes = torch.randint(0, V, (5, 16))
    codes[1, 3:] = -1
    codes[2] = -1
    x = torch.randn(5, pair.config.hidden_size)
    expected = x + pair.torch.embed_codes(codes[:, :, None])[:, 0]
    torch.testing.assert_close(pair.native.add_codes(x.clone(), codes), expected)


def test_shapes_that_do_not_fit_are_named() -> None:
    assert misfit(published_config("base", "0.6B")) is None
    assert misfit(published_config("base", "1.7B")) is None
    config = tiny_config("base")
    object.__setattr__(config.talker_config, "head_dim", 144)
    assert "144" in str(misfit(config))


def test_rounded_layers_are_packed_as_they_are(pool: Pool) -> None:
    """Rounding at load and rounding before it give one model."""
    config = tiny_config("custom_voice")
    model: SpeechModel = random_speech_model(config, 4, torch.bfloat16)
    before = NativeSpeech(quantize_model(deepcopy(model), "int4"), None, pool)
    after = NativeSpeech(model, "int4", pool)
    x = torch.randn(1, 4, config.talker_config.hidden_size)
    hidden = [
        native.talker(x, KVCache.new(config.talker_config, 1, 8, FLOAT), 4)
        for native in (before, after)
    ]
    assert torch.equal(*hidden)
    assert torch.equal(before.logits(hidden[0][:, 0]), after.logits(hidden[0][:, 0]))
    assert not [
        layer
        for layer in model.talker.transformer.modules()
        if isinstance(layer, nn.Linear) and list(layer.parameters())
    ]
