"""Random logits and targets."""

import pytest
import torch


@pytest.fixture
def draw():
    """A function giving logits, a hard target and a soft target of a shape, in float64."""

    def make(*shape: int, seed: int = 0, scale: float = 3.0):
        generator = torch.Generator().manual_seed(seed)
        logits = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        soft = torch.rand(shape, generator=generator, dtype=torch.float64)
        if shape[1] > 1:
            soft = soft / soft.sum(1, keepdim=True)
            hard = torch.zeros_like(soft).scatter_(1, soft.argmax(1, keepdim=True), 1)
        else:
            hard = (soft > 0.6).double()
        return logits, hard, soft

    return make
