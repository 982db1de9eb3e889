"""The confidence penalty."""

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.regularizers.penalty import Penalty


def negative_entropy(logits: Tensor) -> Tensor:
    """Return -H(p) = Σ_c p_c ln p_c = KL(p‖u) - ln C at each pixel, u uniform.

    For one channel -H = -p softplus(-z) - (1 - p) softplus(z) = ln p - (1 - p) z, whose
    derivative is p (1 - p) z.

    Args:
        logits: (B, 1, H, W) or (B, C, H, W).

    Returns:
        (B, 1, H, W), in [-ln C, 0].
    """
    with torch.autocast(device_type=logits.device.type, enabled=False):
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if logits.shape[1] == 1:
            size = logits.abs()  # -H is even, and for z > 0 the terms do not cancel
            return functional.logsigmoid(size) - torch.sigmoid(-size) * size
        log_p = logits.log_softmax(dim=1)
        return (log_p.exp() * log_p).sum(dim=1, keepdim=True)


class ConfidencePenalty(Penalty):
    """The loss plus -ε H(p), :func:`negative_entropy`.

    Source: Pereyra et al., Regularizing neural networks by penalizing confident output
    distributions, 2017.

    Args:
        epsilon: ε, at least 0.
    """

    at_pixels = staticmethod(negative_entropy)
