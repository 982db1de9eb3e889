"""How the scores of single test images are spread, which a mean hides."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustseg.metrics.by_class import pixels_counted
from robustseg.results.figures.lines import at_setting, heading, settings, styles_of
from robustseg.results.figures.run_files import Source, read_each
from robustseg.results.figures.style import Style, tiles
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources

_DOTS = 400  # shown a loss; the outline is of all


def image_dice(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Dice of each test image, a row per loss, a panel per noise setting.

    The outline is a density, a dot an image (jittered in height; mean over the reported
    evaluations), the bar the median. Images of all seeds are shown together.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without images.csv.

    Raises:
        Unreadable: one that is there.
    """
    sources = Sources.of(source)
    runs = runs[[sources.find(run_id).has("images") for run_id in runs["run_id"]]]
    if runs.empty:
        return None
    values = read_each(runs["run_id"], sources, "images", _dice)
    found = settings(runs)
    known = styles_of(runs)
    height = max(1.5, 0.42 * len(known) + 0.6)
    figure, axes = tiles(len(found), "Dice of a test image", "", height)
    for axis, setting in zip(axes, found, strict=True):
        part = at_setting(runs, *setting)
        for at, (name, style) in enumerate(known.items()):
            group = part[part["line"] == name]
            if len(group):
                dice = np.concatenate([values[run_id] for run_id in group["run_id"]])
                _draw(axis, at, dice, style)
        axis.set_title(heading(*setting), fontsize=10)
    axes[0].set_yticks(range(len(known)), list(known))
    axes[0].set_ylim(len(known) - 0.4, -0.7)
    everything = np.concatenate([*values.values(), np.empty(0)])
    if len(everything):
        low, high = np.floor(20 * everything.min()) / 20, np.ceil(20 * everything.max()) / 20
        axes[0].set_xlim(low - 0.02, high + 0.02)
    return figure


def _dice(run: Run) -> np.ndarray:
    """Dice of each test image with a counted pixel, mean over the reported evaluations."""
    rows = run.images()
    counted = pixels_counted({str(name): column for name, column in rows.items()}) > 0
    return rows[counted].groupby("id", sort=False)["dice"].mean().to_numpy()


def _draw(axis: Axes, at: int, dice: np.ndarray, style: Style) -> None:
    """Density above the line, dots below it."""
    if len(np.unique(dice)) > 1:
        parts = axis.violinplot(
            [dice], [at], orientation="horizontal", widths=0.9, side="low", showextrema=False
        )
        for body in parts["bodies"]:  # type: ignore[attr-defined]
            body.set(facecolor=style.color, edgecolor=style.color, alpha=0.3)
    rng = np.random.default_rng(0)
    shown = rng.choice(dice, min(len(dice), _DOTS), replace=False)
    heights = at + rng.uniform(0.06, 0.3, len(shown))
    axis.scatter(
        shown, heights, s=5, color=style.color, marker=style.marker, linewidths=0, rasterized=True
    )
    axis.vlines(np.median(dice), at - 0.36, at + 0.34, color=style.color, linewidth=2)
