"""A ranking as text: Markdown, LaTeX, HTML; or a record per loss as CSV or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robustseg.results.ranking.costs import Cost
from robustseg.results.ranking.make_ranking import Ranking
from robustseg.results.tables.grid import Grid
from robustseg.results.tables.notation import mean_std
from robustseg.results.tables.order import how_ordered
from robustseg.results.tables.render import MARKUPS, write_grid
from robustseg.results.tables.results_file import Record, write_csv, write_json
from robustseg.results.tables.table_model import LEVEL

_TOLD = 10  # things that are named


def render_ranking(ranking: Ranking, costs: Sequence[Cost], style: str, decimals: int = 2) -> str:
    """Write a ranking.

    Markdown, LaTeX and HTML have a line per loss, the best first, with notes below; the
    probabilities that a loss beats another, and the costs, have tables of their own. CSV and JSON
    have a record per loss, in full precision, with columns of the costs on each processor.

    Args:
        ranking: what to write.
        costs: of its losses.
        style: one of `STYLES`.
        decimals: of ranks; CSV and JSON ignore it.
    """
    if style not in MARKUPS:
        rows = _records(ranking, costs)
        return write_csv(rows) if style == "csv" else write_json(rows)
    parts = [write_grid(_main(ranking, decimals), _notes(ranking), style)]
    if ranking.win is not None:
        drawn = "images" if ranking.seeds[1] == 1 else "images and seeds"
        parts.append(write_grid(_pairs(ranking), [_WIN.format(drawn)], style))
    if costs:
        parts.append(write_grid(_costs(ranking, costs), [_COST], style))
    return "\n".join(parts)


_WIN = (
    "Probability that the loss of the row beats that of the column in one of the settings where "
    "both have runs, for other {} of this kind (½ a tie); – where they never meet."
)
_COST = (
    "Means over runs, never over processors: training milliseconds per step, hours per run with "
    "its evaluations, the same in processor time (– where it was not recorded), peak memory in "
    "MiB."
)


def _main(ranking: Ranking, decimals: int) -> Grid:
    heads = ["loss", "mean rank", f"{1 - LEVEL:.0%} interval", "one left out", "settings"]
    lines = []
    for at, name in enumerate(ranking.names):
        interval = [math.nan] * 2 if ranking.interval is None else ranking.interval[at]
        lines.append(
            [
                *(ranking.titles[name], mean_std(ranking.mean[at], decimals=decimals)),
                *(_range(ends, decimals) for ends in (interval, ranking.without[at])),
                f"{ranking.counts[at]} of {len(ranking.places)}",
            ]
        )
    return Grid([heads], lines, set(), 1, ["ours"] * len(lines))


def _costs(ranking: Ranking, costs: Sequence[Cost]) -> Grid:
    heads = ["where", "loss", "runs", "ms per step", "hours per run", "processor hours", "peak MiB"]
    ordered = sorted(costs, key=lambda cost: (cost.where, ranking.names.index(cost.name)))
    lines = [
        [
            *(cost.where, ranking.titles[cost.name], str(cost.runs)),
            *(f"{cost.step_ms:.1f}", f"{cost.hours:.2f}"),
            "–" if cost.processor_hours is None else f"{cost.processor_hours:.2f}",
            "–" if cost.memory_mb is None else f"{cost.memory_mb:.0f}",
        ]
        for cost in ordered
    ]
    return Grid([heads], lines, set(), 2, ["ours"] * len(lines))


def _range(ends: Sequence[float] | NDArray[np.float64], decimals: int) -> str:
    low, high = map(float, ends)
    if math.isnan(low):
        return "–"
    return "{} to {}".format(*(mean_std(end, decimals=decimals) for end in (low, high)))


def _pairs(ranking: Ranking) -> Grid:
    assert ranking.win is not None
    lines = [
        [
            ranking.titles[name],
            *(
                "" if to == at else mean_std(value, decimals=2)
                for to, value in enumerate(ranking.win[at])
            ),
        ]
        for at, name in enumerate(ranking.names)
    ]
    heads = ["P(win) against", *(ranking.titles[name] for name in ranking.names)]
    return Grid([heads], lines, set(), 1, ["ours"] * len(lines))


def _notes(ranking: Ranking) -> list[str]:
    words = [place.words for place in ranking.places]
    said = [
        f"Ranks by {ranking.metric}{how_ordered(ranking.metric)}, 1 the best and "
        f"{len(ranking.names)} the worst, averaged over "
        f"{len(words)} {'setting' if len(words) == 1 else 'settings'}: {_named(words)}."
    ]
    if ranking.missing:
        said.append(
            f"Incomplete: no run of {_named(ranking.missing)}. In settings with only some of the "
            f"losses, ranks are rescaled to 1 to {len(ranking.names)}."
        )
    if len(ranking.groups) > 1:
        groups = " | ".join(
            ", ".join(ranking.titles[name] for name in group) for group in ranking.groups
        )
        said.append(f"Never compared, so their ranks say nothing about each other: {groups}.")
    if ranking.alone:
        said.append(f"Left out, with no other loss to compare: {_named(ranking.alone)}.")
    if ranking.interval is not None:
        said.append(_interval_note(*ranking.seeds))
    return [*said, *_left_out_note(ranking), *ranking.confounders]


def _interval_note(least: int, most: int) -> str:
    images = "bootstrap over test images (those of one case together)"
    drawn = f"{images} and seeds, each drawn for all losses together"
    if most == 1:
        drawn = f"{images}, of these networks: one seed per cell says nothing about others"
    elif least < most:
        drawn += f"; {least} to {most} seeds per cell, and those with one add no spread of seeds"
    return f"Interval: {drawn}. The settings are not resampled."


def _left_out_note(ranking: Ranking) -> list[str]:
    best, left = ranking.names[0], ranking.first_without
    others = [
        f"{words} ({ranking.titles[first]})" for words, first in left if first not in (None, best)
    ]
    only = [words for words, first in left if first is None]
    if not left:
        return []
    name = ranking.titles[best]
    if only:  # it has one
        return [f"One left out: {name} has no rank without {_named(only)}."]
    if not others:
        return [f"One left out: {name} stays first whichever setting is left out."]
    return [f"One left out: {name} is not first without {_named(others)}."]


def _named(words: Sequence[str]) -> str:
    more = f" and {len(words) - _TOLD} more" if len(words) > _TOLD else ""
    return "; ".join(words[:_TOLD]) + more


def _records(ranking: Ranking, costs: Sequence[Cost]) -> list[Record]:
    rows = []
    for at, name in enumerate(ranking.names):
        low, high = (None, None) if ranking.interval is None else ranking.interval[at].tolist()
        least, most = ranking.without[at].tolist()
        row = {
            **{"loss": name, "metric": ranking.metric, "mean_rank": float(ranking.mean[at])},
            **{"low": low, "high": high, "without_low": least, "without_high": most},
            **{"settings": int(ranking.counts[at]), "of": len(ranking.places)},
        }
        if ranking.win is not None:
            wins = zip(ranking.names, ranking.win[at].tolist(), strict=True)
            row |= {f"beats {other}": value for other, value in wins}
            row[f"beats {name}"] = None
        for where in dict.fromkeys(cost.where for cost in costs):
            cost = next((c for c in costs if (c.name, c.where) == (name, where)), None)
            row |= {
                f"{key} ({where})": getattr(cost, key, None)
                for key in ("step_ms", "hours", "processor_hours", "memory_mb")
            }
        rows.append({key: None if value != value else value for key, value in row.items()})
    return rows
