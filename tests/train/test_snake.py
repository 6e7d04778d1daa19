"""The written-out gradient of SnakeBeta is the one that autograd finds."""

from copy import deepcopy

import torch

from qwen3_tts.model.codec.decoder import SnakeBeta
from qwen3_tts.train.snake import _Snake, train_snakes


def snake(dtype: torch.dtype) -> SnakeBeta:
    generator = torch.Generator().manual_seed(2)
    module = SnakeBeta(5).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.7, generator=generator)
    return module


def wave(dtype: torch.dtype) -> torch.Tensor:
    x = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return x.requires_grad_()


def test_gradcheck() -> None:
    module = snake(torch.float64)
    alpha, beta = (p.detach().exp()[:, None].requires_grad_() for p in (module.alpha, module.beta))
    assert torch.autograd.gradcheck(_Snake.apply, (wave(torch.float64), alpha, beta))


def test_forward_and_gradients_are_those_of_snake_beta() -> None:
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):  # rounding alone
        plain = snake(dtype)
        fast = deepcopy(torch.nn.Sequential(plain))
        train_snakes(fast)
        results = []
        for module in (plain, fast):
            x = wave(dtype)
            y = module(x)
            (y * torch.arange(7, dtype=dtype)).sum().backward()
            results.append([y, x.grad, *(p.grad for p in module.parameters())])
        for ours, theirs in zip(*results, strict=True):
            assert torch.allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_a_copy_keeps_its_own_parameters() -> None:
    """The averaged weights of a run are a copy of a module whose snakes are already changed."""
    module = torch.nn.Sequential(snake(torch.float32))
    train_snakes(module)
    copied = deepcopy(module)
    x = wave(torch.float32).detach()
    before = module(x)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(1)
    assert torch.equal(module(x), before)
    assert not torch.allclose(copied(x), before)
