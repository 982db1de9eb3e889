"""Metrics of binary segmentation: per-image counts, and what derives from them.

Conventions in one place: a pixel is predicted foreground where its logit is above 0; target
pixels of value 255 are ignored; an image without foreground that is predicted empty scores Dice
and Jaccard 1, and 0 as soon as one pixel is predicted. A number that is undefined on a test set
(say, the Dice over images with foreground when there are none) is NaN, never 0.

``summary`` and ``tuning`` need numpy only, ``surface`` scipy too; the others import torch, so they
are loaded when first asked for and tables can be made without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from robustseg.metrics.summary import summarise, summarise_last
from robustseg.metrics.tuning import THRESHOLDS, best_threshold, score_thresholds

if TYPE_CHECKING:
    from robustseg.metrics.average_precision import AveragePrecision
    from robustseg.metrics.calibration import ExpectedCalibrationError
    from robustseg.metrics.segmentation import SegmentationMetrics
    from robustseg.metrics.surface import hd95
    from robustseg.metrics.threshold_counts import ThresholdCounts

__all__ = [
    "THRESHOLDS",
    "AveragePrecision",
    "ExpectedCalibrationError",
    "SegmentationMetrics",
    "ThresholdCounts",
    "best_threshold",
    "hd95",
    "score_thresholds",
    "summarise",
    "summarise_last",
]

_MODULES = {
    "AveragePrecision": "average_precision",
    "ExpectedCalibrationError": "calibration",
    "SegmentationMetrics": "segmentation",
    "ThresholdCounts": "threshold_counts",
    "hd95": "surface",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
