"""The dashboard of an experiment in wandb, as code."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from robustseg.metrics.catalogue import CATALOGUE
from robustseg.results.loss_colors import COLORS, loss_color
from robustseg.results.sources import Sources
from robustseg.runs.survey import RunState

_LOSS = wr.Config("loss.name")
_ALPHA = wr.Config("noise.alpha")
_DOMAIN = wr.Config("loss.domain")
_BATCH_SIZE = wr.Config("dataset.batch_size")
_DICE = wr.SummaryMetric("dice_image")
_FAILURES = (
    "The columns *State* and *error* of the run list say which runs failed and with what kind of "
    "error. The whole message: `robustseg status`."
)
_RUN = "${run:displayName}"  # what a legend calls a run: it names loss, α, β and seed


def make_workspace(
    experiment: str | None,
    runs: Sequence[RunState],
    sources: Sources,
    project: str,
    entity: str,
) -> ws.Workspace:
    """The workspace of an experiment: its runs, coloured by loss, in six sections.

    Args:
        experiment: whose runs are shown; None: all of the project.
        runs: those shown, finished or not.
        sources: of the runs.
        project: of wandb.
        entity: user or team; empty where it is not known yet.
    """
    losses = sorted({run.labels["loss"] for run in runs if run.labels})
    losses.sort(key=lambda loss: loss != "tloss")  # the T-Loss first, as in the figures
    names = list(COLORS)
    colors = {loss: names[loss_color(loss)] for loss in losses}
    settings = {
        sources.find(run.run_id).dashboard_id: ws.RunSettings(
            color=COLORS[colors[run.labels["loss"]]]
        )
        for run in runs
        if run.labels
    }
    workspace = ws.Workspace(
        entity=entity,
        project=project,
        name=experiment or "All runs",
        sections=_sections(colors),
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=max(100, len(runs))),
        runset_settings=ws.RunsetSettings(
            filters=_filters(experiment, runs, sources),
            run_settings=settings,
            pinned_columns=["run:state", "summary:error", "summary:dice_image"],
        ),
    )
    return _with_fixed_ids(workspace)


def _filters(
    experiment: str | None, runs: Sequence[RunState], sources: Sources
) -> list[ws.FilterExpr]:
    """What selects the runs; those trained for another experiment are in its group in wandb."""
    if not experiment:
        return []
    if all([*run.experiments][:1] == [experiment] for run in runs):
        return [ws.Metric("Group") == experiment]
    ids = sorted(sources.find(run.run_id).dashboard_id for run in runs)
    return [ws.Metric("ID").isin(ids)]


def to_json(workspace: ws.Workspace) -> str:
    """What the server would be sent, as JSON; the same for the same workspace."""
    return str(workspace._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=2))


def _sections(colors: Mapping[str, str]) -> list[ws.Section]:
    legend = "\n".join(f"- {loss}: {color}" for loss, color in colors.items())
    opened: dict[str, list[Any]] = {
        "Dice against α by loss": [
            _scatter("Dice against α", _ALPHA, _DICE),
            _bars("Dice by loss", "dice_image", _LOSS),
            _parallel("Loss, α, β and Dice", _LOSS, _ALPHA, wr.Config("noise.beta"), _DICE),
            wr.MarkdownPanel(markdown=f"A run has the colour of its loss:\n{legend}"),
        ],
        "Memorisation": [
            _curve(_title("train_dice_noisy"), "train_dice_noisy"),
            _curve(_title("train_dice_clean"), "train_dice_clean"),
            _curve(f"Test {_title('dice_image')}", "test_dice_image"),
            _curve("Training loss", "train_loss"),
        ],
        "ν of the T-Loss": [
            _curve("ν", "nu", log_y=True),
            _scatter("ν at the end against α", _ALPHA, wr.SummaryMetric("nu")),
        ],
    }
    closed: dict[str, list[Any]] = {
        "Domain against batch size": [
            _scatter("Dice against batch size", _BATCH_SIZE, _DICE),
            _bars("Dice by domain", "dice_image", _DOMAIN),
            _bars("Dice by batch size", "dice_image", _BATCH_SIZE),
            _parallel("Domain, batch size and Dice", _DOMAIN, _BATCH_SIZE, _DICE),
        ],
        "Failed runs": [
            _bars("Runs by state", "epoch", "State", "samples"),
            _bars("Failed runs by loss", "failed", _LOSS, "sum"),
            wr.MarkdownPanel(markdown=_FAILURES),
        ],
        "Images": [
            _media("Test images: clean and predicted masks", "examples/test"),
            _media("Training images: clean, given and predicted masks", "examples/train"),
            wr.WeavePanelSummaryTable(table_name="predictions"),
        ],
    }
    return [
        *(ws.Section(name=name, is_open=True, panels=panels) for name, panels in opened.items()),
        *(ws.Section(name=name, panels=panels) for name, panels in closed.items()),
    ]


def _title(metric: str) -> str:
    title = CATALOGUE[metric].title
    return title[0].upper() + title[1:]


def _parallel(title: str, *axes: Any) -> wr.ParallelCoordinatesPlot:
    columns = [wr.ParallelCoordinatesPlotColumn(axis) for axis in axes]
    return wr.ParallelCoordinatesPlot(title=title, columns=columns)


def _scatter(title: str, x: Any, y: Any) -> wr.ScatterPlot:
    return wr.ScatterPlot(title=title, x=x, y=y, legend_template=_RUN)


def _curve(title: str, metric: str, log_y: bool | None = None) -> wr.LinePlot:
    return wr.LinePlot(title=title, x="epoch", y=[metric], log_y=log_y, legend_template=_RUN)


def _bars(
    title: str, metric: str, by: Any, over_runs: Literal["mean", "sum", "samples"] = "mean"
) -> wr.BarPlot:
    return wr.BarPlot(
        title=title,
        metrics=[metric],
        groupby=by,
        groupby_aggfunc=over_runs,
        groupby_rangefunc="minmax" if over_runs == "mean" else "none",
    )


def _media(title: str, key: str) -> wr.MediaBrowser:
    return wr.MediaBrowser(title=title, media_keys=[key], num_columns=3)


def _with_fixed_ids(workspace: ws.Workspace) -> ws.Workspace:
    """The library draws ids at random; the place of a panel makes one that can be compared."""
    for section in workspace.sections:
        for at, panel in enumerate(section.panels):
            text = f"{workspace.name}/{section.name}/{at}"
            setattr(panel, "_id", hashlib.sha256(text.encode()).hexdigest()[:11])  # noqa: B010
    workspace._internal_runset_id = hashlib.sha256(workspace.name.encode()).hexdigest()[:11]
    return workspace
