"""The Jaccard loss."""

from torch import Tensor, nn

from robustseg.losses.inputs import check_range
from robustseg.losses.overlap import Classes, Domain, SoftTarget, check_options
from robustseg.losses.tversky import tversky_loss


def jaccard_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    smooth: float = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "pooled",
) -> Tensor:
    """Soft Jaccard loss 1 - (A + δ) / (P + Y - A + δ), A = Σ t p, P = Σ p, Y = Σ t.

    It is the Tversky loss at α = β = 1, with its values at empty and full targets. Source:
    Rahman and Wang, Optimizing intersection-over-union in deep neural networks for image
    segmentation, ISVC 2016.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        smooth: δ, in pixels, at least 0.
        domain: "image" or "batch", as for the Tversky loss.
        soft_target: "product" or "l1", as for the Tversky loss.
        classes: "pooled" or "macro", as for the Tversky loss.

    Returns:
        A scalar in [0, 1].
    """
    return tversky_loss(
        logits,
        target,
        ignore,
        alpha=1.0,
        beta=1.0,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
    )


class JaccardLoss(nn.Module):
    """:func:`jaccard_loss` as a module."""

    image_scale = False

    def __init__(
        self,
        smooth: float = 1e-5,
        domain: Domain = "image",
        soft_target: SoftTarget = "product",
        classes: Classes = "pooled",
    ) -> None:
        super().__init__()
        check_range("smooth", smooth, 0)
        check_options(domain, soft_target, classes)
        self.smooth, self.domain = smooth, domain
        self.soft_target, self.classes = soft_target, classes

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return jaccard_loss(
            logits,
            target,
            ignore,
            smooth=self.smooth,
            domain=self.domain,
            soft_target=self.soft_target,
            classes=self.classes,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return f"smooth={self.smooth}, domain={self.domain}, soft_target={self.soft_target}"
