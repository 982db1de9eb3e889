"""``robustseg claims``."""

import argparse
import sys
from typing import Any

from robustseg.results.claims.render import STYLES, render_claims
from robustseg.results.load import NoRuns
from robustseg.results.sources import settle
from robustseg.results.tables.query import add_common, default_metrics, selected, table_of


def add_parser(subparsers: Any) -> None:
    """Add the command ``claims``; its ``main`` is in the options it parses to."""
    parser = subparsers.add_parser(
        "claims",
        help="what the table supports: intervals, chances and a sentence for each pair of losses",
        description="For each pair of losses in each column: the difference of means; its interval "
        "over test images and the chance that the opposite is true, of these networks; its "
        "interval over seeds and images, of the methods, from three seeds on; what it varies with, "
        "and how many seeds would separate 0.01; and a sentence that can be checked.",
        epilog="robustseg claims tloss_isic2017 --against tloss --where alpha=0.7",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    add_common(parser)
    parser.add_argument(
        "--against", metavar="LOSS", help="only pairs with this loss (default: all pairs)"
    )
    parser.add_argument("--format", choices=STYLES, default="md", help="(default: md)")
    # The losses come in the paper's order, as in tables.
    parser.set_defaults(main=main, layout="noise", published=True)


def main(options: argparse.Namespace) -> int:
    """Print the claims.

    Returns:
        0; 1 if there are no runs; 2 if the question cannot be answered.
    """
    from robustseg.results.claims.build import make_claims
    from robustseg.results.tables.image_scores import Images

    settle(options)
    options.metric = options.metric or list(default_metrics(options.layout))
    try:
        runs, sources = selected(options)
        table = table_of(runs, sources, options)
        claims = make_claims(table, Images(sources), options.against)
    except NoRuns as error:
        print(f"robustseg claims: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"robustseg claims: {error}", file=sys.stderr)
        return 2
    print(render_claims(claims, options.format, options.decimals), end="")
    for remark in [*runs.attrs["absent"], *runs.attrs["remarks"], *sources.unfinished()]:
        print(remark, file=sys.stderr)
    return 0
