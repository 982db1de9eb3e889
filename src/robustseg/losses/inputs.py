"""What every loss asks of its arguments, and the precision it computes in."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import torch
from torch import Tensor

from robustseg.losses.options import check_options, constraints_of

Arguments = ParamSpec("Arguments")
Loss = Callable[Concatenate[Tensor, Tensor, Tensor | None, Arguments], Tensor]


def full_precision(loss: Loss[Arguments]) -> Loss[Arguments]:
    """Check tensors and options of `loss` and compute it in float32 or better, outside autocast.

    A float16 sum of 65,536 ones is infinite, so no loss may run in half precision.
    """
    constraints = constraints_of(loss)

    @functools.wraps(loss)
    def checked(
        logits: Tensor,
        target: Tensor,
        ignore: Tensor | None = None,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Tensor:
        check_tensors(logits, target, ignore)
        check_options(constraints, kwargs)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        with torch.autocast(device_type=logits.device.type, enabled=False):
            return loss(logits.to(dtype), target.to(dtype), ignore, *args, **kwargs)

    return checked


def check_tensors(logits: Tensor, target: Tensor, ignore: Tensor | None) -> None:
    """Raise ValueError unless the arguments have the shapes and types every loss asks for.

    Args:
        logits: (B, C, H, W), floating point.
        target: like the logits, floating point. Its range [0, 1] is not checked: reading the
            values would stop a GPU.
        ignore: (B, 1, H, W), bool, True where a pixel does not count; or None.
    """
    if logits.ndim != 4 or not logits.is_floating_point():
        raise ValueError(
            f"logits must be floating point of shape (B, C, H, W), not {_name(logits)}"
        )
    if target.shape != logits.shape or not target.is_floating_point():
        raise ValueError(
            f"target must be floating point in [0, 1] of the logits' shape {tuple(logits.shape)}, "
            f"not {_name(target)}"
        )
    if ignore is None:
        return
    wanted = (logits.shape[0], 1, *logits.shape[2:])
    if ignore.dtype != torch.bool or ignore.shape != wanted:
        raise ValueError(f"ignore must be bool of shape {wanted}, not {_name(ignore)}")


def _name(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
