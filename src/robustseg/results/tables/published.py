"""The papers' own numbers, kept as data beside our experiments."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import robustseg
from robustseg.errors import DataError
from robustseg.metrics.catalogue import CATALOGUE

# Metrics by their columns in a published.csv; Dice and Jaccard are taken as means over images,
# the T-Loss paper's primary number (the Tversky slides do not say).
_METRICS = {
    metric.column or metric.name: metric.name
    for metric in CATALOGUE.values()
    if (metric.formula or metric.measure) and not metric.among
}
_INSTALLED = Path(robustseg.__file__).parent / "experiments"  # empty in a checkout
# The papers' operator, with and without its faults, and its settings; None: clean masks.
_SAME_NOISE = ("morphological", "legacy", None)
NOISE_SETTINGS = {"noise.model.types": "dilate, erode, affine", "noise.model.max_angle": 30.0}
# Presets of one published loss: with the paper's settings and with its code's.
_SAME_LOSS = {"tloss_paper": "tloss", "tloss_code": "tloss"}


@dataclass(frozen=True)
class Value:
    """A published number: mean, standard deviation (NaN if not given), the paper's star."""

    mean: float
    std: float
    starred: bool


@dataclass(frozen=True)
class Published:
    """The numbers of one published.csv.

    Attributes:
        path: the file.
        entries: what a run has to be (label → value), name of the metric, and its value.
    """

    path: Path
    entries: list[tuple[dict[str, Any], str, Value]]

    @property
    def losses(self) -> list[str]:
        """The published losses in the paper's order."""
        return list(dict.fromkeys(labels["loss"] for labels, _, _ in self.entries))

    def find(
        self, metric: str, labels: Mapping[str, Any], noise: Mapping[str, Any] | None = None
    ) -> Value | None:
        """Return the published value of a metric for runs with these labels, if there is one.

        Args:
            metric: its name.
            labels: of the runs.
            noise: settings of their noise in which a table's runs differ. They must be those that
                the file names, or else the papers'.
        """
        noise = noise or {}
        if labels.get("noise") not in _SAME_NOISE:
            return None
        loss = labels["loss"]
        sought = {**labels, **noise, "loss": _SAME_LOSS.get(loss, loss)}
        for wanted, name, value in self.entries:
            wanted = {**{key: NOISE_SETTINGS.get(key) for key in noise}, **wanted}
            if name == metric and all(sought.get(key) == item for key, item in wanted.items()):
                return value
        return None


def experiments_folder() -> Path | None:
    """Return the folder of experiments: in the working directory, or where the package lies."""
    for root in (Path.cwd(), Path(robustseg.__file__).parents[2]):
        if (root / "experiments").is_dir():
            return root / "experiments"
    return None


def load_published(experiment: str | None, dataset: str, folder: Path | None) -> Published | None:
    """Read the published numbers for an experiment, or else for a dataset.

    Args:
        experiment: its own ``FOLDER/EXPERIMENT/published.csv`` comes first.
        dataset: else the first ``FOLDER/*_DATASET/published.csv``.
        folder: of the experiments; what an installed package brings comes after it.

    Returns:
        None if there is no such file.
    """
    for home in (folder, _INSTALLED):
        if home is None:
            continue
        paths = [home / experiment / "published.csv"] if experiment else []
        paths += sorted(home.glob(f"*_{dataset}/published.csv"))
        for path in paths:
            if path.exists():
                return read_published(path)
    return None


def read_published(path: Path) -> Published:
    """Read a published.csv.

    Columns ``dice``, ``jaccard``, ``hd95`` and others of the catalogue's metrics, plain or as a
    pair ``…_mean``, ``…_std``, are numbers, ``starred`` is 1 for the paper's star, and all
    others, ``loss`` among them, say what a run has to be; an empty cell means that the label does
    not apply to it.

    Raises:
        DataError: a number is none; the message names the file and the line.
    """
    entries = []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        for row in reader:
            starred = row.pop("starred", "0") == "1"
            values = {}
            for column, metric in _METRICS.items():
                plain, mean = row.pop(column, None), row.pop(f"{column}_mean", None)
                std = row.pop(f"{column}_std", None)
                text = plain or mean
                if text:
                    try:
                        numbers = float(text), float(std) if std else math.nan
                    except ValueError as error:
                        raise DataError(f"{path}, line {reader.line_num}: {error}") from error
                    values[metric] = Value(*numbers, starred)
            labels = {key: plain_value(text) for key, text in row.items()}
            entries += [(labels, metric, value) for metric, value in values.items()]
    return Published(path, entries)


def plain_value(text: str) -> Any:
    """Return a number if the text is one, None if it is empty or null, else the text."""
    if text in ("", "null"):
        return None
    try:
        return float(text)
    except ValueError:
        return text
