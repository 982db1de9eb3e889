"""What a claim is, before any format."""

from dataclasses import dataclass

from robustseg.results.claims.intervals import MIN_SEEDS
from robustseg.results.tables.seed_units import seed_units
from robustseg.results.tables.table_model import Column


@dataclass(frozen=True)
class Methods:
    """A difference of two methods, over the seeds that both have.

    Attributes:
        difference: of means over those seeds and all images; above 0 if the first is better.
        interval: its 95 % interval over seeds and images.
        df: Satterthwaite's effective degrees of freedom.
        shares: of images, seeds and rest in the variance of the difference; they add up to 1, or
            are all 0 if nothing varies.
        needed: seeds for an interval of half-width .01, and the ends of their 95 % range; see
            `seeds_needed`. None of a metric in pixels, of which .01 is nothing.
    """

    difference: float
    interval: tuple[float, float]
    df: float
    shares: tuple[float, float, float]
    needed: tuple[int, int, int] | None

    @property
    def separated(self) -> bool:
        """Whether the interval leaves out 0, on either side."""
        return self.interval[0] > 0 or self.opposite

    @property
    def opposite(self) -> bool:
        """Whether the second is better, though the first has the better mean over all its seeds."""
        return self.interval[1] < 0


@dataclass(frozen=True)
class Claim:
    """That one loss is better than another in one column.

    Attributes:
        column: metric and noise setting.
        words: of the column.
        dataset: that the runs were tested on.
        first: labels, as words, of the row whose mean is better.
        second: of the other.
        names: of both for readers, with the losses as papers write them.
        images: how many there are.
        cases: (patients, slides) of which they are; None if each image is of its own.
        runs: of the first and of the second.
        difference: Δ of means over images, each averaged over all runs of its row; 0 or more.
        interval: its 95 % interval over images, or over cases.
        chance: that the opposite is true of these networks on all such images.
        p: of Wilcoxon's signed-rank test, as in tables.
        p_corrected: by Holm's procedure for all pairs shown.
        seeds: that both rows have, each with that of the noise.
        repeated: whether a seed occurs more than once in a row, so that runs cannot be paired.
        methods: over seeds; None with fewer than three.
    """

    column: Column
    words: str
    dataset: str
    first: str
    second: str
    names: tuple[str, str]
    images: int
    cases: int | None
    runs: tuple[int, int]
    difference: float
    interval: tuple[float, float]
    chance: float
    p: float
    p_corrected: float
    seeds: tuple[tuple, ...]
    repeated: bool
    methods: Methods | None

    @property
    def separated(self) -> bool:
        """Whether the interval over images leaves out 0."""
        return self.interval[0] > 0

    @property
    def lacking(self) -> str | None:
        """Why there is no interval over seeds; None if there is one."""
        if self.repeated:
            return "needs each seed once"
        if self.different_seeds < MIN_SEEDS:
            return "needs three seeds"
        if not seed_units(self.seeds):
            return "needs noise.seed alike for all seeds, or each its own"
        return None

    @property
    def different_seeds(self) -> int:
        """How many seeds there are, whatever the draws of wrong masks of each."""
        return len({seed for seed, _ in self.seeds})


@dataclass(frozen=True)
class Claims:
    """All claims of a table.

    Attributes:
        claims: by column, as the table has them.
        family: how many pairs the p-values are corrected for.
        left_out: metrics that are not means over images.
        confounders: in what else runs that are compared differ, in sentences.
    """

    claims: tuple[Claim, ...]
    family: int
    left_out: tuple[str, ...] = ()
    confounders: tuple[str, ...] = ()
