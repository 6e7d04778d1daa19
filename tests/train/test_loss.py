"""Soft targets and neighbours against plain formulas."""

import torch
from torch.nn import functional as F

from qwen3_tts.train.geometry import neighbours
from qwen3_tts.train.loss import soft_cross_entropy


def test_soft_cross_entropy_is_that_of_the_mixed_target() -> None:
    torch.manual_seed(0)
    scores = torch.randn(5, 9, dtype=torch.float64, requires_grad=True)
    codes, soft = torch.tensor([0, 3, 3, 8, 1]), 0.3
    near = torch.stack([codes, (codes + 1) % 9, (codes + 5) % 9], dim=1)
    mass = torch.tensor([0.5, 0.3, 0.2]).expand(5, 3)
    target = (1 - soft) * F.one_hot(codes, 9).float()
    target = target.scatter_add(1, near, soft * mass)
    expected = F.cross_entropy(scores, target.double(), reduction="none")
    weight = torch.arange(1.0, 6.0)
    (expected * weight).sum().backward()
    wanted, scores.grad = scores.grad, None

    hard, mixed = soft_cross_entropy(scores, codes, near, mass, soft)
    (mixed * weight).sum().backward()
    # the function counts in float32
    torch.testing.assert_close(mixed.double(), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(scores.grad, wanted, atol=1e-6, rtol=1e-6)
    plain = F.cross_entropy(scores, codes, reduction="none")
    torch.testing.assert_close(hard.double(), plain, atol=1e-6, rtol=1e-6)


def test_neighbours_are_the_nearest_and_share_as_told() -> None:
    line = torch.arange(20.0)[:, None]  # entries at whole numbers
    found = neighbours([line], [torch.ones(20)], sharing=3.0, wide=6.0, width=5)
    assert found.near.shape == found.mass.shape == (1, 20, 5)
    assert found.near[0, 10, 0] == 10
    assert set(found.near[0, 10].tolist()) == {8, 9, 10, 11, 12}
    torch.testing.assert_close(found.mass.sum(-1), torch.ones(1, 20))
    entropy = -(found.mass * found.mass.log()).sum(-1).mean()
    assert 2.7 < float(entropy.exp()) < 3.1  # five of the entries that share
    spread = (found.replacements[0] - torch.arange(20)[:, None]).abs().float()
    assert 0.5 < float(spread.mean()) < 3
