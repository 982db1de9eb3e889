"""Metrics of several classes: each class separately, and all of them together; numpy only.

A label map has one binary mask a foreground class. Columns of counts then end in its name, such as
``tp/left lung``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robustseg.metrics.catalogue import CATALOGUE, DIAGONAL, Columns, Metric
from robustseg.metrics.counts import COUNTS

_OCCURS = ("tp", "fp", "fn")


def classes_in(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the foreground classes that columns are of, in their order; none if masks are binary.

    Examples:
        >>> from robustseg.metrics.by_class import classes_in
        >>> classes_in(["id", "tp/left lung", "fp/left lung", "tp/heart", "dice"])
        ('left lung', 'heart')
    """
    return tuple(name.removeprefix("tp/") for name in columns if name.startswith("tp/"))


def metrics_of(columns: Iterable[str]) -> dict[str, Metric]:
    """Return the metrics with a formula that columns give, by name.

    Those of the catalogue for binary masks. For several classes each of them by the name of the
    class, such as ``dice_image/left lung``, a mean over the images in which the class occurs in
    truth or prediction; and of those that are means over images also the one over classes, by its
    plain name: an image's value is the mean over the classes that occur in it. Where none does, it
    is what the formula gives for two empty masks. A metric of all pixels together, such as
    ``dice_pooled/left lung``, is NaN for a class that no true mask has, whatever is predicted:
    nothing was there to be found.

    Examples:
        >>> from robustseg.metrics.by_class import metrics_of
        >>> names = [f"{count}/{name}" for name in ("a", "b") for count in ("tp", "fp", "fn", "tn")]
        >>> dice = metrics_of(names)["dice_image"]
        >>> dice.values(dict(zip(names, [[4], [0], [0], [12], [0], [0], [2], [14]])))
        array([0.5])
    """
    columns = list(columns)
    classes = classes_in(columns)
    found = [metric for metric in CATALOGUE.values() if metric.formula]
    if classes:
        found = [one for metric in found for one in _by_class(metric, classes)]
    return {metric.name: metric for metric in found if set(metric.needs) <= set(columns)}


def _by_class(metric: Metric, classes: Sequence[str]) -> list[Metric]:
    own = [_of_class(metric, name) for name in classes]
    return [_over_classes(metric, own), *own] if metric.over == "images" else own


def _of_class(metric: Metric, name: str) -> Metric:
    """A metric of one class, with columns such as tp/left lung."""
    formula, among = metric.formula, metric.among
    needs = {need: need if need == DIAGONAL else f"{need}/{name}" for need in metric.needs}
    occurs = [f"{count}/{name}" for count in _OCCURS]

    def base(c: Columns) -> Columns:
        return {need: np.asarray(c[column]) for need, column in needs.items()}

    def counted(c: Columns) -> NDArray[np.bool_]:
        if among is not None:
            return among(base(c))
        return np.asarray(np.sum([np.asarray(c[column]) for column in occurs], axis=0) > 0)

    def values(c: Columns) -> NDArray[np.float64]:
        assert formula is not None
        each = formula(base(c))
        if not of_truth:
            return each
        return np.where(np.asarray(c[f"tp/{name}"]) + c[f"fn/{name}"] > 0, each, math.nan)

    everywhere = metric.over != "images" and among is None
    of_truth = metric.over == "pixels" and among is None and {"tp", "fn"} <= set(metric.needs)
    return replace(
        metric,
        name=f"{metric.name}/{name}",
        title=f"{metric.title}, {name}",
        formula=formula and values,
        among=None if everywhere else counted,
        by_prediction=not everywhere and among is None,
        needs=tuple(dict.fromkeys((*needs.values(), *(() if everywhere else occurs)))),
        column="",
        in_report=False,
    )


def _over_classes(metric: Metric, own: list[Metric]) -> Metric:
    """A metric of an image: the mean over the classes that count in it."""

    def counts(c: Columns) -> NDArray[np.bool_]:
        return np.stack([one.counts_for(c) for one in own])

    def values(c: Columns) -> NDArray[np.float64]:
        each, of_image = np.stack([one.values(c) for one in own]), counts(c)
        total = np.where(of_image, each, 0.0).sum(axis=0)
        number = of_image.sum(axis=0)
        # Two empty masks have the same value whatever the class.
        return np.divide(total, number, out=each[0].astype(np.float64), where=number > 0)

    return replace(
        metric,
        formula=values,
        among=metric.among and (lambda c: np.asarray(counts(c).any(axis=0))),
        column="" if metric.among else metric.column,  # the column is over all classes that occur
        needs=tuple(dict.fromkeys(need for one in own for need in one.needs)),
    )


def derived(columns: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Return the columns of images.csv that follow from counts and distances."""
    return {
        metric.column: metric.values(columns)
        for metric in metrics_of(columns).values()
        if metric.column and metric.column not in metric.needs
    }


def pixels_counted(columns: Columns) -> NDArray[np.int64]:
    """Return how many pixels of each image count, by its counts of whatever class."""
    (first, *_) = (*classes_in(columns), "")
    of = f"/{first}" if first else ""
    return np.sum([np.asarray(columns[f"{name}{of}"]) for name in COUNTS], axis=0)
