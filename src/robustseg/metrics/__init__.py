"""Metrics of segmentation: per-image counts, and what derives from them.

Conventions in one place: a pixel is predicted foreground where its logit is above 0; target
pixels of value 255 are ignored; an image without foreground scores Dice and Jaccard 1 if
the prediction is empty, and 0 as soon as one pixel is predicted. A metric that is undefined on a
test set (such as the Dice over images with foreground if there are none) is NaN, never 0.

``summary`` and ``tuning`` need numpy only, ``surface`` scipy too; the others import torch, so they
are loaded on first use, and tables can be made without it.
"""

import lazy_loader as lazy

from robustseg.metrics.summary import summarise, summarise_last
from robustseg.metrics.tuning import THRESHOLDS, best_threshold, score_thresholds

__all__ = [
    "THRESHOLDS",
    "AveragePrecision",
    "ExpectedCalibrationError",
    "OneAgainstRest",
    "SegmentationMetrics",
    "ThresholdCounts",
    "TopLabelCalibrationError",
    "best_threshold",
    "hd95",
    "score_thresholds",
    "summarise",
    "summarise_last",
]

__getattr__, __dir__, _ = lazy.attach(
    __name__,
    submod_attrs={
        "average_precision": ["AveragePrecision"],
        "calibration": ["ExpectedCalibrationError"],
        "one_against_rest": ["OneAgainstRest", "TopLabelCalibrationError"],
        "segmentation": ["SegmentationMetrics"],
        "surface": ["hd95"],
        "threshold_counts": ["ThresholdCounts"],
    },
)
