"""Every metric once: name, title, direction, unit and formula; numpy only.

To add a metric of single images, add an entry with its formula: runs compute it, tables test it
over images, and the documentation lists it. One over all pixels that counts do not give needs a
class with `update` and `compute` in a file of its own, which `measure` names.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustseg.metrics.counts import COUNTS, balanced_accuracy, dice, jaccard, ratio

Columns = Mapping[str, Any]  # of images.csv: tp, fp, fn, tn, perhaps hd95; or their sums
DIAGONAL = "diagonal"  # a column that no run writes: of its images, in pixels


@dataclass(frozen=True)
class Metric:
    """A number of metrics.json.

    Attributes:
        name: there.
        title: as a paper writes it.
        about: what it is, in a sentence.
        over: "images": a mean over images, so that tests can pair them; "rate": a share of the
            images; "pixels": of all pixels together; "thresholds": of a choice among thresholds.
        better: which way; None for neither.
        unit: of the number; empty for a share in [0, 1].
        decimals: as it is usually written.
        formula: of columns, elementwise; of their sums over images for "pixels". None if it does
            not derive from them.
        among: of columns, the images that count for it; None: all.
        by_prediction: whether it depends on the prediction which images count for it.
        needs: the columns of formula and among.
        column: of images.csv that holds each image's value, if there is one.
        measure: class of the metric that is updated with logits, "module:class".
        of_label_maps: whether it is one of several classes together, which binary runs lack.
        each_epoch: whether every evaluation is written to epochs.csv, as test_<name>.
        in_report: whether the report has a table of it.
    """

    name: str
    title: str
    about: str
    over: Literal["images", "rate", "pixels", "thresholds"]
    better: Literal["up", "down"] | None = "up"
    unit: str = ""
    decimals: int = 3
    formula: Callable[[Columns], NDArray[Any]] | None = None
    among: Callable[[Columns], NDArray[np.bool_]] | None = None
    by_prediction: bool = False
    needs: tuple[str, ...] = COUNTS
    column: str = ""
    measure: str = ""
    of_label_maps: bool = False
    each_epoch: bool = False
    in_report: bool = False

    def text(self, value: float) -> str:
        """Return a value with the metric's decimals; a dash where it is undefined."""
        return "–" if math.isnan(value) else f"{value:.{self.decimals}f}"

    @property
    def per_image(self) -> bool:
        """Whether `values` gives it for each test image."""
        return self.over == "images" and self.formula is not None

    def values(self, columns: Columns) -> NDArray[Any]:
        """Return the formula of columns, elementwise, those images included that do not count.

        Raises:
            ValueError: the metric has no formula.
        """
        if self.formula is None:
            raise ValueError(f"{self.name} does not derive from images.csv")
        return self.formula(columns)

    def counts_for(self, columns: Columns) -> NDArray[np.bool_]:
        """Return which images count for it."""
        if self.among is None:
            return np.ones(len(columns[self.needs[0]]), dtype=bool)
        return np.asarray(self.among(columns))


def diagonal(image_size: float) -> float:
    """The diagonal of a square image, in pixels."""
    return math.sqrt(2) * image_size


def find(name: str) -> Metric | None:
    """Return the metric of a number; ``train_dice_clean/dilate`` is of ``train_dice_clean``."""
    return CATALOGUE.get(base_name(name))


def base_name(name: str) -> str:
    """A number's or column's name without that of its class or type: tp of ``tp/heart``."""
    return name.partition("/")[0]


def _positive(c: Columns) -> NDArray[np.bool_]:
    return c["tp"] + c["fn"] > 0


def _negative(c: Columns) -> NDArray[np.bool_]:
    return c["fp"] + c["tn"] > 0


def _dice(c: Columns) -> NDArray[Any]:
    return dice(c["tp"], c["fp"], c["fn"])


def _jaccard(c: Columns) -> NDArray[Any]:
    return jaccard(c["tp"], c["fp"], c["fn"])


def _balanced_accuracy(c: Columns) -> NDArray[Any]:
    return balanced_accuracy(c["tp"], c["fp"], c["fn"], c["tn"])


def _tuned(metric: Metric) -> Metric:
    """A metric at the threshold that is best on held-out masks, with columns such as tp_tuned."""
    formula, among = metric.formula, metric.among

    def base(c: Columns) -> Columns:
        return {name: c[f"{name}_tuned"] for name in metric.needs}

    return replace(
        metric,
        name=f"{metric.name}_tuned",
        title=f"{metric.title}, tuned",
        about=f"{metric.about} At the threshold that is best on held-out noisy masks.",
        formula=formula and (lambda c: formula(base(c))),
        among=among and (lambda c: among(base(c))),
        needs=tuple(f"{name}_tuned" for name in metric.needs),
        column="",
        each_epoch=False,
        in_report=False,
    )


_DICE = Metric(
    "dice_image",
    "Dice",
    "Mean over images of 2·tp / (2·tp + fp + fn); 1 if both masks are empty, 0 if one is.",
    "images",
    formula=_dice,
    column="dice",
    each_epoch=True,
    in_report=True,
)
_DICE_POS = replace(
    _DICE,
    name="dice_image_pos",
    title="Dice, positive images",
    about="Mean Dice over the images with foreground.",
    among=_positive,
)
_DICE_POOLED = Metric(
    "dice_pooled",
    "pooled Dice",
    "Dice of the counts summed over images; 1 if all masks are empty. Of several classes, the mean "
    "over those that the true masks have; NaN for another.",
    "pixels",
    formula=_dice,
    each_epoch=True,
    in_report=True,
)
_JACCARD = Metric(
    "jaccard_image",
    "Jaccard",
    "Mean over images of tp / (tp + fp + fn); 1 if both masks are empty, 0 if one is.",
    "images",
    formula=_jaccard,
    column="jaccard",
    each_epoch=True,
    in_report=True,
)
_HD95 = Metric(
    "hd95",
    "HD95",
    "Mean over images of the 95th percentile of the distance between outlines; 1 if one mask is "
    "empty.",
    "images",
    "down",
    unit="image diagonals",
    formula=lambda c: np.asarray(c["hd95"], dtype=np.float64),
    needs=("hd95",),
    column="hd95",
    each_epoch=True,
    in_report=True,
)
_HD95_PIXELS = replace(
    _HD95,
    name="hd95_pixels",
    title="HD95 in pixels",
    about="hd95 times the diagonal, √2 · dataset.image_size: in pixels of the images as the "
    "network sees them, not of their files. Computed on request: no run records it.",
    unit="pixels",
    decimals=2,
    formula=lambda c: np.asarray(c["hd95"], dtype=np.float64) * c[DIAGONAL],
    needs=("hd95", DIAGONAL),
    column="",
    each_epoch=False,
    in_report=False,
)
_AREA_RATIO = Metric(
    "area_ratio",
    "area ratio",
    "Predicted over true foreground, summed over images; in [0, ∞), best at 1.",
    "pixels",
    better=None,
    unit="ratio",
    formula=lambda c: ratio(c["tp"] + c["fp"], c["tp"] + c["fn"]),
    each_epoch=True,
    in_report=True,
)

CATALOGUE = {
    metric.name: metric
    for metric in (
        _DICE,
        _DICE_POS,
        _DICE_POOLED,
        _JACCARD,
        replace(
            _JACCARD,
            name="jaccard_image_pos",
            title="Jaccard, positive images",
            about="Mean Jaccard over the images with foreground.",
            among=_positive,
            each_epoch=False,
            in_report=False,
        ),
        Metric(
            "jaccard_pooled",
            "pooled Jaccard",
            "Jaccard of the counts summed over images; 1 if all masks are empty. Of several "
            "classes, the mean over those that the true masks have; NaN for another.",
            "pixels",
            formula=_jaccard,
        ),
        Metric(
            "balanced_accuracy",
            "balanced accuracy",
            "(TPR + TNR) / 2 of the counts summed over images; NaN if a class is absent.",
            "pixels",
            formula=_balanced_accuracy,
            each_epoch=True,
            in_report=True,
        ),
        Metric(
            "balanced_accuracy_image",
            "balanced accuracy per image",
            "Mean of (TPR + TNR) / 2 over the images that have both classes.",
            "images",
            formula=_balanced_accuracy,
            among=lambda c: _positive(c) & _negative(c),
        ),
        Metric(
            "false_positive_rate_empty",
            "false alarms, empty images",
            "Share of the images without foreground in which at least one pixel is predicted.",
            "rate",
            "down",
            formula=lambda c: np.asarray(c["fp"] > 0, dtype=np.float64),
            among=lambda c: ~_positive(c),
        ),
        Metric(
            "false_positive_pixels_empty",
            "false positive pixels, empty images",
            "Share of the pixels of images without foreground that are predicted.",
            "pixels",
            "down",
            formula=lambda c: ratio(c["fp"], c["fp"] + c["tn"]),
            among=lambda c: ~_positive(c),
        ),
        Metric(
            "missed_rate_pos",
            "missed, positive images",
            "Share of the images with foreground in which nothing is predicted.",
            "rate",
            "down",
            formula=lambda c: np.asarray(c["tp"] + c["fp"] == 0, dtype=np.float64),
            among=_positive,
        ),
        _HD95,
        replace(
            _HD95,
            name="hd95_pos",
            title="HD95, positive images",
            about="Mean HD95 over the images with foreground.",
            among=_positive,
            needs=("hd95", "tp", "fn"),
            each_epoch=False,
            in_report=False,
        ),
        _HD95_PIXELS,
        replace(
            _HD95_PIXELS,
            name="hd95_pixels_pos",
            title="HD95 in pixels, positive images",
            about="Mean hd95_pixels over the images with foreground.",
            among=_positive,
            needs=("hd95", DIAGONAL, "tp", "fn"),
        ),
        Metric(
            "average_precision",
            "average precision",
            "Area under precision over recall of all pixels, ranked by their logits.",
            "pixels",
            measure="robustseg.metrics.average_precision:AveragePrecision",
            each_epoch=True,
            in_report=True,
        ),
        Metric(
            "calibration_error",
            "ECE",
            "Expected calibration error of the foreground probability over all pixels, 15 bins.",
            "pixels",
            "down",
            measure="robustseg.metrics.calibration:ExpectedCalibrationError",
            each_epoch=True,
            in_report=True,
        ),
        Metric(
            "calibration_error_top",
            "top-label ECE",
            "Expected calibration error of the largest probability, of label maps of several "
            "classes, 15 bins.",
            "pixels",
            "down",
            measure="robustseg.metrics.one_against_rest:TopLabelCalibrationError",
            of_label_maps=True,
            each_epoch=True,
            in_report=True,
        ),
        _AREA_RATIO,
        replace(_tuned(_DICE), in_report=True),
        _tuned(_DICE_POS),
        _tuned(_DICE_POOLED),
        _tuned(_JACCARD),
        _tuned(_AREA_RATIO),
        Metric(
            "threshold",
            "threshold",
            "The threshold that is best on held-out noisy masks; the tuned metrics are at it.",
            "thresholds",
            better=None,
            unit="probability",
            decimals=2,
        ),
        Metric(
            "dice_image_oracle",
            "Dice, oracle threshold (upper bound)",
            "An upper bound, not a result: Dice at the threshold that is best on the test masks "
            "themselves.",
            "thresholds",
            better=None,
        ),
        Metric(
            "train_dice_noisy",
            "training Dice against the given masks",
            "Mean Dice of training images against the masks they were given, noise included.",
            "images",
            better=None,
            in_report=True,
        ),
        Metric(
            "train_dice_clean",
            "training Dice against the clean masks",
            "Mean Dice of training images against their masks before the noise.",
            "images",
            in_report=True,
        ),
        Metric(
            "train_changed",
            "changed training predictions",
            "Share of the training pixels whose prediction differs from the evaluation before.",
            "pixels",
            better=None,
            decimals=4,
        ),
    )
}
