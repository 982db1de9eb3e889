"""What runs cost, by processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robustseg.results.sources import Sources

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Cost:
    """Means over the runs of a loss on one data set and one kind of processor.

    Attributes:
        name: of the loss, with what else distinguishes rows.
        where: data set and data (if there are several), processor and threads, in words.
        runs: how many.
        step_ms: training, milliseconds per step.
        hours: training and evaluation, per run.
        processor_hours: of the process, per run, whatever else the machine did; None where they
            are not recorded.
        memory_mb: peak, of the GPU or of the process; None where it is not recorded.
    """

    name: str
    where: str
    runs: int
    step_ms: float
    hours: float
    processor_hours: float | None
    memory_mb: float | None


def costs(runs: pd.DataFrame, names: Sequence[str], sources: Sources) -> list[Cost]:
    """The costs of some runs, never averaged over processors, threads or data sets.

    Args:
        runs: as `load_runs` returns them.
        names: of their losses, one per run.
        sources: of the runs.

    Returns:
        One for each name and place, in order; runs that have not recorded their cost are left out.
    """
    import pandas as pd

    several = [name for name in ("dataset", "data") if runs[name].nunique(dropna=False) > 1]
    rows = []
    for name, (_, run) in zip(names, runs.iterrows(), strict=True):
        status = sources.find(run["run_id"]).status
        cost, steps = status.get("cost") or {}, run.get("steps")
        seconds, evaluation = cost.get("train_seconds"), cost.get("evaluation_seconds")
        if seconds is None or evaluation is None or not steps or steps != steps:
            continue
        where = [*(str(run[name]) for name in several), _processor(status)]
        hours = (seconds + evaluation) / 3600
        others = (cost.get("processor_seconds"), cost.get("peak_memory_mb"))
        rows.append((name, ", ".join(where), seconds / steps * 1000, hours, *others))
    columns = ["name", "where", "step_ms", "hours", "processor_seconds", "memory_mb"]
    frame = pd.DataFrame(rows, columns=columns)
    return [
        Cost(
            name=str(name),
            where=str(where),
            runs=len(group),
            step_ms=float(group["step_ms"].mean()),
            hours=float(group["hours"].mean()),
            processor_hours=_mean(group["processor_seconds"] / 3600),
            memory_mb=_mean(group["memory_mb"]),
        )
        for (name, where), group in frame.groupby(["name", "where"], sort=True)
    ]


def _mean(values: pd.Series) -> float | None:
    """The mean; None if one run has not recorded it."""
    return None if values.isna().any() else float(values.mean())


def _processor(status: Mapping[str, Any]) -> str:
    """The processor, and its threads where they matter."""
    name = str(status.get("processor") or status.get("accelerator") or "unknown processor")
    threads = status.get("threads")
    if status.get("accelerator") != "cpu" or not threads:
        return name
    return f"{name}, {threads} {'thread' if threads == 1 else 'threads'}"
