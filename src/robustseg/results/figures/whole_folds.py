"""Folds as figures of scores take them: all of a seed together, as in tables."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from robustseg.errors import Unreadable
from robustseg.results.figures.lines import heading
from robustseg.results.sources import Sources
from robustseg.results.tables.image_scores import parts
from robustseg.results.tables.pooled_folds import FOLD, pool_folds, without_fold

_OF_LINES = ("line", "masks", "look")  # what `line_names` adds


def whole_folds(runs: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    """Make one row of the folds of a seed, each test image counted once; see `pool_folds`.

    Args:
        runs: as `line_names` gives them.
        sources: of the runs.

    Raises:
        Unreadable: seeds lack folds that most have, so that their numbers are of other images.
        NoImages: the rows of a fold are missing or damaged.
        UnlikeImages: two folds have some test images in common, and others not.
    """
    members = defaultdict[str, list[dict[Hashable, Any]]](list)
    for run in runs.to_dict("records"):
        if FOLD in run["settings"]:
            members[without_fold(run, sources)].append(run)
    if not members:
        return runs
    folds = {seed: frozenset(run["settings"][FOLD] for run in of) for seed, of in members.items()}
    counts = Counter(folds.values())
    usual = max(counts, key=lambda one: (len(one), counts[one]))
    reasons = {
        str(run["run_id"]): f"{_named(run)} has {_listed(folds[seed])} only, not {_listed(usual)}"
        for seed, of in members.items()
        if folds[seed] != usual
        for run in of
    }
    if reasons:
        raise Unreadable(reasons)
    pooled = pool_folds(runs.drop(columns=[*_OF_LINES]), sources)
    looks = runs.set_index("run_id")[[*_OF_LINES]].loc[[parts(one)[0] for one in pooled["run_id"]]]
    return pooled.assign(**{name: list(looks[name]) for name in _OF_LINES})


def _named(run: Mapping[Hashable, Any]) -> str:
    place = heading(run["alpha"], run["beta"] if run["alpha"] else 0, run["masks"])
    return f"{run['line']}, {place}, seed {run['seed']}"


def _listed(folds: Iterable[float]) -> str:
    words = [f"{fold:g}" for fold in sorted(folds)]
    return f"fold{'s' * (len(words) > 1)} {', '.join(words)}"
