"""Scores against the probability above which a pixel is foreground."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustseg.results.figures.lines import panels_of, styles_of, without_labels
from robustseg.results.figures.run_files import Source, read_each
from robustseg.results.figures.style import HIGH, LOW, Style, legend, tiles
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources

_TEST, _NOISY = "test_dice_image", "heldout_dice_noisy"


def thresholds(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Dice against the threshold, a line per loss, a panel per noise setting.

    With more losses than a panel has room for, a panel per loss at the hardest setting.

    Means over seeds and reported evaluations, of the test images against their clean masks (full)
    and of held-out images against masks as wrong as those of training (dashed), which is all that
    a user can see. The star is what tables report: the mean tuned threshold and the mean Dice with
    it, each evaluation at its own, so that it may lie off the line.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None if no run has recorded thresholds.

    Raises:
        Unreadable: a thresholds.csv that is there.
    """
    sources = Sources.of(source)
    # Runs that have recorded thresholds have this number.
    chosen = runs[runs["dice_image_oracle"].notna()] if "dice_image_oracle" in runs else runs[:0]
    if chosen.empty:
        return None
    curves = read_each(chosen["run_id"], sources, "thresholds", _reported)
    panels, apart = panels_of(chosen)
    figure, axes = tiles(len(panels), "threshold", "Dice", LOW if apart else HIGH)
    for axis, (title, part) in zip(axes, panels, strict=True):
        for name, style in styles_of(part).items():
            group = part[part["line"] == name]
            _draw(axis, group, [curves[run_id] for run_id in group["run_id"]], name, style)
        if apart:
            without_labels(axis)
        axis.axvline(0.5, color="0.35", linestyle=":", linewidth=1.2)
        axis.set_title(title, fontsize=10)
    if apart:
        figure.suptitle(apart, fontsize=10)
    held_out = any(_NOISY in curve and curve[_NOISY].notna().any() for curve in curves.values())
    wrong = all((part["alpha"] > 0).all() for _, part in panels)
    given = "noisy masks" if wrong else "masks as in training"
    keys = {"-": "test images, clean masks", "--": f"held-out images, {given}", ":": "½"}
    for dash, label in keys.items():
        if dash != "--" or held_out:
            axes[0].plot([], [], color="0.35", linestyle=dash, linewidth=1.2, label=label)
    if held_out:
        axes[0].plot([], [], color="0.35", marker="*", linestyle="none", label="tuned threshold")
    legend(figure, axes, () if apart else styles_of(chosen))
    return figure


def _reported(run: Run) -> pd.DataFrame:
    """Means over the reported evaluations, by threshold.

    Raises:
        ValueError: there is none, or no such column.
    """
    rows = run.thresholds()
    lacking = [name for name in ("epoch", "threshold", _TEST) if name not in rows]
    if lacking or rows.empty:
        raise ValueError(f"no column {lacking[0]}" if lacking else "no threshold")
    last = sorted(rows["epoch"].unique())[-int(run.numbers["evaluations"]) :]
    return rows[rows["epoch"].isin(last)].groupby("threshold").mean()


def _draw(
    axis: Axes, group: pd.DataFrame, curves: list[pd.DataFrame], name: str, style: Style
) -> None:
    mean = pd.concat(curves).groupby("threshold").mean()
    marks: Any = {"color": style.color, "marker": style.marker, "markersize": 3, "markevery": 2}
    axis.plot(mean.index, mean[_TEST], linewidth=1.3, label=name, **marks)
    if _NOISY in mean and mean[_NOISY].notna().any():
        axis.plot(mean.index, mean[_NOISY], linestyle="--", linewidth=1.1, **marks)
    if {"threshold", "dice_image_tuned"} <= set(group):
        tuned = group[["threshold", "dice_image_tuned"]].mean()
        axis.plot(
            tuned["threshold"],
            tuned["dice_image_tuned"],
            color=style.color,
            marker="*",
            markersize=11,
            markeredgecolor="white",
            linestyle="none",
        )
