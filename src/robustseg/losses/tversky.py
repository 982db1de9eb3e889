"""The Tversky loss, of which Dice and Jaccard are cases."""

from torch import Tensor, nn

from robustseg.losses.inputs import check_range, full_precision
from robustseg.losses.overlap import Classes, Domain, SoftTarget, check_options, overlap, ratio


@full_precision
def tversky_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "pooled",
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
        classes: "pooled" sums over the classes too; "macro" is the mean of the classes' losses.

    Returns:
        A scalar in [0, 1].
    """
    check_weights(alpha, beta, smooth)
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
) -> Tensor:
    """Return the Tversky index T of each reduction domain; arguments of :func:`tversky_loss`."""
    common, predicted, labelled = overlap(
        logits, target, ignore, domain=domain, soft_target=soft_target, classes=classes
    )
    hits = common + smooth
    return ratio(hits, hits + alpha * (predicted - common) + beta * (labelled - common))


class TverskyLoss(nn.Module):
    """:func:`tversky_loss` as a module."""

    image_scale = False

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        smooth: float = 1e-5,
        domain: Domain = "image",
        soft_target: SoftTarget = "product",
        classes: Classes = "pooled",
    ) -> None:
        super().__init__()
        check_weights(alpha, beta, smooth)
        check_options(domain, soft_target, classes)
        self.alpha, self.beta, self.smooth = alpha, beta, smooth
        self.domain, self.soft_target, self.classes = domain, soft_target, classes

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return tversky_loss(
            logits,
            target,
            ignore,
            alpha=self.alpha,
            beta=self.beta,
            smooth=self.smooth,
            domain=self.domain,
            soft_target=self.soft_target,
            classes=self.classes,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return f"alpha={self.alpha}, beta={self.beta}, smooth={self.smooth}, domain={self.domain}"


def check_weights(alpha: float, beta: float, smooth: float) -> None:
    """Raise ValueError unless all three are at least 0."""
    for name, value in (("alpha", alpha), ("beta", beta), ("smooth", smooth)):
        check_range(name, value, 0)
