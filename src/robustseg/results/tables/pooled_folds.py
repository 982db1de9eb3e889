"""Runs that differ in their fold only, as one run over the images of all of them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustseg.errors import NoImages, UnlikeImages
from robustseg.metrics.catalogue import DIAGONAL
from robustseg.metrics.summary import summarise_last
from robustseg.results.load import metric_names
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources
from robustseg.results.tables.image_scores import checked_rows, diagonal_of, joined, shown
from robustseg.results.tables.table_model import Folds
from robustseg.runs.labels import LABELS

if TYPE_CHECKING:
    import pandas as pd

FOLD, _COUNT = "dataset.fold", "dataset.folds"


def pool_folds(runs: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    """Make one row of the runs that differ in their fold only.

    Its numbers are those of the union of the folds' test images, each counted once, at each of
    the reported evaluations. Folds that were all tested on the same images, those of a test set of
    its own, are averaged. Numbers that rows of images do not give are means over the folds,
    weighted by their numbers of test images.

    Args:
        runs: as `load_runs` returns them.
        sources: of the runs.

    Returns:
        The runs, of which the pooled ones have a joined ``run_id``, as `Images` takes it, and
        a tuple of their folds, their number and `Folds.same_images` in the column ``folds``. Runs
        without folds are returned as they are.

    Raises:
        NoImages: the rows of a fold are missing or damaged.
        UnlikeImages: two folds have some test images in common, and others not.
    """
    import pandas as pd

    if not any(FOLD in own for own in runs["settings"]):
        return runs
    places: dict[str, list[int]] = {}
    for place, run in enumerate(runs.to_dict("records")):
        places.setdefault(without_fold(run, sources), []).append(place)
    numbers = metric_names(runs)
    first = runs.iloc[[of[0] for of in places.values()]]
    columns = {str(name): list(column) for name, column in first.items()}
    columns["folds"] = [None] * len(first)
    for at, of in enumerate(places.values()):
        if FOLD in runs["settings"].iloc[of[0]]:
            for name, value in _pooled(runs.iloc[of], numbers, sources).items():
                columns[name][at] = value
    result = pd.DataFrame(columns)
    result.attrs = runs.attrs
    return result


def without_fold(run: Mapping[Hashable, Any], sources: Sources) -> str:
    """What the folds of one seed have in common; the id of any other run."""
    if FOLD not in run["settings"]:
        return str(run["run_id"])
    others = {name: value for name, value in run["settings"].items() if name != FOLD}
    data = str(sources.find(run["run_id"]).status.get("fingerprint") or "")
    return json.dumps([[run[name] for name in LABELS], others, data], sort_keys=True, default=str)


def _pooled(group: pd.DataFrame, numbers: Sequence[str], sources: Sources) -> dict[str, Any]:
    own = [dict(settings) for settings in group["settings"]]
    folds = [int(settings.pop(FOLD)) for settings in own]
    group = group.iloc[sorted(range(len(group)), key=folds.__getitem__)]
    sizes = group["test_images"].astype(float)
    weighted = {
        name: float((group[name].astype(float) * sizes).sum(skipna=False) / sizes.sum())
        for name in numbers
        if not group[name].map(_is_no_number).any()
    }
    exact, same_images = _of_all_images([sources.find(run_id) for run_id in group["run_id"]])
    collapsed = [kind for kind in group["collapsed"] if isinstance(kind, str)]
    experiments, processors = (
        dict.fromkeys(name for of in group[column] for name in of)
        for column in ("experiments", "processors")
    )
    return {
        **dict.fromkeys(set(numbers) - set(weighted)),
        **weighted,
        **{name: value for name, value in exact.items() if name in numbers},
        "run_id": joined(group["run_id"]),
        "settings": own[0],
        "collapsed": collapsed[0] if collapsed else None,
        "experiments": tuple(experiments),
        "processors": tuple(processors),
        "folds": (tuple(sorted(folds)), int(own[0][_COUNT]), same_images),
    }


def _is_no_number(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float)


def _of_all_images(runs: Sequence[Run]) -> tuple[dict[str, float], bool | None]:
    """The numbers of all test images of some folds together; none if they are the same images.

    Also whether they are; None of a single fold.
    """
    tables = rows_together(runs)
    if len(tables) > 1:
        return {}, True
    (everything,) = tables
    columns = {str(name): everything[name].to_numpy() for name in everything.columns}
    numbers = summarise_last(columns, everything["epoch"].nunique())
    exact = {**numbers, "test_images": float(everything["id"].nunique())}
    return exact, False if len(runs) > 1 else None


def rows_together(runs: Sequence[Run]) -> list[pd.DataFrame]:
    """The rows of the test images of some folds, or of a run.

    Returns:
        One table of all images, of their first, second, … reported evaluation; of folds that were
        all tested on the same images, the table of each.

    Raises:
        NoImages: rows are missing or damaged, or of different numbers of evaluations.
        UnlikeImages: two folds have some test images in common, and others not.
    """
    import pandas as pd

    tables = [checked_rows(run) for run in runs]
    tables = [
        rows.assign(**{DIAGONAL: diagonal_of(run, len(rows))})
        for run, rows in zip(runs, tables, strict=True)
    ]
    images = [set(rows["id"]) for rows in tables]
    union = set().union(*images)
    if len(runs) > 1 and all(one == union for one in images):
        return tables
    if sum(map(len, images)) != len(union):
        raise UnlikeImages(
            f"{shown(joined(run.run_id for run in runs))}: folds have test images in common, so "
            "they are not of one split: choose runs with --where"
        )
    # The k-th reported evaluation of all folds together, whatever their epochs are.
    ranked = [rows.assign(epoch=rows["epoch"].rank(method="dense").astype(int)) for rows in tables]
    count = {int(rows["epoch"].max()) for rows in ranked}
    if len(count) > 1:
        raise NoImages(
            f"{shown(joined(run.run_id for run in runs))} report different numbers of evaluations"
        )
    return [pd.concat(ranked, ignore_index=True)]


def folds_of(pooled: Iterable[Any]) -> Folds | None:
    """What the cell of some pooled runs has of its folds; None if they have none.

    Args:
        pooled: the values of the column ``folds``.
    """
    found = [one for one in pooled if isinstance(one, tuple)]
    if not found:
        return None
    fewest = min(len(set(folds)) for folds, _, _ in found)
    which = found[0][0] if len({folds for folds, _, _ in found}) == 1 else None
    told = [same for _, _, same in found if same is not None]
    return Folds(fewest, found[0][1], which, any(told) if told else None)
