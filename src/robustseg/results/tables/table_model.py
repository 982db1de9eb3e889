"""What a table is, before any format."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from robustseg.metrics.catalogue import find
from robustseg.results.names import loss_name
from robustseg.results.tables.published import Value
from robustseg.terminal.number_text import number_text

LEVEL = 0.05  # of a significance test; an interval covers the rest
# Settings of the noise that are labels of a run.
NOISE_LABELS = ("noise.name", "noise.alpha", "noise.beta", "noise.seed")

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Column:
    """A metric at a noise setting; without noise ``noise`` and ``beta`` are None and α is 0.

    ``settings`` are those of the noise, by name, in which runs with this noise model differ.
    """

    noise: str | None
    alpha: float
    beta: float | None
    metric: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def setting(self) -> tuple[Any, ...]:
        """The noise setting, whatever the metric; networks of others saw other masks."""
        return self.noise, self.alpha, self.beta, self.settings


Key = tuple[Row, Column]


class Folds(NamedTuple):
    """The folds of a cell.

    Attributes:
        there: how many there are.
        of: of how many.
        which: their numbers; None if seeds differ.
        same_images: whether all have the same test images, those of a test set of its own, so that
            their numbers are averaged; None where a single fold does not tell.
    """

    there: int
    of: int
    which: tuple[int, ...] | None = None
    same_images: bool | None = None

    @property
    def missing(self) -> bool:
        """Whether some folds are not in the cell."""
        return self.there < self.of


class Sample(NamedTuple):
    """A run's number; ``seed`` is its seed and that of its noise.

    The folds of one seed are one run, whose id `image_scores.joined` makes.
    """

    run_id: str
    seed: tuple[Any, Any]
    value: float


@dataclass(frozen=True)
class Comparison:
    """A test of a cell against another of its column.

    Attributes:
        reference: the other row's labels, as words.
        p: of this comparison alone.
        p_corrected: for all comparisons that the test corrects for.
        n: pairs compared (images, cases or seeds), or runs of both cells together (Tukey's test).
        of_cases: whether they are of cases, since several test images belong to one.
    """

    reference: str
    p: float
    p_corrected: float
    n: int
    of_cases: bool = False

    @property
    def significant(self) -> bool:
        """Whether the cells differ."""
        return self.p_corrected < LEVEL


@dataclass(frozen=True)
class Cell:
    """A metric of the runs of one row and column.

    Attributes:
        mean: over runs; NaN without one.
        std: sample standard deviation over runs (n − 1); NaN for one run.
        n: how many runs have the number.
        best: whether no cell that it competes with is better.
        group: whether the test cannot distinguish it from the best that it competes with.
        published: the paper's value, if there is one.
        collapsed: how many runs predict (nearly) only background, or only foreground.
        repeated: whether a seed occurs more than once.
        interval: of the mean, over test images; None if it was not asked for or has no meaning.
        comparison: with the best of its column, or with a loss asked for; None if untested.
        samples: the runs that have the number.
        without: how many finished runs have none: it is not defined for them, or not finite.
        folds: of its runs, each of which is all folds of a seed; None without folds.
    """

    mean: float
    std: float
    n: int
    best: bool
    published: Value | None = None
    collapsed: int = 0
    repeated: bool = False
    interval: tuple[float, float] | None = None
    comparison: Comparison | None = None
    samples: tuple[Sample, ...] = ()
    without: int = 0
    group: bool = False
    folds: Folds | None = None

    @property
    def uneven(self) -> bool:
        """Whether its seeds were tested on different images, so that no image has a mean."""
        return self.folds is not None and self.folds.which is None


_USUAL = "morphological"  # noise whose name tables leave out
EMPTY = Cell(math.nan, math.nan, 0, False)


@dataclass(frozen=True)
class Test:
    """How the cells of a table were compared.

    Attributes:
        kind: images, best, seeds or tukey; see `robustseg.results.tables.comparison`.
        against: what each cell was compared with, in words.
        family: how many comparisons the p-values are corrected for.
    """

    kind: str
    against: str
    family: int


@dataclass(frozen=True)
class Table:
    """Rows × columns of cells.

    Attributes:
        labels: names of what distinguishes the rows; the loss is always among them.
        rows: a value for each of ``labels``; None where not applicable.
        columns: noise settings, each with the metrics asked for.
        cells: those that have runs or a published value, by row and column.
        datasets: what the runs were trained on.
        contests: keys of the cells that compete with one another.
        versus: the label whose values compete, all else being equal; None: all rows of a column.
        test: how cells were compared, if they were.
        tested_unlike: whether it joins tables that were compared differently, so that it has none.
        data: what the runs of each row were tested on: data set, subset and data, as `load_runs`
            calls them. Empty in a table of published values or of a file, which do not tell.
        settings: what else is known of the runs of each row, by name; see `confounders`.
        processors: the types of processor of each run, by its id.
    """

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cells: dict[Key, Cell]
    datasets: tuple[str, ...]
    contests: tuple[tuple[Key, ...], ...] = ()
    versus: str | None = None
    test: Test | None = None
    tested_unlike: bool = False
    data: Mapping[Row, tuple[Any, ...]] = field(default_factory=dict)
    settings: Mapping[Row, Mapping[str, Any]] = field(default_factory=dict)
    processors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def words(self, row: Row) -> str:
        """A row's labels in words, such as ``dice batch batch_size=8``."""
        return in_words(dict(zip(self.labels, row, strict=True)))

    def shown(self, row: Row) -> str:
        """The same for readers, with the loss as papers write it, such as ``Dice batch``."""
        at = self.labels.index("loss")
        return self.words((*row[:at], loss_name(row[at]), *row[at + 1 :]))

    def noise_words(self, column: Column) -> str:
        """A column's noise in words, such as ``α=0.3 β=0.5``.

        Before that its kind, where there are several or it is not the T-Loss paper's, and what its
        settings are, where they differ: ``annotator over α=0.7 β=0.7``.
        """
        if column.noise is None:
            return "clean"
        kinds = {other.noise for other in self.columns if other.noise}
        alike = [other for other in self.columns if other.noise == column.noise]
        names = {name for other in alike for name, _ in other.settings}
        words = [column.noise] if len(kinds) > 1 or names or column.noise != _USUAL else []
        words += setting_words(column.settings, named=len(names) > 1)
        return " ".join([*words, f"α={label(column.alpha)} β={label(column.beta)}"])

    @property
    def n(self) -> int:
        """The largest number of runs in a cell."""
        return max((cell.n for cell in self.cells.values()), default=0)

    @property
    def has_runs(self) -> bool:
        """Whether there is a run of ours, with a number or without."""
        return any(cell.n or cell.without for cell in self.cells.values())

    @property
    def has_published(self) -> bool:
        """Whether a cell has a published value."""
        return any(cell.published for cell in self.cells.values())


def of_metrics(table: Table, metrics: Sequence[str]) -> Table:
    """The columns of some metrics."""
    return replace(
        table,
        columns=tuple(column for column in table.columns if column.metric in metrics),
        cells={key: cell for key, cell in table.cells.items() if key[1].metric in metrics},
        contests=tuple(keys for keys in table.contests if keys[0][1].metric in metrics),
    )


def setting_words(settings: Iterable[tuple[str, Any]], named: bool) -> list[str]:
    """Settings of a noise in words: ``over``, ``max_angle=30``.

    Args:
        settings: by name.
        named: whether texts have their names, as numbers do.
    """
    return [
        value
        if isinstance(value, str) and not named
        else f"{name.removeprefix('noise.').removeprefix('model.')}={label(value)}"
        for name, value in settings
    ]


def listed(values: list[Any]) -> str:
    """A list as text; as Python writes it where its parts could be taken for others.

    Example:
        >>> listed(["over", "under"])
        'over, under'
    """
    clear = all(isinstance(one, str | float) and "," not in str(one) for one in values)
    return ", ".join(map(label, values)) if clear and values else str(values)


def in_words(labels: Mapping[str, Any]) -> str:
    """Labels by their names in words: ``dice batch_size=8 scheduler=step``.

    A number has its name with it, and so has the choice of a group.
    """
    words = [
        f"{name.removesuffix('.name')}={label(value)}"
        if isinstance(value, int | float) or (value and name.endswith(".name"))
        else label(value)
        for name, value in labels.items()
    ]
    return " ".join(word for word in words if word)


def label(value: Any) -> str:
    """A label's value as a table shows it; one that does not apply is empty."""
    if value is None:
        return ""
    return number_text(value) if isinstance(value, float) else str(value)


def direction(metric: str) -> int:
    """Return 1 if higher is better, −1 if lower is, 0 if neither, or if it is not a result."""
    known = find(metric)
    if known is None and metric.startswith("dice_image_"):  # where a rule stops the training
        return 1
    return {"up": 1, "down": -1, None: 0}[known.better if known else None]
