"""The focal Tversky loss."""

from torch import Tensor, nn

from robustseg.losses.inputs import check_range, full_precision
from robustseg.losses.overlap import Classes, Domain, SoftTarget, check_options
from robustseg.losses.tversky import check_weights, tversky_index

SMALLEST_LOSS = 1e-12  # 1 - T below it counts as 0: the power's slope there is infinite


@full_precision
def focal_tversky_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4 / 3,
    smooth: float = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "pooled",
) -> Tensor:
    """Focal Tversky loss, the mean over reduction domains of (1 - T)^(1/γ).

    T is the Tversky index of :func:`robustseg.losses.tversky_loss`, whose values at empty and
    full targets follow. Source: Abraham and Khan, A novel focal Tversky loss function with
    improved attention U-Net for lesion segmentation, ISBI 2019; its α = 0.7 weighs false
    negatives and is our beta.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        alpha: α, weight of false positives, at least 0.
        beta: β, weight of false negatives, at least 0.
        gamma: γ, at least 1; at 1 this is the Tversky loss.
        smooth: δ, in pixels, at least 0.
        domain: "image" or "batch", as for the Tversky loss.
        soft_target: "product" or "l1", as for the Tversky loss.
        classes: "pooled" or "macro", as for the Tversky loss.

    Returns:
        A scalar in [0, 1].
    """
    check_weights(alpha, beta, smooth)
    check_range("gamma", gamma, 1)
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
    loss = 1 - index
    perfect = loss < SMALLEST_LOSS
    return loss.masked_fill(perfect, 1).pow(1 / gamma).masked_fill(perfect, 0).mean()


class FocalTverskyLoss(nn.Module):
    """:func:`focal_tversky_loss` as a module."""

    image_scale = False

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 4 / 3,
        smooth: float = 1e-5,
        domain: Domain = "image",
        soft_target: SoftTarget = "product",
        classes: Classes = "pooled",
    ) -> None:
        super().__init__()
        check_weights(alpha, beta, smooth)
        check_range("gamma", gamma, 1)
        check_options(domain, soft_target, classes)
        self.alpha, self.beta, self.gamma, self.smooth = alpha, beta, gamma, smooth
        self.domain, self.soft_target, self.classes = domain, soft_target, classes

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return focal_tversky_loss(
            logits,
            target,
            ignore,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            smooth=self.smooth,
            domain=self.domain,
            soft_target=self.soft_target,
            classes=self.classes,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return f"alpha={self.alpha}, beta={self.beta}, gamma={self.gamma}, domain={self.domain}"
