"""Values of test images, from images.csv or a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robustseg.errors import NoImages, UnlikeImages
from robustseg.metrics.by_class import derived, metrics_of, pixels_counted
from robustseg.metrics.catalogue import CATALOGUE, DIAGONAL, diagonal, find
from robustseg.metrics.size_quarters import QUARTERS, quarters
from robustseg.metrics.summary import contradiction
from robustseg.records.hashing import recorded_order
from robustseg.records.layout import DamagedRecord, NotKept
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources
from robustseg.results.tables.by_case import Cases, agreed
from robustseg.runs.files import DamagedFile, trouble

if TYPE_CHECKING:
    import pandas as pd

# Metrics that are means over images; each of them exists by class, too.
PER_IMAGE = tuple(metric.name for metric in CATALOGUE.values() if metric.per_image)
_SAME = 1e-6  # relative: numbers that differ by less are one
_REMEDY = "; force=true trains the run again"
_AREA = "area"  # of the true mask, beside the metrics
_JOINT = "\0"  # between the ids of runs of several folds; neither an id nor a source has one


def is_per_image(name: str) -> bool:
    """Whether a number is a mean over images, so that tests can pair them.

    Examples:
        >>> from robustseg.results.tables.image_scores import is_per_image
        >>> is_per_image("dice_image"), is_per_image("dice_image/heart"), is_per_image("nu")
        (True, True, False)
    """
    metric = find(name)
    return metric is not None and metric.per_image


def no_means(metrics: Sequence[str]) -> str:
    """Why metrics have no test over images."""
    one = len(metrics) == 1
    return "it is not a mean over images" if one else "they are not means over images"


def joined(run_ids: Iterable[str]) -> str:
    """The id of runs of several folds, which count as one run."""
    return _JOINT.join(run_ids)


def parts(run_id: str) -> list[str]:
    """The runs of an id that `joined` gave; of any other that run."""
    return run_id.split(_JOINT)


def shown(run_id: str) -> str:
    """An id that `joined` gave, for readers."""
    return " + ".join(parts(run_id))


class Scores(NamedTuple):
    """Values of the test images of some runs together.

    Attributes:
        run: the first of them.
        ids: of the images, in one order whatever the run.
        values: (n,), averaged over reported evaluations and over runs.
        counts: (n,), for which images the metric is of one of the runs at least. Of a class, other
            networks on the same images have values for others: where one finds nothing, and there
            is nothing, it has the value of two empty masks.
    """

    run: str
    ids: list[str]
    values: NDArray[np.float64]
    counts: NDArray[np.bool_]


class _OfImages(NamedTuple):
    """By image a column per metric, and the true area: its value, and whether it counts."""

    values: pd.DataFrame
    counts: pd.DataFrame


class Images:
    """Values of test images of finished runs, each file read once.

    Args:
        source: of the runs, as for `load_runs`.
    """

    def __init__(self, source: Sources | Path | str | Sequence[Path | str]) -> None:
        self.sources = Sources.of(source)
        self._tables: dict[str, _OfImages] = {}
        self._identities: dict[str, list[Any]] = {}
        self._orders: dict[frozenset[Any], pd.Index] = {}
        self._cases: dict[str, dict[str, str]] = {}

    def identity(self, run_id: str) -> list[Any]:
        """What changes when the run is trained again.

        Raises:
            NoImages: the rows of a record are damaged.
        """
        if run_id not in self._identities:
            try:
                found = [self.sources.find(part).identity() for part in parts(run_id)]
                self._identities[run_id] = found[0] if len(found) == 1 else found
            except DamagedRecord as error:
                raise NoImages(str(error)) from error
        return self._identities[run_id]

    def mean(self, run_ids: Iterable[str], metric: str) -> tuple[list[str], NDArray[np.float64]]:
        """The values of `scores` of the images that count.

        Returns:
            Ids of the images, in one order whatever the run, and their values.
        """
        _, ids, values, counts = self.scores(run_ids, metric)
        return [one for one, counted in zip(ids, counts, strict=True) if counted], values[counts]

    def scores(self, run_ids: Iterable[str], metric: str) -> Scores:
        """Each image's value, averaged over reported evaluations and over runs.

        Args:
            run_ids: one or more.
            metric: one of `PER_IMAGE`, or such a one of a class or of a quarter of `by_size`;
                those with ``_pos`` are of the images with foreground.

        Raises:
            NoImages: a file is missing or damaged.
            UnlikeImages: the runs were tested on different images.
        """
        columns = {run_id: self._columns(run_id, metric) for run_id in run_ids}
        (first, ids), *rest = ((run_id, list(of.index)) for run_id, (of, _) in columns.items())
        for run_id, others in rest:
            check_alike(first, ids, run_id, others)
        values = np.stack([of.to_numpy() for of, _ in columns.values()])
        counts = np.stack([of.to_numpy() for _, of in columns.values()])
        return Scores(first, ids, values.mean(axis=0), np.asarray(counts.any(axis=0)))

    def cases(self, run_ids: Iterable[str], ids: Sequence[str]) -> Cases:
        """Which images belong to one case, such as a patient.

        Args:
            run_ids: one or more.
            ids: of images, as `mean` gives them.

        Returns:
            The number of each image's case; None if each is of its own.

        Raises:
            NoImages: a file is damaged.
            UnlikeImages: the runs disagree.
        """
        found: Cases = None
        for run_id in run_ids:
            names = {one: case for part in parts(run_id) for one, case in self._named(part).items()}
            numbers: dict[Any, int] = {}
            of = [numbers.setdefault(names.get(one, (one,)), len(numbers)) for one in ids]
            found = agreed(found, np.array(of) if len(numbers) < len(of) else None)
        return found

    def _named(self, run_id: str) -> dict[str, str]:
        """The case of each image of a run, under the id that the image has here."""
        if run_id not in self._cases:
            run = self.sources.find(run_id)
            try:
                named = run.cases()
            except (DamagedRecord, NotKept) as error:
                raise NoImages(str(error)) from error
            except (OSError, DamagedFile) as error:
                raise NoImages(f"{run.place('split')} {trouble(error)}{_remedy(run)}") from error
            if self.sources.any_hashed and not run.public:
                named = dict(zip(run.hash_ids([*named]), named.values(), strict=True))
            self._cases[run_id] = named
        return self._cases[run_id]

    def _columns(self, run_id: str, metric: str) -> tuple[pd.Series, pd.Series]:
        """Each image's value, and whether it counts; of several folds that have it, their mean."""
        import pandas as pd

        base, _, quarter = metric.partition("/")
        if quarter in QUARTERS and not self._of_class(run_id, metric):
            (values, counts), (areas, _) = (self._columns(run_id, of) for of in (base, _AREA))
            chosen = pd.Series(quarters(areas.to_numpy()) == quarter, areas.index)
            chosen = chosen.reindex(values.index)
            return values[chosen], counts[chosen]
        columns = [self._of_run(part, metric) for part in parts(run_id)]
        if len(columns) == 1:
            return columns[0]
        mean = pd.concat([of for of, _ in columns]).groupby(level=0).mean()  # sorted by id
        counted = pd.concat([of for _, of in columns]).groupby(level=0).any()
        run = self.sources.find(parts(run_id)[0])
        if not self.sources.any_hashed:
            mean = mean.iloc[recorded_order(run, map(str, mean.index))]
        order = self._order(mean.index)
        return mean.reindex(order), counted.reindex(order)

    def _of_class(self, run_id: str, metric: str) -> bool:
        """Whether what stands behind the slash of a metric is a class."""
        return all(metric in self._table(part).values for part in parts(run_id))

    def _of_run(self, run_id: str, metric: str) -> tuple[pd.Series, pd.Series]:
        values, counts = self._table(run_id)
        if metric not in values:
            run = self.sources.find(run_id)
            raise NoImages(f"{run.place('images')} does not give {metric}{_remedy(run)}")
        there = values[metric].notna()
        return values.loc[there, metric], counts.loc[there, metric]

    def _table(self, run_id: str) -> _OfImages:
        if run_id not in self._tables:
            run = self.sources.find(run_id)
            averaged = _averaged(run)
            ids = self._comparable(run, averaged.values.index)
            order = self._order(ids)
            self._tables[run_id] = _OfImages(*(of.set_axis(ids).reindex(order) for of in averaged))
        return self._tables[run_id]

    def _order(self, images: pd.Index) -> pd.Index:
        """The order of the first run with these images, so that pairs are of one image."""
        return self._orders.setdefault(frozenset(images), images)

    def _comparable(self, run: Run, ids: pd.Index) -> pd.Index:
        """Hashed ids, where those of other runs on such data are."""
        import pandas as pd

        if self.sources.any_hashed and not run.public:
            return pd.Index(run.hash_ids([str(name) for name in ids]), name=ids.name)
        return ids


def check_alike(first: str, ids: list[str], second: str, others: list[str]) -> None:
    """Refuse to pair the images of runs that were tested on different ones.

    Raises:
        UnlikeImages: naming the runs and an image.
    """
    if ids != others:
        apart = sorted(set(ids) ^ set(others))
        raise UnlikeImages(
            f"{shown(first)} and {shown(second)} were tested on different images ({len(ids)} and "
            f"{len(others)}; {apart[0]} is in only one of them): choose runs on the same data "
            "with --where, or --test none"
        )


def checked_rows(run: Run) -> pd.DataFrame:
    """The rows of a run's test images, known to be those of its final numbers.

    Raises:
        NoImages: they are missing or damaged.
    """
    _averaged(run)  # which says in words what is wrong with them
    return run.images()


def _averaged(run: Run) -> _OfImages:
    """Values by image, averaged over the reported evaluations in which it counts.

    Where the prediction decides whether it does and it never does, the value of what is there; NaN
    where else it never does.
    """
    import pandas as pd

    try:
        rows = run.images()
        columns = {str(name): column for name, column in rows.items()}
        counted = pixels_counted(columns) > 0
        columns[DIAGONAL] = pd.Series(diagonal_of(run, len(rows)), index=rows.index)
        values, elsewhere = {}, {}
        if {"tp", "fn"} <= set(columns):
            values[_AREA] = np.where(counted, columns["tp"] + columns["fn"], np.nan)
        for metric in metrics_of(columns).values():
            if metric.per_image:
                own = metric.values(columns)
                counts = counted & metric.counts_for(columns)
                values[metric.name] = np.where(counts, own, np.nan)
                if metric.by_prediction:
                    elsewhere[metric.name] = np.where(counted, own, np.nan)
        averaged, others = (
            pd.DataFrame(of, index=rows.index).groupby(rows["id"], sort=False).mean()
            for of in (values, elsewhere)
        )
        _check_whole(rows, averaged, run.numbers)
    except (DamagedRecord, NotKept) as error:
        raise NoImages(str(error)) from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(run, error) from error
    return _OfImages(averaged.fillna(others), averaged.notna())


def diagonal_of(run: Run, rows: int) -> NDArray[np.float64]:
    """The diagonal of a run's images in pixels, for so many rows."""
    return np.full(rows, diagonal(float(run.metrics()["run"]["image_size"])))


def _check_whole(rows: pd.DataFrame, averaged: pd.DataFrame, metrics: Mapping[str, Any]) -> None:
    """Raise ValueError unless the rows are those that the run's final numbers were made of."""
    images, evaluations = metrics["test_images"], metrics["evaluations"]
    pairs = len(rows[["id", "epoch"]].drop_duplicates())
    if not len(rows) == pairs == images * evaluations == len(averaged) * rows["epoch"].nunique():
        raise ValueError(f"{len(rows)} rows instead of {images} images × {evaluations} evaluations")
    columns = {str(name): of.to_numpy() for name, of in rows.items()}
    for name, of in derived(columns).items():
        if name in columns and not np.allclose(columns[name], of, _SAME, 0, equal_nan=True):
            raise ValueError(f"{name} is not that of the counts")
    told = contradiction(metrics, columns, _SAME)
    if told:
        raise ValueError(told)


def _damaged(run: Run, error: Exception) -> NoImages:
    refused = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    return NoImages(f"{run.place('images')} {trouble(error)}{'' if refused else _remedy(run)}")


def _remedy(run: Run) -> str:
    return "" if run.folder is None else _REMEDY
