"""Mean ranks with their intervals."""

from matplotlib.figure import Figure

from robustseg.results.figures.style import escaped, legend, loss_styles
from robustseg.results.ranking.make_ranking import Ranking

_WIDTH, _ROW = 5.4, 0.3  # inches


def ranks(ranking: Ranking) -> Figure:
    """Mean rank of each loss, the best on top, with its interval and its range without one setting.

    Args:
        ranking: as `make_ranking` gives it.
    """
    count = len(ranking.names)
    figure = Figure(figsize=(_WIDTH, 1.1 + _ROW * count), layout="constrained")
    axis = figure.subplots()
    known = loss_styles({name: name.partition(" ")[0] for name in sorted(ranking.names)})
    for at, name in enumerate(ranking.names):
        color = known[name].color
        axis.plot(ranking.without[at], [at + 0.22] * 2, color="0.7", linewidth=1.2)
        if ranking.interval is not None:
            axis.plot(ranking.interval[at], [at, at], color=color, linewidth=3, alpha=0.45)
        axis.plot(ranking.mean[at], at, color=color, marker=known[name].marker, markersize=6)
    if ranking.interval is not None:
        axis.plot([], [], color="0.35", linewidth=3, alpha=0.45, label="95 % interval")
    axis.plot(
        [], [], color="0.7", linewidth=1.2, label="range with one setting or data set left out"
    )
    legend(figure, [axis])
    axis.set_yticks(
        range(count),
        [escaped(ranking.titles[name]) for name in ranking.names],
    )
    axis.set_ylim(count - 0.4, -0.6)
    axis.set_xlim(0.8, max(count, 2) + 0.2)
    axis.set_xlabel(f"mean rank by {ranking.metric}, 1 the best", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25, axis="x")
    axis.tick_params(labelsize=8)
    return figure
