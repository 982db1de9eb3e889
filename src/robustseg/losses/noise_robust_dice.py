"""The noise-robust Dice loss."""

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative, Range
from robustseg.losses.overlap import Classes, Domain, by_class, pool, ratio


@full_precision
def noise_robust_dice_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    gamma: Annotated[float, Range(1, 2)] = 1.5,
    smooth: NonNegative = 1e-5,
    domain: Domain = "image",
    classes: Classes = "macro",
    include_background: bool = False,
) -> Tensor:
    """Noise-robust Dice loss Σ |p - t|^γ / (Σ p + Σ t + 2δ).

    At γ = 1 it is the Dice loss in its L1 form; γ = 2 is near the squared error. An empty
    target has the loss Σ p^γ / (Σ p + 2δ); where the denominator is 0 the loss and its gradient
    are 0. Source: Wang et al., A noise-robust framework for automatic segmentation of COVID-19
    pneumonia lesions from CT images, IEEE TMI 2020, as in its public code (in the paper the
    denominator has squares).

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        gamma: γ, in [1, 2].
        smooth: δ, in pixels, at least 0.
        domain: "image" or "batch", as for the Tversky loss.
        classes: "macro" or "pooled", as for the Tversky loss.
        include_background: as for the Tversky loss.

    Returns:
        A scalar in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import noise_robust_dice_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> noise_robust_dice_loss(logits, target)
        tensor(0.1885)
    """
    probability, label = by_class(logits, target, ignore, classes, include_background)
    distance = functional.l1_loss(probability, label, reduction="none")
    errors = sum_of_powers(distance, gamma)
    volumes = probability.sum(-1) + label.sum(-1)
    errors, volumes = pool(torch.stack([errors, volumes]), domain)
    volumes = volumes + 2 * smooth
    return 1 - ratio(volumes - errors, volumes).mean()


def sum_of_powers(values: Tensor, exponent: float) -> Tensor:
    """Return Σ x^γ over the last axis, with its first derivative γ x^(γ-1).

    It is Σ x w with w = x^(γ-1) held fixed, and that derivative times γ; a third faster than
    raising to the power γ, and finite at x = 0.
    """
    total = torch.linalg.vecdot(values, values.detach().pow(exponent - 1))
    return exponent * total - (exponent - 1) * total.detach()


class NoiseRobustDiceLoss(LossModule, function=noise_robust_dice_loss):
    """:func:`noise_robust_dice_loss` as a module."""
