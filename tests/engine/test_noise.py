"""Random numbers: the official order within a row, and nothing shared between rows."""

import torch
from torch import Tensor

from qwen3_tts.engine.noise import FrameNoise
from qwen3_tts.engine.options import DrawOptions, SamplingOptions
from qwen3_tts.weights.published import tiny_config

CONFIG = tiny_config("base").talker_config
CPU = torch.device("cpu")


def options(talker_greedy: bool = False, predictor_greedy: bool = False) -> SamplingOptions:
    return SamplingOptions(
        DrawOptions(0.9, 50, 1.0, talker_greedy), DrawOptions(0.9, 50, 1.0, predictor_greedy), 1.05
    )


def noise_of(rows: list[SamplingOptions], seeds: list[int]) -> FrameNoise:
    noise = FrameNoise(CONFIG, len(rows), CPU)
    for row, (sampling, seed) in enumerate(zip(rows, seeds, strict=True)):
        noise.start(row, sampling, seed)
    return noise


def frame(noise: FrameNoise, *active: bool) -> None:
    """A frame of the active rows: numbers are drawn, then used."""
    rows = [row for row, moves in enumerate(active) if moves]
    noise.refill(rows)
    noise.use(rows)


def draws(generator: torch.Generator, *sizes: int) -> list[Tensor]:
    return [torch.empty(1, size).exponential_(generator=generator)[0] for size in sizes]


def test_a_frame_draws_for_the_talker_then_for_each_group() -> None:
    noise = noise_of([options()], [42])
    generator = torch.Generator().manual_seed(42)
    for _ in range(3):  # frame after frame from one generator
        frame(noise, True)
        talker, *groups = draws(generator, 3072, *[2048] * 15)
        assert torch.equal(noise.talker[0], talker)
        assert torch.equal(noise.predictor[0], torch.stack(groups))


def test_greedy_heads_draw_nothing() -> None:
    """As in the official package, where argmax asks no generator: the other head's numbers move."""
    noise = noise_of([options(talker_greedy=True), options(predictor_greedy=True)], [5, 6])
    first, second = torch.Generator().manual_seed(5), torch.Generator().manual_seed(6)
    for _ in range(2):
        frame(noise, True, True)
        assert torch.equal(noise.predictor[0], torch.stack(draws(first, *[2048] * 15)))
        assert torch.equal(noise.talker[1], draws(second, 3072)[0])
    assert torch.equal(noise.talker[0], torch.ones(3072))
    assert torch.equal(noise.predictor[1], torch.ones(15, 2048))


def test_a_row_draws_the_same_in_any_company() -> None:
    """Neighbours, their options and when they end never change a row's numbers."""
    alone = noise_of([options()], [9])
    rows = [options(), options(talker_greedy=True), options(), options()]
    batch = noise_of(rows, [1, 9, 9, 9])
    for count in range(4):
        frame(alone, True)
        frame(batch, count < 1, True, True, count < 2)
        assert torch.equal(batch.talker[2], alone.talker[0])
        assert torch.equal(batch.predictor[2], alone.predictor[0])
        assert torch.equal(batch.talker[3], alone.talker[0]) == (count < 2)


def test_an_ended_row_draws_nothing() -> None:
    noise = noise_of([options(), options()], [1, 2])
    frame(noise, True, True)
    before, states = noise.talker.clone(), [g.get_state() for g in noise.generators]
    frame(noise, False, True)
    assert torch.equal(noise.talker[0], before[0])
    assert torch.equal(noise.generators[0].get_state(), states[0])
    assert not torch.equal(noise.talker[1], before[1])


def test_the_largest_seed_is_taken() -> None:
    first, second = noise_of([options()], [2**63 - 1]), noise_of([options()], [2**63 - 2])
    frame(first, True)
    frame(second, True)
    assert not torch.equal(first.talker, second.talker)


def test_numbers_that_were_not_used_are_kept() -> None:
    """A step that failed is made again with what it had, beside a row that has just begun."""
    noise, undisturbed = noise_of([options(), options()], [1, 2]), noise_of([options()], [1])
    noise.refill([0])
    noise.refill([0, 1])
    frame(undisturbed, True)
    assert torch.equal(noise.talker[0], undisturbed.talker[0])
    noise.use([0, 1])
    frame(noise, True, True)
    frame(undisturbed, True)
    assert torch.equal(noise.talker[0], undisturbed.talker[0])


def test_a_new_request_in_a_row_starts_from_its_seed() -> None:
    noise, fresh = noise_of([options()], [1]), noise_of([options()], [7])
    noise.refill([0])  # drawn for a request that left before it used them
    noise.start(0, options(), 7)
    frame(noise, True)
    frame(fresh, True)
    assert torch.equal(noise.talker, fresh.talker)
