"""The page: one file, no network."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from robustseg.results.load import of_label_maps
from robustseg.results.report.calls import training_calls
from robustseg.results.report.curve import HEIGHT, WIDTH
from robustseg.results.report.experiment_readme import readme_html, readme_title
from robustseg.results.report.parts import DatasetPart, dataset_part
from robustseg.results.report.provenance import provenance
from robustseg.results.report.runlist import MANY, entries, read_status
from robustseg.results.sources import Sources
from robustseg.results.tables.published import experiments_folder, load_published
from robustseg.runs.survey import RunState
from robustseg.terminal.printable import printable

_USABLE = ("done", "collapsed")


@dataclass(frozen=True)
class Question:
    """What a page is to show.

    Attributes:
        experiment: by its name; None for all runs.
        metrics: a table each.
        again: the commands that make the tables, the figures and the page again.
        published: whether the paper's values are shown.
        images: of the data set that are shown, one of `IMAGES`; None: all if all runs' data are
            public, else none.
        losses: that come first, in this order; none: the paper's order.
    """

    experiment: str | None
    metrics: Sequence[str]
    again: Sequence[str]
    published: bool = True
    images: str | None = None
    losses: Sequence[str] = ()


def write_page(
    question: Question, states: Sequence[RunState], runs: pd.DataFrame, sources: Sources
) -> str:
    """Write the HTML of a page.

    Args:
        question: what to show.
        states: of the runs, finished or not.
        runs: the finished ones, as `load_runs` gives them.
        sources: of the runs.
    """
    home = experiments_folder()
    readme = home / question.experiment / "README.md" if home and question.experiment else None
    readme = readme if readme and readme.is_file() else None
    statuses = [read_status(state, sources) for state in states]
    shown = entries(states, statuses, runs, sources)
    script, style = (
        files(__package__).joinpath(f"page.{kind}").read_text() for kind in ("js", "css")
    )
    environment = Environment(
        loader=PackageLoader("robustseg.results.report", "."),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=question.experiment or "All runs",
        subtitle=readme_title(readme) if readme else None,
        readme=Markup(readme_html(readme)) if readme else None,
        datasets=_datasets(question, runs, sources),
        entries=shown,
        unusable=[entry for entry in shown if entry.state not in _USABLE],
        collapsed=[entry for entry in shown if entry.state == "collapsed"],
        finished=len(runs),
        losses=sorted({entry.loss for entry in shown if entry.loss}),
        states=sorted({entry.state for entry in shown}),
        provenance=provenance(statuses),
        commands=question.again,
        training=training_calls(statuses) or _preset(question.experiment, runs, home),
        many=MANY,
        width=WIDTH,
        height=HEIGHT,
        script=Markup(script),
        style=Markup(style),
        hashes={"script": _hash(script), "style": _hash(style)},
    )


def _shown(value: object) -> object:
    """Texts as `printable` writes them; what is HTML already stays."""
    return printable(value) if type(value) is str else value


def _datasets(question: Question, runs: pd.DataFrame, sources: Sources) -> list[DatasetPart]:
    parts = []
    for name in sorted(runs["dataset"].unique()):
        chosen = runs[runs["dataset"] == name]
        published = None
        if question.published and not of_label_maps(chosen).any():
            published = load_published(question.experiment, name, experiments_folder())
        images = question.images
        if images is None:
            public = all(sources.find(run_id).public for run_id in chosen["run_id"])
            images = "all" if public else "none"
        parts.append(
            dataset_part(chosen, sources, question.metrics, published, images, question.losses)
        )
    return parts


def _preset(experiment: str | None, runs: pd.DataFrame, home: Path | None) -> list[str]:
    """The command that makes runs again that do not note theirs, if there is a preset."""
    if not experiment or not home:
        return []
    if not (home.parent / "conf" / "experiment" / f"{experiment}.yaml").exists():
        return []
    drawn = all(str(name).startswith("synthetic") for name in runs["dataset"])
    return [f"robustseg train +experiment={experiment}{'' if drawn else ' dataset.root=…'}"]


def _hash(text: str) -> str:
    """As the page's content security policy names what may run or apply."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
