"""Claims as text: Markdown, LaTeX, HTML; or as CSV or JSON records."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from robustseg.results.claims.claim import Claim, Claims
from robustseg.results.claims.overview import overview
from robustseg.results.claims.sentences import (
    footnotes,
    interval,
    needed,
    number,
    sentence,
    small,
)
from robustseg.results.tables.grid import Grid
from robustseg.results.tables.render import escaped, write_grid
from robustseg.results.tables.results_file import (
    Record,
    column_record,
    setting_names,
    write_csv,
    write_json,
)

STYLES = ("md", "latex", "csv", "json")
_HEADINGS = (
    "column",
    "better",
    "than",
    "difference",
    "these networks",
    "chance of the opposite",
    "p",
    "methods",
    "variance",
    "seeds for ±0.01",
)


def render_claims(claims: Claims, style: str, decimals: int = 3) -> str:
    """Write claims: a line per pair, what the numbers mean, and a sentence per pair.

    In Markdown, the sentences of a column with several pairs come below an overview of them.

    Args:
        claims: to write.
        style: one of ``STYLES``, or ``html``, which has no sentences.
        decimals: of differences and intervals; CSV and JSON have full precision.
    """
    if style == "csv":
        return write_csv(records(claims))
    if style == "json":
        return write_json(records(claims))
    lines = [_line(claim, decimals) for claim in claims.claims]
    places = [claim.words for claim in claims.claims]
    for at in range(len(lines) - 1, 0, -1):  # said once for the lines that have it
        lines[at][0] = "" if places[at] == places[at - 1] else lines[at][0]
    grid = Grid([[*_HEADINGS]], lines, set(), 3, ["ours"] * len(lines))
    text = write_grid(grid, footnotes(claims), style)
    if style == "md":
        return text + "".join(_paragraphs(claims, decimals))
    if style == "latex":
        sentences = [escaped(sentence(claim, decimals), style) for claim in claims.claims]
        items = "".join(f"\\item {words}\n" for words in sentences)
        return f"{text}\n\\begin{{itemize}}\n{items}\\end{{itemize}}\n"
    return text


def _paragraphs(claims: Claims, decimals: int) -> Iterator[str]:
    """The sentences in Markdown; where columns have several, below what each column says."""
    columns = [[*group] for _, group in groupby(claims.claims, key=lambda claim: claim.words)]
    several = any(len(own) > 1 for own in columns)
    if not several:
        yield "\n"
    for own in columns:
        if several:
            yield f"\n**{escaped(own[0].words, 'md')}**: {escaped(overview(own), 'md')}.\n\n"
        yield from (f"- {escaped(sentence(claim, decimals), 'md')}\n" for claim in own)


def records(claims: Claims) -> list[Record]:
    """A record for each claim, in full precision; what is missing is None.

    ``first`` and ``second`` have the names of our configurations, the sentence those of papers.
    ``seeds_needed`` is 0 where no number of seeds will do, 1001 for more than 1000, and None of a
    metric in pixels.
    """
    names = setting_names(claim.column for claim in claims.claims)
    return [_record(claim, claims.family, names) for claim in claims.claims]


def _line(claim: Claim, decimals: int) -> list[str]:
    methods = claim.methods
    of_methods = [claim.lacking or "", "", ""]
    if methods:
        shares = "images {:.0%}, seeds {:.0%}, rest {:.0%}".format(*methods.shares)
        of_methods = [interval(methods.interval, decimals), shares, needed(methods)]
    return [
        claim.words,
        *claim.names,
        number(claim.difference, decimals),
        interval(claim.interval, decimals),
        small(claim.chance),
        small(claim.p_corrected),
        *of_methods,
    ]


def _record(claim: Claim, family: int, names: Sequence[str]) -> Record:
    methods = claim.methods
    blank: tuple[None, ...] = (None,) * 3
    low, high = methods.interval if methods else blank[:2]
    images, seeds, rest = methods.shares if methods else blank
    count, fewest, most = (methods and methods.needed) or blank
    return {
        "dataset": claim.dataset,
        **column_record(claim.column, names),
        "first": claim.first,
        "second": claim.second,
        "images": claim.images,
        "cases": claim.cases,
        "first_runs": claim.runs[0],
        "second_runs": claim.runs[1],
        "difference": claim.difference,
        "low": claim.interval[0],
        "high": claim.interval[1],
        "chance": claim.chance,
        "p": claim.p,
        "p_corrected": claim.p_corrected,
        "family": family,
        "seeds": claim.different_seeds,
        "methods_difference": methods.difference if methods else None,
        "methods_low": low,
        "methods_high": high,
        "methods_df": methods.df if methods else None,
        "share_images": images,
        "share_seeds": seeds,
        "share_rest": rest,
        "seeds_needed": count,
        "seeds_needed_low": fewest,
        "seeds_needed_high": most,
        "sentence": sentence(claim),
    }
