"""The Jaccard metric loss."""

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative
from robustseg.losses.overlap import Classes, Domain, by_class, pool, ratio


@full_precision
def jaccard_metric_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    smooth: NonNegative = 1e-5,
    domain: Domain = "image",
    classes: Classes = "macro",
    include_background: bool = False,
) -> Tensor:
    """Jaccard metric loss 1 - (A + δ) / (A + Σ |t - p| + δ), A = Σ t p.

    At δ = 0 a metric on [0, 1]^M: 0 only at p = t, also for a soft t, and the triangle
    inequality holds. For a hard target it is the Jaccard loss. It is one of two forms in Wang
    et al., Jaccard metric losses, NeurIPS 2023; the other, A = Σ min(t, p), is the Jaccard
    loss with soft_target="l1". Where the denominator is 0 the loss and its gradient are 0.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        smooth: δ, in pixels, at least 0.
        domain: "image" or "batch", as for the Tversky loss.
        classes: "macro" or "pooled", as for the Tversky loss.
        include_background: as for the Tversky loss.

    Returns:
        A scalar in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import jaccard_metric_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> jaccard_metric_loss(logits, target)
        tensor(0.4185)
    """
    probability, label = by_class(logits, target, ignore, classes, include_background)
    common = torch.linalg.vecdot(probability, label)
    distance = functional.l1_loss(probability, label, reduction="none").sum(-1)
    common, distance = pool(torch.stack([common, distance]), domain)
    return 1 - ratio(common + smooth, common + distance + smooth).mean()


class JaccardMetricLoss(LossModule, function=jaccard_metric_loss):
    """:func:`jaccard_metric_loss` as a module."""
