"""What became of the runs of a sweep: noted by each job, told at the end."""

from collections import Counter
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
        overrides = config.hydra.overrides.task
        _sweep["swept"] = [o.split("=")[0] for o in overrides if set(o) & set(",(")]


def job_name() -> str:
    """The overrides that tell this job from the others of its sweep; "run" outside of one."""
    if not HydraConfig.initialized():
        return "run"
    hydra = HydraConfig.get()
    swept = set(hydra.sweeper.get("params") or {}) | set(_sweep.get("swept", ()))
    return " ".join(o for o in hydra.overrides.task if o.split("=")[0] in swept) or "run"


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
    if not files:
        return 0
    # Cells of a grid that are the same run are told once, by what the first of them did.
    outcomes = list({o.run_id: o for o in [Outcome(**read_json(f)) for f in files][::-1]}.values())
    _print(outcomes[::-1])
    return int(any(outcome.state in ("failed", "busy") for outcome in outcomes))


def _print(outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    counts = Counter(outcome.state for outcome in outcomes)
    table = Table("run", "state", "Dice", "time", box=None)
    for outcome in outcomes:
        dice = "" if outcome.dice is None else f"{outcome.dice:.3f}"
        table.add_row(outcome.run_id, outcome.state, dice, f"{outcome.seconds:.1f} s")
    console = Console(highlight=False)
    console.print()
    console.print(table)
    for message in dict.fromkeys(o.message for o in outcomes if o.message):
        said_by = [o.run_id for o in outcomes if o.message == message]
        which = said_by[0] if len(said_by) == 1 else f"{len(said_by)} runs"
        console.print(f"{which}: {message}", markup=False, soft_wrap=True)
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    console.print(
        f"{len(outcomes)} runs: {said}. Table: robustseg table --runs {_sweep['runs']}",
        markup=False,
        soft_wrap=True,
    )
