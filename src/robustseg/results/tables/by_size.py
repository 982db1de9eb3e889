"""Numbers of the quarters of the test images, from the smallest objects to the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from robustseg.errors import ConfigError
from robustseg.metrics.size_quarters import QUARTERS, quarters
from robustseg.metrics.summary import summarise_last
from robustseg.results.load import of_label_maps
from robustseg.results.sources import Sources
from robustseg.results.tables.image_scores import parts
from robustseg.results.tables.pooled_folds import rows_together

if TYPE_CHECKING:
    import pandas as pd


def by_size(
    runs: pd.DataFrame, sources: Sources, metrics: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Add the numbers of quarters of the test images, by the area of their true object.

    Args:
        runs: as `pool_folds` returns them.
        sources: of the runs.
        metrics: numbers of metrics.json.

    Returns:
        The runs with columns such as ``dice_image/smallest``, of each metric that rows of images
        give and each of `QUARTERS`; and the metrics, each with its own behind it.

    Raises:
        ConfigError: the runs have several classes, no metric derives from rows of images, or a
            quarter has no image.
        NoImages: rows are missing or damaged.
    """
    if of_label_maps(runs).any():
        raise ConfigError("--by size: these runs have several classes; use --by class")
    numbers = [_numbers(run_id, sources) for run_id in runs["run_id"]]
    given = {metric for of in numbers for own in of.values() for metric in own}
    shown = {
        metric: [f"{metric}/{name}" for name in QUARTERS if metric in given] for metric in metrics
    }
    if not any(shown.values()):
        raise ConfigError(f"--by size: {', '.join(metrics)} does not derive from single images")
    result = runs.assign(
        **{
            f"{metric}/{name}": [of[name].get(metric, np.nan) for of in numbers]
            for metric in metrics
            for name in QUARTERS
            if shown[metric]
        }
    )
    result.attrs = runs.attrs
    return result, [one for metric in metrics for one in (metric, *shown[metric])]


def _numbers(run_id: str, sources: Sources) -> dict[str, dict[str, float]]:
    """The numbers of a run, or of folds together, by quarter; of folds on one test set means."""
    tables = rows_together([sources.find(part) for part in parts(run_id)])
    found = [_of_rows(run_id, rows) for rows in tables]
    return {
        name: {
            metric: float(np.mean([numbers[name][metric] for numbers in found]))
            for metric in found[0][name]
        }
        for name in QUARTERS
    }


def _of_rows(run_id: str, rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    own = quarters((rows["tp"] + rows["fn"]).to_numpy())
    found = {}
    for name in QUARTERS:
        chosen = rows[own == name]
        if chosen.empty:
            raise ConfigError(
                f"--by size: no test image of {run_id} is in the quarter {name!r}; there are too "
                "few images with foreground, or too many with objects of one size"
            )
        columns = {str(column): of.to_numpy() for column, of in chosen.items()}
        found[name] = summarise_last(columns, chosen["epoch"].nunique())
    return found
