"""The Lovász hinge."""

import torch
from torch import Tensor

from robustseg.losses.distributed import gather_over_processes
from robustseg.losses.inputs import check_binary, full_precision
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
    it. With an empty target it is the largest hinge, with all pixels ignored 0. Source: Berman
    et al., The Lovász-softmax loss, CVPR 2018.

    Args:
        logits: (B, 1, H, W).
        target: like the logits, in [0, 1].
        ignore: like the logits, bool, True where a pixel does not count.
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
    check_binary(logits)
    positive = target > 0.5
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
