"""``robustseg claims``."""

import argparse
from typing import Any

from robustseg.cli.run_filters import add_filters, selected, split
from robustseg.cli.run_sources import add_runs
from robustseg.cli.table_options import add_metrics
from robustseg.results.claims.claims_text import STYLES, render_claims
from robustseg.terminal.remarks import tell


def add_parser(subparsers: Any) -> None:
    """Add the command ``claims``; its ``main`` is in the options it parses to."""
    parser = subparsers.add_parser(
        "claims",
        help="what the table supports: intervals, chances and a sentence per pair of losses",
        description="For each pair of losses in each column, print the difference of means; its "
        "interval over test images and the chance of the opposite (these networks); "
        "from three seeds on its interval over seeds and images (the methods); the "
        "sources of variance, the seeds needed for ±0.01, and a summary sentence.",
        epilog="robustseg claims tloss_isic2017_small --against tloss --where alpha=0.7",
    )
    add_runs(parser)
    add_filters(parser)
    add_metrics(parser, "one or more metrics that are means over images (default: dice_image)")
    parser.add_argument(
        "--against", metavar="LOSS", help="only pairs with this loss (default: all pairs)"
    )
    parser.add_argument(
        "--format",
        choices=STYLES,
        default="md",
        help="latex needs the package booktabs (default: md)",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print the claims."""
    from robustseg.results.claims.make_claims import make_claims
    from robustseg.results.tables.image_scores import Images
    from robustseg.results.tables.query import TableQuestion, default_metrics, table_of

    runs, sources = selected(options)
    metrics = split(options.metric) or default_metrics("noise")
    # The losses come in the paper's order, as in tables.
    asked = TableQuestion(options.experiment, metrics, split(options.loss), by=options.by)
    claims = make_claims(table_of(runs, sources, asked), Images(sources), options.against)
    print(render_claims(claims, options.format, options.decimals), end="")
    tell([*runs.attrs["absent"], *runs.attrs["remarks"], *runs.attrs["unfinished"]])
    return 0
