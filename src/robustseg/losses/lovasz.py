"""The Lovász hinge, and the Lovász-softmax of several classes."""

import torch
from torch import Tensor

from robustseg.losses.distributed import gather_over_processes
from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.overlap import Domain


@full_precision
def lovasz_hinge_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, domain: Domain = "image"
) -> Tensor:
    """Lovász hinge: the convex extension of the Jaccard loss, over the hinges of the pixels.

    With hinges m_i = max(0, 1 - s_i z_i), s_i = ±1 the label, in descending order, the loss is
    Σ m_i (Δ_i - Δ_{i-1}) where Δ_i is the Jaccard loss of getting just the first i wrong. It is
    defined for sets: a target above ½ counts as foreground, so smoothing labels does not change
    it. With an empty target it is the largest hinge, with all pixels ignored 0. Several classes
    have the Lovász-softmax, with |t - p| for m_i, the mean over the classes that the target has,
    background included. Source: Berman et al., The Lovász-softmax loss, CVPR 2018.

    Args:
        logits: (B, 1, H, W); or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        domain: "image" is the mean of the images' losses, "batch" the loss of the whole batch
            taken as one image. Under torch.distributed the latter gathers the logits of the
            global batch, so the processes must have batches of one size.

    Returns:
        A scalar, at least 0.

    Examples:
        >>> import torch
        >>> from robustseg.losses import lovasz_hinge_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> lovasz_hinge_loss(logits, target)
        tensor(0.8333)
    """
    positive = target > 0.5
    if logits.shape[1] > 1:
        return _softmax_loss(logits.softmax(dim=1), positive, ignore, domain)
    sign = positive.to(logits.dtype).mul_(2).sub_(1)
    hinge = 1 - sign * logits  # cut off at 0 below
    if ignore is not None:
        hinge = hinge.masked_fill(ignore, -1)
        positive = positive & ~ignore
    hinge, positive = hinge.flatten(1), positive.flatten(1)
    if domain == "batch":
        hinge = gather_over_processes(hinge).view(1, -1)
        positive = gather_over_processes(positive).view(1, -1)
    hinge, order = hinge.sort(dim=1, descending=True)
    steps = jaccard_steps(positive.gather(1, order), hinge.dtype)
    return (hinge.clamp(min=0) * steps).sum(1).mean()


def _softmax_loss(
    probability: Tensor, positive: Tensor, ignore: Tensor | None, domain: Domain
) -> Tensor:
    """The Lovász-softmax of probabilities (B, C, H, W) and where the target has each class."""
    errors = torch.where(positive, 1 - probability, probability)
    if ignore is not None:
        errors, positive = errors.masked_fill(ignore, 0), positive & ~ignore
    errors, positive = errors.flatten(2), positive.flatten(2)  # (B, C, pixels)
    if domain == "batch":
        errors, positive = (
            gather_over_processes(part).transpose(0, 1).flatten(1).unsqueeze(0)
            for part in (errors, positive)
        )
    errors, order = errors.sort(dim=2, descending=True)
    foreground = positive.gather(2, order)
    steps = jaccard_steps(foreground.flatten(0, 1), errors.dtype).view_as(errors)
    present = positive.any(dim=2)
    losses = (errors * steps).sum(2).masked_fill(~present, 0)
    return (losses.sum(1) / present.sum(1).clamp(min=1)).mean()


def jaccard_steps(foreground: Tensor, dtype: torch.dtype) -> Tensor:
    """Return Δ_i - Δ_{i-1}, (N, M), for rows of pixels got wrong one after the other.

    With G foreground pixels in all, f and b foreground and background ones among the first i,
    Δ_i = 1 - (G - f) / (G + b). The steps are written out, since differences of neighbours
    keep one digit of float32 in a batch of a million pixels.

    Args:
        foreground: (N, M), bool, in the order of the mistakes.
        dtype: Floating dtype of the result.
    """
    found = foreground.cumsum(1, dtype=torch.int32)  # a float32 would stop counting at 2^24
    total = found[:, -1:]
    rank = torch.arange(1, foreground.shape[1] + 1, device=foreground.device, dtype=torch.int32)
    union = (rank - found + total).to(dtype)
    missed = (total - found).to(dtype)
    steps = (missed / (union - 1).clamp_(min=1)).masked_fill_(foreground, 1).div_(union)
    steps[:, :1] += total == 0  # then the first mistake loses all, and the others nothing more
    return steps


class LovaszHingeLoss(LossModule, function=lovasz_hinge_loss):
    """:func:`lovasz_hinge_loss` as a module."""
