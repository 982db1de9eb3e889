"""The label-noise penalty."""

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.regularizers.penalty import Penalty


def uniform_cross_entropy(logits: Tensor) -> Tensor:
    """Return S = -Σ_c ln p_c = C · KL(u‖p) + C ln C at each pixel, u uniform.

    For one channel S = softplus(z) + softplus(-z) >= 2 ln 2 with dS/dz = 2p - 1.

    Args:
        logits: (B, 1, H, W) or (B, C, H, W).

    Returns:
        (B, 1, H, W).
    """
    with torch.autocast(device_type=logits.device.type, enabled=False):
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if logits.shape[1] == 1:
            return torch.sub(logits, functional.logsigmoid(logits), alpha=2)
        return -logits.log_softmax(dim=1).sum(dim=1, keepdim=True)


class LabelNoisePenalty(Penalty):
    """The loss plus ε S, :func:`uniform_cross_entropy`.

    It is what label smoothing adds to the cross-entropy, made to work with any loss: label
    smoothing by ε is, up to a factor, this penalty by ε / (C (1 - ε)).

    Args:
        epsilon: ε, at least 0.
    """

    at_pixels = staticmethod(uniform_cross_entropy)
