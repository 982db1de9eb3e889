"""From per-image counts to the numbers of a run; numpy only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustseg.metrics.by_class import classes_in, metrics_of, pixels_counted
from robustseg.metrics.catalogue import CATALOGUE, DIAGONAL, base_name
from robustseg.metrics.counts import COUNTS, dice, jaccard

__all__ = ["COUNTS", "contradiction", "dice", "jaccard", "summarise", "summarise_last"]
_COLUMNS = {name for metric in CATALOGUE.values() if metric.formula for name in metric.needs}
_REAL = ("hd95", DIAGONAL)  # columns that are no counts


def summarise(columns: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Derive the numbers of one evaluation from its per-image rows.

    Sums over images are exact (integers, or correctly rounded), so the result depends neither on
    the order of the rows nor on the machine, and is bit for bit the same from ``images.csv``.
    An image whose pixels are all ignored says nothing and is left out.

    Args:
        columns: integer columns ``tp``, ``fp``, ``fn``, ``tn``, one entry an image, and those that
            other metrics need; more are ignored. A DataFrame will do. Of several classes:
            ``tp/NAME`` and so on for each.

    Returns:
        The metrics of `robustseg.metrics.catalogue` that derive from the columns there are, by
        name; NaN where one is undefined. Of several classes those of each class and over all, as
        `robustseg.metrics.by_class` says. Means over ``hd95`` need that column; unnormalised
        distances may be NaN (see ``surface.hd95``) and then so is their mean. Those that end in
        ``_tuned`` need the counts at a tuned threshold, ``tp_tuned`` and so on.

    Raises:
        ValueError: there is no row with a counted pixel, or a count is not a whole number of 0 or
            more.

    Examples:
        >>> from robustseg.metrics import summarise
        >>> numbers = summarise({"tp": [3, 0], "fp": [1, 2], "fn": [0, 0], "tn": [12, 14]})
        >>> round(numbers["dice_image"], 4), round(numbers["dice_pooled"], 4)
        (0.4286, 0.6667)
        >>> numbers["false_positive_rate_empty"], numbers["missed_rate_pos"]
        (1.0, 0.0)
    """
    table = {
        name: np.asarray(columns[name], dtype=np.float64)
        if base_name(name) in _REAL
        else _counts(name, columns[name])
        for name in _relevant(columns)
    }
    counted = pixels_counted(table) > 0
    if not counted.any():
        raise ValueError("there are no images to summarise")
    table = {name: column[counted] for name, column in table.items()}
    numbers = {}
    for metric in metrics_of(table).values():
        if set(metric.needs) <= set(table):
            chosen = metric.counts_for(table)
            rows = {name: table[name][chosen] for name in metric.needs}
            if metric.over == "pixels":
                sums = {name: int(column.sum()) for name, column in rows.items()}
                numbers[metric.name] = float(metric.values(sums))
            else:
                numbers[metric.name] = _mean(metric.values(rows))
    return means_over_classes(numbers, classes_in(table))


def _counts(name: str, column: ArrayLike) -> NDArray[np.int64]:
    values = np.asarray(column)
    with np.errstate(invalid="ignore"):  # NaN is refused below
        counts = values.astype(np.int64)
    if not np.array_equal(values, counts) or (counts < 0).any():
        raise ValueError(f"{name} must hold whole numbers of 0 or more")
    return counts


def means_over_classes(numbers: dict[str, float], classes: Sequence[str]) -> dict[str, float]:
    """Add to numbers of classes their mean over the classes for which they are defined.

    Args:
        numbers: by name; those of a class as ``dice_pooled/heart``.
        classes: the foreground classes; none: nothing is added.

    Examples:
        >>> from robustseg.metrics.summary import means_over_classes
        >>> means_over_classes({"dice_pooled/a": 0.5, "dice_pooled/b": 0.75}, ["a", "b"])
        {'dice_pooled': 0.625, 'dice_pooled/a': 0.5, 'dice_pooled/b': 0.75}
    """
    result = {}
    for name, value in numbers.items():
        base = base_name(name)
        if classes and base not in numbers and base not in result:
            each = np.array([numbers[f"{base}/{one}"] for one in classes])
            result[base] = _mean(each[~np.isnan(each)])
        result[name] = value
    return result


def _relevant(columns: Mapping[str, ArrayLike]) -> list[str]:
    return [name for name in map(str, columns) if base_name(name) in _COLUMNS]


def summarise_last(columns: Mapping[str, ArrayLike], last: int) -> dict[str, float]:
    """Average ``summarise`` over the last evaluations: the final numbers of a run.

    Args:
        columns: as for ``summarise``, with the rows of several evaluations distinguished by the
            column ``epoch``.
        last: how many evaluations to average (fewer if there are fewer), at least 1.

    Raises:
        ValueError: ``last`` is below 1, or there is no row.

    Examples:
        >>> from robustseg.metrics import summarise_last
        >>> rows = {"epoch": [1, 2, 3], "tp": [1, 2, 3], "fn": [3, 2, 1]}
        >>> rows |= {"fp": [0, 0, 0], "tn": [12, 12, 12]}
        >>> round(summarise_last(rows, last=2)["jaccard_image"], 4)
        0.625
    """
    if last < 1:
        raise ValueError(f"last must be at least 1, got {last}")
    epoch = np.asarray(columns["epoch"])
    table = {name: np.asarray(columns[name]) for name in _relevant(columns)}
    evaluations = [
        summarise({name: column[epoch == value] for name, column in table.items()})
        for value in np.unique(epoch)[-last:]
    ]
    if not evaluations:
        raise ValueError("there are no images to summarise")
    return {
        name: _mean(np.array([numbers[name] for numbers in evaluations])) for name in evaluations[0]
    }


def contradiction(
    numbers: Mapping[str, Any], columns: Mapping[str, ArrayLike], tolerance: float
) -> str | None:
    """Return which final number of a run its rows of images contradict, in words; else None.

    Args:
        numbers: of the run, by name; of those that `summarise_last` gives older runs lack some,
            and a missing one (None, NaN) contradicts nothing.
        columns: as for ``summarise_last``, of the evaluations that the numbers average.
        tolerance: relative.

    Raises:
        ValueError: there is no row with a counted pixel.

    Examples:
        >>> from robustseg.metrics.summary import contradiction
        >>> rows = {"epoch": [9], "tp": [2], "fp": [1], "fn": [1], "tn": [12]}
        >>> contradiction({"dice_image": 2 / 3, "jaccard_image": 0.5}, rows, 1e-9)
        >>> contradiction({"jaccard_image": 0.75}, rows, 1e-9)
        'jaccard_image is 0.5, in metrics.json 0.75'
    """
    for name, found in summarise_last(columns, len(np.asarray(columns["epoch"]))).items():
        wanted = numbers.get(name)
        if wanted is None or math.isnan(wanted):
            continue
        if not math.isclose(found, wanted, rel_tol=tolerance):
            return f"{name} is {found}, in metrics.json {wanted}"
    return None


def _mean(values: NDArray) -> float:
    # fsum rounds once, so the mean is the same in every order and on every processor.
    return math.fsum(values.tolist()) / values.size if values.size else math.nan
