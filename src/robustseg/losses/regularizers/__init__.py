"""Regularisers: terms added to a loss or changes to its target, usable with any loss.

Each takes a loss and its arguments and returns the regularised scalar, for logits (B, 1, H, W) with
a sigmoid and two classes, or (B, C, H, W) with a softmax. A penalty is a mean over pixels if the
loss is on the scale of a pixel, and a sum over the pixels of an image if the loss is on the scale
of an image (`image_scale`, like the T-Loss), where a mean would be negligible; beside the T-Loss by
area it is D_i / D of that sum.
"""

from robustseg.losses.regularizers.boundary_smoothing import BoundarySmoothing
from robustseg.losses.regularizers.confidence import ConfidencePenalty, negative_entropy
from robustseg.losses.regularizers.label_noise import LabelNoisePenalty, uniform_cross_entropy
from robustseg.losses.regularizers.label_smoothing import LabelSmoothing, smooth_labels
from robustseg.losses.regularizers.none import NoRegularizer
from robustseg.losses.regularizers.penalty import Penalty
from robustseg.losses.regularizers.regularized import Regularized

__all__ = [
    "BoundarySmoothing",
    "ConfidencePenalty",
    "LabelNoisePenalty",
    "LabelSmoothing",
    "NoRegularizer",
    "Penalty",
    "Regularized",
    "negative_entropy",
    "smooth_labels",
    "uniform_cross_entropy",
]
