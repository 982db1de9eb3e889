"""The Tversky loss, of which Dice and Jaccard are cases."""

from torch import Tensor

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative
from robustseg.losses.overlap import Classes, Domain, SoftTarget, overlap, ratio


@full_precision
def tversky_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    smooth: NonNegative = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "macro",
    include_background: bool = False,
) -> Tensor:
    """Tversky loss 1 - T, T = (A + δ) / (A + α FP + β FN + δ).

    With A = Σ t p, P = Σ p and Y = Σ t over the reduction domain, FP = P - A and FN = Y - A.
    An empty target has the loss αP / (αP + δ), in particular 1 at δ = 0 unless P = 0; where
    A + α FP + β FN + δ = 0 (everything ignored or empty) the loss and its gradient are 0.
    Source: Salehi et al., Tversky loss function for image segmentation using 3D fully
    convolutional deep networks, MLMI 2017 (δ = 0).

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        alpha: α, weight of false positives, at least 0.
        beta: β, weight of false negatives, at least 0.
        smooth: δ, in pixels, at least 0. The constant s of (2A + s)/(P + Y + s) is 2δ.
        domain: "image" is the mean of the images' losses, "batch" the loss of the whole batch
            taken as one image (under torch.distributed of the global batch, to which every
            process contributes one call). Accumulating gradients over small batches is not a
            larger batch: each has a loss of its own.
        soft_target: "product" as above; "l1" has A = Σ min(t, p), which is right for soft t.
        classes: of several, "macro" is the mean of the classes' losses, of which one without
            pixels and prediction has that of an empty target; "pooled" sums over the classes too.
        include_background: whether the first of several classes counts too.

    Returns:
        A scalar in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import tversky_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> tversky_loss(logits, target)  # the Dice loss
        tensor(0.2646)
        >>> tversky_loss(logits, target, alpha=0.3, beta=0.7)
        tensor(0.3302)
    """
    index = tversky_index(
        logits,
        target,
        ignore,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
        include_background=include_background,
    )
    return 1 - index.mean()


def tversky_index(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None,
    *,
    alpha: float,
    beta: float,
    smooth: float,
    domain: Domain,
    soft_target: SoftTarget,
    classes: Classes,
    include_background: bool,
) -> Tensor:
    """Return the Tversky index T of each reduction domain; arguments of :func:`tversky_loss`."""
    common, predicted, labelled = overlap(
        logits,
        target,
        ignore,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
        include_background=include_background,
    )
    hits = common + smooth
    return ratio(hits, hits + alpha * (predicted - common) + beta * (labelled - common))


class TverskyLoss(LossModule, function=tversky_loss):
    """:func:`tversky_loss` as a module."""
