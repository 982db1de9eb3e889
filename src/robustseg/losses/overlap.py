"""The sums that every region loss is made of."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.distributed import sum_over_processes

Domain = Literal["image", "batch"]
SoftTarget = Literal["product", "l1"]
Classes = Literal["pooled", "macro"]


class Overlap(NamedTuple):
    """Sums over reduction domains.

    Each has shape (B,) for the domain "image" and () for "batch"; with classes="macro" a last
    axis of classes follows.
    """

    common: Tensor  # A = Σ t p, or Σ min(t, p)
    predicted: Tensor  # P = Σ p
    labelled: Tensor  # Y = Σ t


def overlap(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None,
    *,
    domain: Domain,
    soft_target: SoftTarget,
    classes: Classes,
    include_background: bool,
) -> Overlap:
    """Return the sums A, P and Y of each reduction domain.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        domain: "image" sums over each image, "batch" over all images of all processes.
        soft_target: "product" has A = Σ t p. "l1" has A = Σ min(t, p), with which p = t is
            best for a soft t too; both agree for a hard one.
        classes: "pooled" sums over the classes as well, "macro" keeps them apart.
        include_background: whether the first of several classes is one of them.
    """
    probability, label = by_class(logits, target, ignore, classes, include_background)
    predicted, labelled = probability.sum(-1), label.sum(-1)
    if soft_target == "product":
        common = torch.linalg.vecdot(probability, label)
    else:
        # min(t, p) = t - max(t - p, 0), whose backward pass is shorter; unlike those of
        # (t + p - |t - p|) / 2 its sums do not cancel where there is little foreground
        common = labelled - functional.relu(label - probability).sum(-1)
    return Overlap(*pool(torch.stack([common, predicted, labelled]), domain))


def by_class(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None,
    classes: Classes,
    include_background: bool,
) -> tuple[Tensor, Tensor]:
    """Return probabilities and target with the pixels, and pooled classes, on the last axis.

    Returns:
        (B, pixels) each for pooled classes or one channel, else (B, classes, pixels).
    """
    probability, label = counted(logits, target, ignore)
    channels = logits.shape[1]
    if channels > 1 and not include_background:
        probability, label = probability[:, 1:], label[:, 1:]
    first = 1 if classes == "pooled" or channels == 1 else 2
    return probability.flatten(first), label.flatten(first)


def probabilities(logits: Tensor) -> Tensor:
    """Return p, by sigmoid for one channel, by softmax for several."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)


def counted(logits: Tensor, target: Tensor, ignore: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return probabilities and target, (B, C, H, W), with zeros at ignored pixels."""
    probability = probabilities(logits)
    if ignore is None:
        return probability, target
    return probability.masked_fill(ignore, 0), target.masked_fill(ignore, 0)


def pool(sums: Tensor, domain: Domain) -> Tensor:
    """Add sums of images, (K, B, ...), up over the global batch if that is the domain."""
    return sums if domain == "image" else sum_over_processes(sums.sum(1))


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return numerator / denominator, and 1 with gradient 0 where the latter is 0.

    Nothing was to be found there and nothing was. Subnormal denominators count as 0, because
    the gradient would overflow.
    """
    nothing = denominator < torch.finfo(denominator.dtype).tiny
    return numerator.masked_fill(nothing, 1) / denominator.masked_fill(nothing, 1)
