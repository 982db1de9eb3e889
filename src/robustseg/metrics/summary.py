"""From per-image counts to the numbers of a run; numpy only."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

COUNTS = ("tp", "fp", "fn", "tn")


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """Return 2·tp / (2·tp + fp + fn), elementwise; 1 where target and prediction are empty."""
    tp, fp, fn = (np.asarray(count) for count in (tp, fp, fn))
    return _ratio(2 * tp, 2 * tp + fp + fn, undefined=1.0)


def jaccard(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """Return tp / (tp + fp + fn), elementwise; 1 where target and prediction are empty."""
    tp, fp, fn = (np.asarray(count) for count in (tp, fp, fn))
    return _ratio(tp, tp + fp + fn, undefined=1.0)


def summarise(columns: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Derive the numbers of one evaluation from its per-image rows.

    Sums over images are exact (integers, or correctly rounded), so the result depends neither on
    the order of the rows nor on the machine, and is bit for bit the same from ``images.csv``.
    An image whose pixels are all ignored says nothing and is left out.

    Args:
        columns: integer columns ``tp``, ``fp``, ``fn``, ``tn``, one entry an image, and optionally
            ``hd95``; other columns are ignored. A DataFrame will do.

    Returns:
        Numbers in [0, 1] but for ``area_ratio``; NaN where undefined:

        - ``dice_image``, ``jaccard_image``: mean over images; both masks empty 1, one empty 0.
        - ``dice_image_pos``, ``jaccard_image_pos``: mean over images with foreground.
        - ``dice_pooled``, ``jaccard_pooled``: of the counts summed over images; 1 if all are empty.
        - ``balanced_accuracy``: (TPR + TNR) / 2 of the summed counts; NaN if a class is absent.
        - ``balanced_accuracy_image``: mean over the images that have both classes.
        - ``false_positive_rate_empty``: share of the images without foreground in which at least
            one pixel is predicted; ``false_positive_pixels_empty``: share of their pixels.
        - ``missed_rate_pos``: share of the images with foreground in which nothing is predicted.
        - ``area_ratio``: predicted over true foreground, summed over images; in [0, ∞).
        - ``hd95``, ``hd95_pos``: mean over all images, and over those with foreground; only if
            the column is there. Unnormalised distances may be NaN (see ``surface.hd95``) and
            then so is their mean.

    Raises:
        ValueError: there is no row with a counted pixel.

    Example:
        >>> from robustseg.metrics import summarise
        >>> numbers = summarise({"tp": [3, 0], "fp": [1, 2], "fn": [0, 0], "tn": [12, 14]})
        >>> round(numbers["dice_image"], 4), round(numbers["dice_pooled"], 4)
        (0.4286, 0.6667)
        >>> numbers["false_positive_rate_empty"], numbers["missed_rate_pos"]
        (1.0, 0.0)
    """
    counted = np.sum([np.asarray(columns[name], dtype=np.int64) for name in COUNTS], axis=0) > 0
    if not counted.any():
        raise ValueError("there are no images to summarise")
    tp, fp, fn, tn = (np.asarray(columns[name], dtype=np.int64)[counted] for name in COUNTS)
    positive, negative = tp + fn > 0, fp + tn > 0
    empty = ~positive
    dice_image, jaccard_image = dice(tp, fp, fn), jaccard(tp, fp, fn)
    balanced = _balanced_accuracy(tp, fp, fn, tn)
    pooled = [int(count.sum()) for count in (tp, fp, fn, tn)]
    numbers = {
        "dice_image": _mean(dice_image),
        "dice_image_pos": _mean(dice_image[positive]),
        "dice_pooled": float(dice(*pooled[:3])),
        "jaccard_image": _mean(jaccard_image),
        "jaccard_image_pos": _mean(jaccard_image[positive]),
        "jaccard_pooled": float(jaccard(*pooled[:3])),
        "balanced_accuracy": float(_balanced_accuracy(*pooled)),
        "balanced_accuracy_image": _mean(balanced[positive & negative]),
        "false_positive_rate_empty": _mean(fp[empty] > 0),
        "false_positive_pixels_empty": float(_ratio(fp[empty].sum(), (fp + tn)[empty].sum())),
        "missed_rate_pos": _mean((tp + fp)[positive] == 0),
        "area_ratio": float(_ratio(pooled[0] + pooled[1], pooled[0] + pooled[2])),
    }
    if "hd95" in columns:
        distances = np.asarray(columns["hd95"], dtype=np.float64)[counted]
        numbers |= {"hd95": _mean(distances), "hd95_pos": _mean(distances[positive])}
    return numbers


def summarise_last(columns: Mapping[str, ArrayLike], last: int) -> dict[str, float]:
    """Average ``summarise`` over the last evaluations: the final numbers of a run.

    Args:
        columns: as for ``summarise``, with the rows of several evaluations told apart by the
            column ``epoch``.
        last: how many evaluations to average (fewer if there are fewer), at least 1.

    Raises:
        ValueError: ``last`` is below 1, or there is no row.

    Example:
        >>> from robustseg.metrics import summarise_last
        >>> rows = {"epoch": [1, 2, 3], "tp": [1, 2, 3], "fn": [3, 2, 1]}
        >>> rows |= {"fp": [0, 0, 0], "tn": [12, 12, 12]}
        >>> round(summarise_last(rows, last=2)["jaccard_image"], 4)
        0.625
    """
    if last < 1:
        raise ValueError(f"last must be at least 1, got {last}")
    epoch = np.asarray(columns["epoch"])
    names = [name for name in (*COUNTS, "hd95") if name in columns]
    table = {name: np.asarray(columns[name]) for name in names}
    evaluations = [
        summarise({name: column[epoch == value] for name, column in table.items()})
        for value in np.unique(epoch)[-last:]
    ]
    if not evaluations:
        raise ValueError("there are no images to summarise")
    return {
        name: _mean(np.array([numbers[name] for numbers in evaluations])) for name in evaluations[0]
    }


def _balanced_accuracy(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike
) -> NDArray[np.float64]:
    tp, fp, fn, tn = (np.asarray(count) for count in (tp, fp, fn, tn))
    return (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2


def _ratio(
    numerator: ArrayLike, denominator: ArrayLike, undefined: float = math.nan
) -> NDArray[np.float64]:
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    result = np.full(numerator.shape, undefined)
    return np.divide(numerator, denominator, out=result, where=denominator != 0)


def _mean(values: NDArray) -> float:
    # fsum rounds once, so the mean is the same in every order and on every processor.
    return math.fsum(values.tolist()) / values.size if values.size else math.nan
