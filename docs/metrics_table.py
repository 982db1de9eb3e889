"""MkDocs hook: the catalogue of metrics as a table."""

from typing import Any

from robustseg.metrics.catalogue import CATALOGUE, Metric

PLACE = "<!-- catalogue of metrics -->"
ARROWS = {"up": "↑", "down": "↓", None: ""}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table into the page that asks for it."""
    return markdown.replace(PLACE, table()) if PLACE in markdown else markdown


def table() -> str:
    """Every metric in a line."""
    head = "| name | | title | over | unit | what it is |\n|---|---|---|---|---|---|"
    return "\n".join([head, *map(line, CATALOGUE.values())])


def line(metric: Metric) -> str:
    """A row of the table."""
    cells = (
        f"`{metric.name}`",
        ARROWS[metric.better],
        metric.title,
        metric.over,
        metric.unit or "share",
        metric.about.replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"
