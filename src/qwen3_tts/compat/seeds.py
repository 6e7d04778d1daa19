"""Seeds from torch's global generator, so that `torch.manual_seed` governs speech as it does there.

The official package draws every code from the global generator. Here each text draws from a
generator of its own, which needs a seed.
"""

import torch

from qwen3_tts.engine.plan import MAX_SEED


def global_seeds(count: int, device: torch.device) -> list[int]:
    """A seed per text, from the global generator of `device`, which moves on.

    Where a single text comes first after `torch.manual_seed(s)`, its seed is s itself: then the
    codes are the official ones for s. Otherwise seeds are drawn, so that speech is repeatable
    after `torch.manual_seed` and differs from call to call.
    """
    generator = _global_generator(device)
    initial = generator.initial_seed()
    fresh = torch.Generator(generator.device).manual_seed(initial).get_state()
    untouched = torch.equal(generator.get_state(), fresh)
    drawn = torch.randint(MAX_SEED, (count,), generator=generator, device=generator.device)
    if count == 1 and untouched and initial <= MAX_SEED:
        return [initial]
    seeds: list[int] = drawn.tolist()
    return seeds


def _global_generator(device: torch.device) -> torch.Generator:
    """The one the official package would draw from; on other devices than CUDA the CPU's."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generator: torch.Generator = torch.cuda.default_generators[index]
        return generator
    return torch.default_generator
