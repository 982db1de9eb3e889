"""The test Dice where rules stop training, beside the best evaluation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustseg.results.figures.lines import at_setting, heading, settings, styles_of
from robustseg.results.figures.run_files import Source, read_epochs
from robustseg.results.figures.style import Style, legend, styles, tiles
from robustseg.results.figures.whole_folds import whole_folds
from robustseg.results.sources import Sources
from robustseg.results.tables.rules import RULES, metric_of
from robustseg.results.tables.stopping import ORACLE, SCORE, add_selected

_ROW = 0.28  # inches per loss
_SPREAD = 0.5  # of the rules of a loss, in rows


def selection(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Test Dice at the evaluation that each rule picks, a row per loss, a panel per noise setting.

    Means over seeds, the folds of a seed together. A rule for which no run has recorded what it
    needs is left out. The grey bar ends at the best evaluation on the clean test masks; what lies
    between a mark and that end is the regret.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None if no run has recorded what a rule needs.

    Raises:
        Unreadable: an epochs.csv; or seeds lack folds that others have.
    """
    recorded = [name for name in ("train_changed", "dice_image_tuned") if name in runs]
    chosen = runs[runs[recorded].notna().any(axis=1)]
    if chosen.empty:
        return None
    chosen = add_selected(chosen, read_epochs(chosen["run_id"], source, SCORE), RULES)
    chosen = whole_folds(chosen, Sources.of(source))
    picked = [metric_of(rule) for rule in RULES]
    found, lines = settings(chosen), list(styles_of(chosen))
    height = 1 + _ROW * len(lines)
    figure, axes = tiles(len(found), "Dice of test images", "", height)
    known = dict(zip(RULES, styles(range(len(RULES))).values(), strict=True))
    for axis, setting in zip(axes, found, strict=True):
        means = at_setting(chosen, *setting).groupby("line")[[*picked, ORACLE]].mean()
        for place, line in enumerate(lines):
            if line in means.index:
                ends = means.loc[line, picked].min(), means.loc[line, ORACLE]
                axis.plot(
                    np.array(ends, float),
                    [place, place],
                    color="0.75",
                    linewidth=4,
                    solid_capstyle="butt",
                    zorder=1,
                )
        for at, (rule, style) in enumerate(known.items()):
            if chosen[metric_of(rule)].isna().all():
                continue
            _marks(axis, means, lines, rule, style, _SPREAD * (at / (len(RULES) - 1) - 0.5))
        axis.set_yticks(range(len(lines)), lines)
        axis.set_ylim(len(lines) - 0.4, -0.6)
        axis.set_title(heading(*setting), fontsize=10)
    axes[0].plot([], [], color="0.75", linewidth=4, label="to the best evaluation (no result)")
    legend(figure, axes)
    return figure


def _marks(
    axis: Axes, means: pd.DataFrame, lines: list[str], rule: str, style: Style, off: float
) -> None:
    """A mark a loss for one rule, a little above or below the others."""
    values = means[metric_of(rule)].reindex(lines)
    axis.plot(
        values,
        [place + off for place in range(len(lines))],
        color=style.color,
        marker=style.marker,
        markersize=5,
        linestyle="none",
        label=rule,
    )
