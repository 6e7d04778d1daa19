"""Seeds out of torch's global generator."""

from collections.abc import Iterator

import pytest
import torch

from qwen3_tts.compat.seeds import global_seeds

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _leave_the_global_generator_alone() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize("seed", [0, 5, 2**40 + 1, 2**63 - 1])
def test_first_single_text_gets_the_manual_seed(seed: int) -> None:
    torch.manual_seed(seed)
    assert global_seeds(1, CPU) == [seed]


def test_second_text_gets_another_seed_and_both_repeat() -> None:
    torch.manual_seed(5)
    first = [global_seeds(1, CPU), global_seeds(1, CPU)]
    torch.manual_seed(5)
    assert [global_seeds(1, CPU), global_seeds(1, CPU)] == first
    assert first[0] != first[1]


def test_a_generator_in_use_gives_a_drawn_seed() -> None:
    torch.manual_seed(5)
    torch.rand(1)
    (seed,) = global_seeds(1, CPU)
    assert seed != 5
    assert 0 <= seed < 2**63
    torch.manual_seed(5)
    torch.rand(1)
    assert global_seeds(1, CPU) == [seed]


def test_rows_of_a_batch_get_different_seeds_that_repeat() -> None:
    torch.manual_seed(5)
    seeds = global_seeds(4, CPU)
    torch.manual_seed(5)
    assert global_seeds(4, CPU) == seeds
    assert len(set(seeds)) == 4


def test_a_seed_the_engine_cannot_take_is_replaced_by_a_drawn_one() -> None:
    torch.manual_seed(-1)  # torch keeps it as 2**64 - 1
    (seed,) = global_seeds(1, CPU)
    assert 0 <= seed < 2**63


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_devices_own_generator_counts() -> None:
    device = torch.device("cuda")
    torch.manual_seed(5)
    torch.rand(1)  # the CPU's, which the model does not draw from
    assert global_seeds(1, device) == [5]
    assert global_seeds(1, device) != [5]
