"""Sums and gathers over processes that gradients flow through.

Every process computes the loss L of the global batch from them. The backward pass adds up the
gradients of the W processes' equal losses, so that each holds W times its share of dL/dθ, and
the mean over processes that DistributedDataParallel takes is dL/dθ exactly: what one process
with the whole batch has. Without a process group both functions return their argument.
Means over images are each process' own: with them, and with losses that contain one (Dice + CE,
all pixel losses, the domain "image"), the processes need equal batches for the same equality.
"""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd import Function


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum of `values` over all processes; any shape, the same in each."""
    if not _several_processes():
        return values
    return _Sum.apply(values)


def gather_over_processes(values: Tensor) -> Tensor:
    """Return the processes' `values` joined along the first axis; the same shape in each."""
    if not _several_processes():
        return values
    return _Gather.apply(values)


def _several_processes() -> bool:
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


class _Sum(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
