"""What became of the runs of a sweep: noted by each job, told at the end."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from robustseg.runs.files import read_json, write_json


class RunFailed(RuntimeError):
    """A run that did not finish; what happened is in its status.json."""


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        run_id: the run's id, or the job's overrides if it failed before it had one.
        state: done, skipped (it was done already), busy (another process trains it) or failed.
        dice: mean Dice per test image; None if there is no result.
        seconds: wall time of the job.
        message: why it failed or is busy.
    """

    run_id: str
    state: str
    dice: float | None = None
    seconds: float = 0.0
    message: str = ""


_sweep: dict[str, Any] = {}


class SweepCallback(Callback):
    """Remembers where the sweep keeps its jobs' outcomes, for the summary at its end."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the folder of the sweep."""
        _sweep["outcomes"] = Path(config.hydra.sweep.dir) / "outcomes"
        _sweep["runs"] = config.paths.runs


def note(outcome: Outcome) -> None:
    """Keep a job's outcome for the summary, whatever process or machine the job runs on."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return
    hydra = HydraConfig.get()
    write_json(Path(hydra.sweep.dir) / "outcomes" / f"{hydra.job.num}.json", asdict(outcome))


def summarise() -> int:
    """Print what became of the sweep's runs, if there was a sweep.

    Returns:
        Exit code: 1 if a run failed or is still being trained elsewhere, else 0.
    """
    if "outcomes" not in _sweep:
        return 0
    files = sorted(_sweep["outcomes"].glob("*.json"), key=lambda file: int(file.stem))
    # Cells of a grid that are the same run are told once, by what the first of them did.
    outcomes = list({o.run_id: o for o in [Outcome(**read_json(f)) for f in files][::-1]}.values())
    _print(outcomes[::-1])
    return int(any(outcome.state in ("failed", "busy") for outcome in outcomes))


def _print(outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    counts = {
        state: sum(outcome.state == state for outcome in outcomes)
        for state in ("done", "skipped", "busy", "failed")
    }
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    table = Table("run", "state", "Dice", "time", box=None)
    for outcome in outcomes:
        dice = "" if outcome.dice is None else f"{outcome.dice:.3f}"
        table.add_row(outcome.run_id, outcome.state, dice, f"{outcome.seconds:.1f} s")
    console = Console(soft_wrap=True, highlight=False)
    console.print()
    console.print(table)
    for outcome in outcomes:
        if outcome.message:
            console.print(f"{outcome.run_id}: {outcome.message}", markup=False)
    console.print(f"{len(outcomes)} runs: {said}. Table: robustseg table --runs {_sweep['runs']}")
