"""Dice loss and cross-entropy together."""

from torch import Tensor, nn

from robustseg.losses.cross_entropy import cross_entropy_loss
from robustseg.losses.dice import dice_loss
from robustseg.losses.inputs import check_range
from robustseg.losses.overlap import Classes, Domain, SoftTarget, check_options


def dice_ce_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    ce_weight: float = 1.0,
    smooth: float = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "pooled",
) -> Tensor:
    """Dice loss + w · cross-entropy, the loss of nnU-Net (w = 1).

    Source: Isensee et al., nnU-Net, Nature Methods 2021.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        ce_weight: w, at least 0.
        smooth: δ of the Dice loss, in pixels, at least 0.
        domain: "image" or "batch", of the Dice loss; the cross-entropy is a mean over images.
        soft_target: "product" or "l1", of the Dice loss.
        classes: "pooled" or "macro", of the Dice loss.

    Returns:
        A scalar, at least 0.
    """
    check_range("ce_weight", ce_weight, 0)
    dice = dice_loss(
        logits,
        target,
        ignore,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
    )
    return dice + ce_weight * cross_entropy_loss(logits, target, ignore)


class DiceCELoss(nn.Module):
    """:func:`dice_ce_loss` as a module."""

    image_scale = False

    def __init__(
        self,
        ce_weight: float = 1.0,
        smooth: float = 1e-5,
        domain: Domain = "image",
        soft_target: SoftTarget = "product",
        classes: Classes = "pooled",
    ) -> None:
        super().__init__()
        check_range("ce_weight", ce_weight, 0)
        check_range("smooth", smooth, 0)
        check_options(domain, soft_target, classes)
        self.ce_weight, self.smooth, self.domain = ce_weight, smooth, domain
        self.soft_target, self.classes = soft_target, classes

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return dice_ce_loss(
            logits,
            target,
            ignore,
            ce_weight=self.ce_weight,
            smooth=self.smooth,
            domain=self.domain,
            soft_target=self.soft_target,
            classes=self.classes,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return f"ce_weight={self.ce_weight}, smooth={self.smooth}, domain={self.domain}"
