"""Losses over an image or over the batch, against the batch size."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
from matplotlib.figure import Figure

from robustseg.results.figures.lines import at_setting, heading, settings, styles_of, with_lines
from robustseg.results.figures.run_files import Source
from robustseg.results.figures.style import legend, tiles
from robustseg.results.figures.whole_folds import whole_folds
from robustseg.results.sources import Sources
from robustseg.results.tables.distinct import distinguished


def domain_against_batch_size(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Dice of test images against the batch size, a line per loss and domain, a panel per setting.

    Means over seeds with their range, the folds of a seed together. Over single images a loss
    should not care how many are in a batch; over the batch it is another loss for every batch size.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, of which folds are read.

    Returns:
        The figure; None without losses that have a domain at several batch sizes.

    Raises:
        Unreadable: seeds lack folds that others have.
    """
    runs = runs[runs["domain"].notna()]
    if runs["batch_size"].nunique() < 2:
        return None
    runs = whole_folds(runs, Sources.of(source))
    named, labels, of_noise = distinguished(runs)
    labels = [*[label for label in labels if label not in ("batch_size", "domain")], "domain"]
    runs = with_lines(runs, named, labels, of_noise, list(runs["loss"].unique()))
    found, lines = settings(runs), styles_of(runs)
    sizes = sorted(runs["batch_size"].unique())
    nearest = min(large / small for small, large in pairwise(sizes))
    # The marks of a batch size stay nearer to each other than to those of the next.
    step = min(1.04, nearest ** (0.5 / len(lines)))
    figure, axes = tiles(len(found), "images in a batch", "Dice of test images")
    for axis, setting in zip(axes, found, strict=True):
        part = at_setting(runs, *setting)
        for at, (name, style) in enumerate(lines.items()):
            group = part[part["line"] == name]
            if group.empty:
                continue
            over = group.groupby("batch_size")["dice_image"]
            mean = over.mean()
            spread = [mean - over.min(), over.max() - mean]
            beside = step ** (at - (len(lines) - 1) / 2)  # else bars would cover one another
            marks = {**style.line, "markersize": 4.5, "capsize": 2}
            axis.errorbar(mean.index * beside, mean, spread, **marks, label=name)
        axis.set_xscale("log")
        axis.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axis.minorticks_off()
        axis.set_title(heading(*setting), fontsize=10)
    legend(figure, axes)
    return figure
