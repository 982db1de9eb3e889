"""The T-Loss with a mask's area for the number of pixels: images weigh by relative error."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from robustseg.losses.inputs import full_precision
from robustseg.losses.options import NonNegative, Range, check_options, constraints_of
from robustseg.losses.overlap import counted
from robustseg.losses.reduction import count_pixels
from robustseg.losses.tloss import TLoss, squared_residuals, student_t

Dimension = Literal["pixels", "label", "mean", "ratio"]
Floor = Annotated[float, Range(1e-4, 1)]


@full_precision
def area_t_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    log_nu: Tensor | float,
    log_precision: float = 0.0,
    dimension: Dimension = "label",
    floor: Floor = 0.01,
    empty_weight: NonNegative = 1.0,
) -> Tensor:
    """Student-t negative log-likelihood of each image's residual, with its area for D.

    That is :func:`robustseg.losses.t_loss` with D_i = max(min(A_i, (D - A_i)/κ), κD) in place of
    the D counted pixels: as many dimensions as the mask has pixels, but κD for one that is tiny
    or fills its image. The gradient weighs residuals by (ν + D_i) / (ν e^-λ + S), next to A_i / S
    for ν much below S: the inverse of a relative error, which is the same for small and large
    masks, where the T-Loss has D / S.

    An image without foreground has no relative error. Its loss is S/2, the squared error, whose
    weight is 1: that of an image with S = D_i.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        log_nu: ln ν, a number, or a 0-dimensional tensor, which receives a gradient if it asks
            for one.
        log_precision: λ, Σ⁻¹ being e^λ I.
        dimension: "label": A_i = Σ y, over counted pixels. "mean": A_i = Σ (y + p)/2, through
            which no gradient flows; for hard masks A_i / S is then 1 / (2 - 2 Dice). "ratio":
            D_i = D min(max(Σ y / Σ p, κ), 1/κ), through which no gradient flows either: the
            weight of the T-Loss, less for a mask that is smaller than the prediction and more for
            one that is larger, whatever the size of the object. "pixels": D_i = D, the T-Loss.
            With C classes y and p are of those that are not background, and D_i is C times the
            above, since S has C values per pixel.
        floor: κ, in [0.0001, 1]: the least D_i as a share of the counted pixels D, and the share
            of background below which D_i falls from A_i to it: a mask that fills its image is
            fitted by a bias, to S → 0. With "ratio" only the bounds of the ratio.
        empty_weight: weight of an image with no pixel of foreground (y at least ½), at least 0;
            not for "pixels".

    Returns:
        The mean over images, not divided by the areas of the batch: alone in its batch an image
        would then have the weight D / S again.

    Examples:
        >>> import torch
        >>> from robustseg.losses import area_t_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> area_t_loss(logits, target, log_nu=torch.tensor(0.0))
        tensor(3.3430)
        >>> area_t_loss(logits, target, log_nu=torch.tensor(0.0), dimension="pixels")  # T-Loss
        tensor(3.8940)
    """
    squares = squared_residuals(logits, target, ignore)
    counts = dimensions(logits, target, ignore, dimension=dimension, floor=floor)
    values = student_t(squares, counts, log_nu=log_nu, log_precision=log_precision)
    if dimension != "pixels":
        # As D/S or κD/S its weight has no bound, and a bias fits all empty masks at once, or none.
        empty = ~has_foreground(target, ignore)
        values = torch.where(empty, empty_weight * squares.double() / 2, values)
    return values.mean().to(logits.dtype)


@full_precision
def dimensions(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    dimension: Dimension,
    floor: float,
) -> Tensor:
    """Return D_i of each image, (B,), without a graph; arguments of :func:`area_t_loss`."""
    pixels, channels = count_pixels(logits, ignore), logits.shape[1]
    if dimension == "pixels":
        return pixels * channels
    first = int(channels > 1)  # after the background, if there is one
    label = target if ignore is None else target.masked_fill(ignore, 0)
    areas = label[:, first:].sum(dim=(1, 2, 3))
    if dimension in ("mean", "ratio"):
        probability, _ = counted(logits.detach(), target, ignore)
        predicted = probability[:, first:].sum(dim=(1, 2, 3))
    if dimension == "ratio":
        nothing = torch.finfo(predicted.dtype).tiny
        ratio = (areas / predicted.clamp(min=nothing)).clamp(floor, 1 / floor)
        return channels * pixels * ratio
    if dimension == "mean":
        areas = (areas + predicted) / 2
    return channels * torch.maximum(torch.minimum(areas, (pixels - areas) / floor), floor * pixels)


def has_foreground(target: Tensor, ignore: Tensor | None) -> Tensor:
    """Return whether an image has a counted pixel that is foreground, y at least ½, (B,), bool."""
    foreground = target[:, int(target.shape[1] > 1) :] >= 0.5
    if ignore is not None:
        foreground = foreground & ~ignore
    return foreground.flatten(1).any(1)


class AreaTLoss(TLoss):
    """:func:`area_t_loss` with its parameter ln ν, which the optimiser needs, as `TLoss` says.

    `weight` of an image without foreground is that of κD dimensions, by which suspicious masks are
    ranked; in the loss such an image has `empty_weight` instead.

    Args:
        log_nu: Initial ln ν.
        learn: Whether ln ν is learnt.
        log_precision: λ, Σ⁻¹ being e^λ I.
        dimension: "label", "mean", "ratio" or "pixels": what D_i is, as for the function.
        floor: κ, the least D_i as a share of the counted pixels, in [0.0001, 1].
        empty_weight: weight of an image without foreground, at least 0.

    Examples:
        >>> import torch
        >>> from robustseg.losses import AreaTLoss
        >>> AreaTLoss(dimension="mean")
        AreaTLoss(learn=True, log_precision=0.0, dimension=mean, floor=0.01, empty_weight=1.0)
        >>> small, large = torch.zeros(2, 1, 8, 8)
        >>> small[:, :2], large[:, :4] = 1, 1
        >>> AreaTLoss().dimensions(torch.zeros(2, 1, 8, 8), torch.stack([small, large]))
        tensor([16., 32.])
    """

    def __init__(
        self,
        log_nu: float = 0.0,
        learn: bool = True,
        log_precision: float = 0.0,
        dimension: Dimension = "label",
        floor: float = 0.01,
        empty_weight: float = 1.0,
    ) -> None:
        super().__init__(log_nu, learn, log_precision)
        options = {"dimension": dimension, "floor": floor, "empty_weight": empty_weight}
        check_options(constraints_of(area_t_loss), options)
        self.dimension: Dimension = dimension
        self.floor, self.empty_weight = float(floor), float(empty_weight)

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return area_t_loss(
            logits,
            target,
            ignore,
            log_nu=self.log_nu,
            log_precision=self.log_precision,
            dimension=self.dimension,
            floor=self.floor,
            empty_weight=self.empty_weight,
        )

    def dimensions(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return D_i of each image, (B,); tensors as for the loss."""
        return dimensions(logits, target, ignore, dimension=self.dimension, floor=self.floor)

    def extra_repr(self) -> str:
        """Return the options."""
        own = f"dimension={self.dimension}, floor={self.floor}, empty_weight={self.empty_weight}"
        return f"{super().extra_repr()}, {own}"
