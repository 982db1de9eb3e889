"""The T-Loss's ν over epochs."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from robustseg.results.figures.lines import at_setting, averaged, heading, settings, styles_of
from robustseg.results.figures.run_files import Source, read_epochs
from robustseg.results.figures.style import legend, styles, tiles


class _Plain(LogFormatter):
    """Writes 0.6, not 6×10⁻¹; where the axis spans decades, those alone."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def nu(runs: pd.DataFrame, source: Source) -> Figure | None:
    """ν over epochs, a line per noise setting, from where it starts; a panel per start or T-Loss.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without a run that has a ν.

    Raises:
        Unreadable: an epochs.csv.
    """
    learnt = runs[runs["nu"].notna()] if "nu" in runs else runs[:0]
    if learnt.empty:
        return None
    curves = read_epochs(learnt["run_id"], source, "nu")
    lines = list(styles_of(learnt))
    figure, axes = tiles(len(lines), "epoch", "ν")
    found = settings(learnt)
    known = dict(zip(found, styles(range(len(found))).values(), strict=True))
    for axis, line in zip(axes, lines, strict=True):
        for setting, style in known.items():
            group = at_setting(learnt[learnt["line"] == line], *setting)
            if group.empty:
                continue
            curve = averaged(curves[run_id] for run_id in group["run_id"])["nu"].dropna()
            start = group["settings"].iloc[0].get("loss.log_nu")
            if start is not None:
                curve = pd.concat([pd.Series({0: math.exp(start)}), curve])
            marks = {**style.line, "markersize": 3.5, "markevery": max(1, len(curve) // 8)}
            axis.plot(curve.index, curve, **marks, label=heading(*setting))
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(_Plain())
        axis.yaxis.set_minor_formatter(_Plain(minor_thresholds=(1, 0.4)))
        axis.set_title(line, fontsize=10)
    legend(figure, axes)
    return figure
