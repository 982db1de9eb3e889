"""Metrics whose name does not say what they are: how tables head and explain them."""

from collections.abc import Iterable

from robustseg.metrics.size_quarters import QUARTERS

_HEADINGS = {"dice_image_oracle": "dice_image_oracle (upper bound, no result)"}
_TUNED = "at the threshold that is best on noisy held-out masks, for each evaluation separately"
_OUTLINES = "of the 95th percentile of the distance between outlines"
_HD95 = f"{_OUTLINES}, as a share of the image's diagonal (--metric hd95_pixels: in pixels)"
_PIXELS = f"{_OUTLINES}, in pixels of images resized to dataset.image_size"
_BY_SIZE = (
    f"{', '.join(QUARTERS)}: quarters of the test images with foreground, by the area of the true "
    "mask."
)
_SENTENCES = {
    "hd95": f"hd95: mean {_HD95}",
    "hd95_pos": f"hd95_pos: mean over images with foreground {_HD95}",
    "hd95_pixels": f"hd95_pixels: mean {_PIXELS}",
    "hd95_pixels_pos": f"hd95_pixels_pos: mean over images with foreground {_PIXELS}",
    "threshold": "threshold: the mean of those that are best on noisy held-out masks",
    "area_ratio": "area_ratio: predicted over true foreground of all test images; below 1 the "
    "masks are too small",
    "dice_image_oracle": "dice_image_oracle: at the threshold that is best on the clean test masks "
    "themselves, which nobody has: an upper bound, not to be reported as a result",
}


def heading(metric: str) -> str:
    """What stands at the head of a metric's column; one that is not a result says so.

    Example:
        >>> heading("dice_image")
        'dice_image'
        >>> heading("dice_image_oracle")
        'dice_image_oracle (upper bound, no result)'
    """
    return _HEADINGS.get(metric, metric)


def meanings(metrics: Iterable[str]) -> list[str]:
    """A sentence for each of the metrics that needs one, and one for all tuned ones together.

    Another tells what quarters are, where a metric has them beside it.
    """
    names = list(dict.fromkeys(metrics))
    tuned = [name for name in names if name.endswith("_tuned")]
    found = [f"{', '.join(tuned)}: {_TUNED}."] if tuned else []
    found += [f"{_SENTENCES[name]}." for name in names if name in _SENTENCES]
    whole = [name for name in names if {f"{name}/{one}" for one in QUARTERS} <= set(names)]
    return [*found, _BY_SIZE] if whole else found
