"""Label smoothing."""

from typing import cast

from torch import Tensor, nn

from robustseg.losses.options import Range


def smooth_labels(target: Tensor, epsilon: float) -> Tensor:
    """Return ỹ = (1 - ε) y + ε/C, with C = 2 for one channel.

    With it the cross-entropy is (1 - ε) CE + (ε/C) S, S = -Σ_c ln p_c. Source: Szegedy et al.,
    Rethinking the inception architecture for computer vision, CVPR 2016.

    Args:
        target: (B, 1, H, W) or (B, C, H, W), in [0, 1].
        epsilon: ε, in [0, 1].
    """
    Range(0, 1).check("epsilon", epsilon)
    return (1 - epsilon) * target + epsilon / max(2, target.shape[1])


class LabelSmoothing(nn.Module):
    """The loss of a smoothed target, :func:`smooth_labels`.

    Region losses need soft_target="l1" for it: in the product form the optimum stays hard, or
    turns to all foreground where there is little of it. The Lovász hinge ignores it. Of MAE, RCE,
    NCE, NGCE and their sums it scales the gradient by 1 - ε, and does nothing else.
    """

    def __init__(self, epsilon: float = 0.1) -> None:
        super().__init__()
        Range(0, 1).check("epsilon", epsilon)
        self.epsilon = epsilon

    def forward(
        self, loss: nn.Module, logits: Tensor, target: Tensor, ignore: Tensor | None = None
    ) -> Tensor:
        """Return loss(logits, ỹ, ignore)."""
        return cast(Tensor, loss(logits, smooth_labels(target, self.epsilon), ignore))

    def extra_repr(self) -> str:
        """Return ε."""
        return f"epsilon={self.epsilon}"
