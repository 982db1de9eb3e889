"""The T-Loss: negative log-likelihood of a Student-t distribution over whole images."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.options import Range, Switch
from robustseg.losses.overlap import probabilities
from robustseg.losses.reduction import count_pixels

_LOG_NU = Range(-30, 30)


@full_precision
def t_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    log_nu: Tensor | float,
    log_precision: float = 0.0,
) -> Tensor:
    """Student-t negative log-likelihood of the residual y - σ(z) of each image.

    With D counted values, the pixels of all channels, and S = Σ (y - p)² over them in an image,

        L = -lnΓ((ν+D)/2) + lnΓ(ν/2) - λD/2 + (D/2) ln(πν) + ((ν+D)/2) ln(1 + S e^λ / ν).

    Its gradient in the residual δ is (ν+D) δ / (ν e^-λ + S): bounded in the norm of δ, that of
    the squared error for ν → ∞ and that of (D/2) ln S for ν → 0. The value at 256 × 256 pixels
    lies between about -4e5 and 1e5 for ν of 0.01 to 1. An image whose pixels are all ignored has
    the value 0. Source: Gonzalez-Jimenez et al., Robust T-Loss for medical image segmentation,
    MICCAI 2023.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        log_nu: ln ν, a number, or a 0-dimensional tensor, which receives a gradient if it asks
            for one.
        log_precision: λ, Σ⁻¹ being e^λ I: 0 in the paper, 1 in its public code.

    Returns:
        The mean over images.

    Examples:
        >>> import torch
        >>> from robustseg.losses import t_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> t_loss(logits, target, log_nu=torch.tensor(0.0))
        tensor(3.8940)
    """
    squares = squared_residuals(logits, target, ignore)
    counts = count_values(logits, ignore)
    values = student_t(squares, counts, log_nu=log_nu, log_precision=log_precision)
    return values.mean().to(logits.dtype)


def student_t(
    squares: Tensor, dimension: Tensor, *, log_nu: Tensor | float, log_precision: float
) -> Tensor:
    """Negative log-likelihood of residuals with D components whose squares add up to S.

    Args:
        squares: S of each image, (B,).
        dimension: D of each image, (B,), at least 0.
        log_nu: ln ν, a number or a 0-dimensional tensor; beyond ±30 it stays at the bound.
        log_precision: λ.

    Returns:
        L of :func:`t_loss` for each image, (B,), float64.
    """
    # The terms reach 1e5 and cancel: float64, which for a few scalars costs nothing.
    squares, dimension, log_nu = squares.double(), dimension.double(), _bounded(log_nu)
    nu = log_nu.exp()
    shape = (nu + dimension) / 2
    density = torch.lgamma(shape) - torch.lgamma(nu / 2)
    volume = dimension / 2 * (math.log(math.pi) + log_nu - log_precision)
    distance = torch.log1p(squares * math.exp(log_precision) / nu)
    return volume - density + shape * distance


def _bounded(log_nu: Tensor | float) -> Tensor:
    """Return ln ν in float64, in the range in which the gradient fits into float32.

    A mask that is learnt to S = 0 has the weight D/ν, and makes ν fall for as long as it is fit.
    """
    return torch.as_tensor(log_nu, dtype=torch.float64).clamp(_LOG_NU.low, _LOG_NU.high)


def squared_residuals(logits: Tensor, target: Tensor, ignore: Tensor | None) -> Tensor:
    """Return S = Σ (p - y)² over the counted pixels and channels of each image, (B,)."""
    squares = functional.mse_loss(probabilities(logits), target, reduction="none")
    if ignore is not None:
        squares = squares.masked_fill(ignore, 0)
    return squares.sum(dim=(1, 2, 3))


def count_values(logits: Tensor, ignore: Tensor | None) -> Tensor:
    """Return the number of counted pixels times that of channels of each image, (B,)."""
    return count_pixels(logits, ignore) * logits.shape[1]


class TLoss(nn.Module):
    """:func:`t_loss` with its parameter ln ν, which is learnt with the network.

    So the optimiser needs the loss's parameters beside the network's; without them ν keeps its
    initial value. Of several processes (DistributedDataParallel) each learns a ν of its own unless
    the loss is part of the wrapped module.

    Args:
        log_nu: Initial ln ν: 0 in the paper, 1 in its public code.
        learn: Whether ln ν is learnt.
        log_precision: λ, Σ⁻¹ being e^λ I: 0 in the paper, 1 in its public code.

    Examples:
        >>> import torch
        >>> from robustseg.losses import TLoss
        >>> loss = TLoss(log_nu=1.0)
        >>> loss
        TLoss(learn=True, log_precision=0.0)
        >>> round(loss.nu.item(), 4)
        2.7183
        >>> loss(torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)).backward()
        >>> round(loss.log_nu.grad.item(), 4)
        1.2198
        >>> network = torch.nn.Conv2d(3, 1, kernel_size=1)
        >>> optimizer = torch.optim.Adam([*network.parameters(), *loss.parameters()])
        >>> loss(network(torch.ones(1, 3, 8, 8)), torch.ones(1, 1, 8, 8)).backward()
        >>> optimizer.step()
        >>> loss.nu.item() < 2.718
        True
    """

    image_scale = True

    def __init__(self, log_nu: float = 0.0, learn: bool = True, log_precision: float = 0.0) -> None:
        super().__init__()
        _LOG_NU.check("log_nu", log_nu)
        Switch().check("learn", learn)
        Range(-30, 30).check("log_precision", log_precision)
        self.log_nu = nn.Parameter(torch.tensor(float(log_nu)), requires_grad=learn)
        self.log_precision = float(log_precision)

    @property
    def nu(self) -> Tensor:
        """Return ν, a 0-dimensional tensor."""
        return self.log_nu.exp()

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return t_loss(logits, target, ignore, log_nu=self.log_nu, log_precision=self.log_precision)

    def dimensions(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return D, the counted values of each image, (B,); tensors as for the loss."""
        return count_values(logits.double(), ignore)

    def weight(self, squares: Tensor, dimension: Tensor) -> Tensor:
        """Return w = (ν + D) / (ν e^-λ + S), by which the gradient weighs an image's residuals.

        Args:
            squares: S of :func:`squared_residuals`, (B,).
            dimension: D of `dimensions`, (B,).

        Returns:
            (B,), float64, without a graph.
        """
        nu = _bounded(self.log_nu.detach()).exp()
        return (nu + dimension.double()) / (nu * math.exp(-self.log_precision) + squares.double())

    def extra_repr(self) -> str:
        """Return whether ν is learnt, and λ."""
        return f"learn={self.log_nu.requires_grad}, log_precision={self.log_precision}"
