"""The parts of a page that are made from finished runs: tables and figures."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd
from markupsafe import Markup

from robustseg.errors import NoRuns
from robustseg.results.claims.claims_text import render_claims
from robustseg.results.claims.make_claims import make_claims
from robustseg.results.claims.overview import overview
from robustseg.results.claims.sentences import sentence
from robustseg.results.figures.figure_specs import FIGURES, FigureSpec, allowed, drawn
from robustseg.results.figures.lines import line_names
from robustseg.results.report.data_summary import data_summary
from robustseg.results.report.embedded import Embedded, embed
from robustseg.results.report.privacy import without_places
from robustseg.results.sources import Sources
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import direction, make_table
from robustseg.results.tables.pooled_folds import pool_folds
from robustseg.results.tables.published import Published
from robustseg.results.tables.query import with_tests
from robustseg.results.tables.render import render
from robustseg.results.tables.table_model import Table

_FEW = 12  # sentences


@dataclass(frozen=True)
class TablePart:
    """A table of one metric."""

    metric: str
    better: str
    html: Markup
    remarks: list[str]


@dataclass(frozen=True)
class FigurePart:
    """A figure with its words."""

    anchor: str
    spec: FigureSpec
    image: Embedded
    alt: str


@dataclass(frozen=True)
class ColumnClaims:
    """What the comparisons of one noise setting support, in short and in sentences."""

    noise: str
    overview: str
    sentences: list[str]


@dataclass(frozen=True)
class ClaimsPart:
    """What the comparisons of one metric support."""

    metric: str
    html: Markup
    columns: list[ColumnClaims]

    @property
    def is_short(self) -> bool:
        """Whether all sentences can be shown at once."""
        return sum(len(column.sentences) for column in self.columns) <= _FEW


@dataclass(frozen=True)
class DatasetPart:
    """What a page shows of one data set.

    Attributes:
        name: of the data set.
        tables: the first is the one to read first.
        claims: of the first metric that is a mean over images; None where there can be none.
        facts: names and values of what is known of its images.
        figures: by noise model ("" if there is one at most).
        remarks: which runs it, or its figures, are without, and why.
    """

    name: str
    facts: dict[str, str]
    tables: list[TablePart]
    claims: ClaimsPart | None
    figures: dict[str, list[FigurePart]]
    remarks: list[str]


def dataset_part(
    runs: pd.DataFrame,
    sources: Sources,
    metrics: Sequence[str],
    published: Published | None,
    images: str,
    losses: Sequence[str] = (),
) -> DatasetPart:
    """Make the tables and figures of one data set's runs.

    Args:
        runs: finished runs on one data set.
        sources: of the runs.
        metrics: a table each.
        published: the paper's numbers.
        images: of the data set that may be shown, one of `IMAGES`.
        losses: that come first, in this order; none: the paper's order.
    """
    name = str(runs["dataset"].iloc[0])
    words = {1: "higher is better", -1: "lower is better", 0: ""}
    tables, values = [], Images(sources)
    claims, without_claims = None, []
    pooled = pool_folds(runs, sources)
    order = losses or (published.losses if published else [])
    for metric in metrics:
        table = make_table(pooled, [metric], published, order)
        table, remarks = with_tests(table, values)
        html = Markup(render(table, "html", intervals=True))  # escapes what it writes
        try:
            claims = claims or _claims(table, values)
        except NoRuns as error:  # too few images, or cases
            without_claims.append(f"No claims: {error}.")
        tables.append(TablePart(metric, words[direction(metric)], html, _told(remarks, sources)))
    kinds = sorted(runs["noise"].dropna().unique())
    figures: dict[str, list[FigurePart]] = {}
    remarks = [] if claims else without_claims
    for kind in kinds or [""]:
        chosen = runs[(runs["noise"] == kind) | (runs["alpha"] == 0)]
        place = "-".join(filter(None, [name, kind if len(kinds) > 1 else ""]))
        parts, more = _figures(chosen, sources, place, images, losses)
        figures[kind if len(kinds) > 1 else ""] = parts
        remarks += more
    remarks += _left_out(images)
    damages = [f"Not used: {damage}." for damage in sources.damages()]
    told = _told(dict.fromkeys([*damages, *remarks]), sources)
    return DatasetPart(name, data_summary(runs), tables, claims, figures, told)


def _left_out(images: str) -> list[str]:
    """Which figures are not on the page since they show more of the data set's images."""
    names = [spec.name for spec in FIGURES if spec not in allowed(images)]
    if not names:
        return []
    return [
        f"Figures with images of the data set are left out: {', '.join(names)}. --images all "
        "includes them; dataset.public=true says that all may be shown."
    ]


def _claims(table: Table, values: Images) -> ClaimsPart | None:
    """The claims of a table of one metric, if its pairs were tested.

    Raises:
        NoRuns: the test images are too few, or all of one case.
    """
    if not any(cell.comparison for cell in table.cells.values()):
        return None
    claims = make_claims(table, values)
    html = Markup(render_claims(claims, "html"))  # escapes what it writes
    columns = []
    for column, group in groupby(claims.claims, key=lambda claim: claim.column):
        own = [*group]
        said = [sentence(one) for one in own]
        columns.append(ColumnClaims(table.noise_words(column), overview(own), said))
    return ClaimsPart(table.columns[0].metric, html, columns)


def _told(remarks: Iterable[str], sources: Sources) -> list[str]:
    """Remarks on files, by run, without where the runs lie."""
    told = []
    for remark in remarks:
        for path in sources.paths:
            remark = remark.replace(f"{path}{os.sep}", "")
        told.append(str(without_places(remark)))
    return told


def _figures(
    runs: pd.DataFrame, sources: Sources, place: str, images: str, losses: Sequence[str]
) -> tuple[list[FigurePart], list[str]]:
    runs = line_names(runs, losses)
    shown = ", ".join(sorted(runs["line"].unique()))
    parts = []
    figures, remarks = drawn(runs, sources, images)
    for spec, figure in figures:
        alt = f"{spec.title} on {place}, for {shown}."
        image = embed(figure, spec.images != "none")
        parts.append(FigurePart(f"figure-{spec.name}-{place}", spec, image, alt))
    return parts, remarks
