"""Scores against the share of noisy masks."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
from matplotlib.figure import Figure

from robustseg.metrics.catalogue import find
from robustseg.results.figures.lines import styles_of
from robustseg.results.figures.run_files import Source
from robustseg.results.figures.style import legend, tiles
from robustseg.results.figures.whole_folds import whole_folds
from robustseg.results.sources import Sources
from robustseg.terminal.number_text import number_text


def dice_against_alpha(
    runs: pd.DataFrame, source: Source, metric: str = "dice_image"
) -> Figure | None:
    """A metric against α, a panel for each β and kind of masks, a line per loss.

    Mean and range over seeds, the folds of a seed together; a line breaks where a loss has no run
    at an α that others of the panel have.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, of which folds are read.
        metric: a number of metrics.json.

    Returns:
        The figure; None with fewer than two values of α.

    Raises:
        Unreadable: seeds lack folds that others have.
    """
    if runs["alpha"].nunique() < 2:
        return None
    runs = whole_folds(runs, Sources.of(source))
    kinds = runs[runs["alpha"] > 0][["beta", "masks"]].drop_duplicates()
    strengths = sorted(kinds.itertuples(index=False, name=None))
    shares = sorted(map(float, runs["alpha"].unique()))
    known = styles_of(runs)
    faint = min(0.15, 0.7 / len(known))  # many bands overlap
    title = entry.title if (entry := find(metric)) else metric
    figure, axes = tiles(len(strengths), "α, share of noisy masks", f"{title} of test images")
    for axis, (beta, masks) in zip(axes, strengths, strict=True):
        there = (runs["beta"] == beta) & (runs["masks"] == masks)
        part = runs[there | (runs["alpha"] == 0)]
        shown = sorted(part["alpha"].unique())
        for name, style in known.items():
            group = part[part["line"] == name]
            if group.empty:
                continue
            over = group.groupby("alpha")[metric]
            mean, low, high = (of.reindex(shown) for of in (over.mean(), over.min(), over.max()))
            axis.fill_between(mean.index, low, high, color=style.color, alpha=faint)
            axis.plot(mean.index, mean, **style.line, markersize=4.5, label=name)
        axis.set_title(", ".join(filter(None, (f"β = {number_text(beta)}", masks))), fontsize=10)
        if _apart(shares):
            axis.set_xticks(shares, [f"{share:g}" for share in shares])
    legend(figure, axes, known)
    return figure


def _apart(values: list[float]) -> bool:
    """Whether there is room for a tick at each of some values."""
    gaps = [after - before for before, after in pairwise(values)]
    return min(gaps) >= (values[-1] - values[0]) / 10
