"""What became of the runs of a sweep: noted by each job, summarised at the end."""

import logging
import os
import shlex
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from robustseg.configuration.checks import check_call
from robustseg.errors import ConfigError, RunFailed
from robustseg.runs.files import read_json, write_json
from robustseg.runs.lock import JOB
from robustseg.sweeps import limit
from robustseg.sweeps.recorded import check_records, record_of, recorded_dice
from robustseg.terminal.count import count
from robustseg.terminal.output import say
from robustseg.terminal.printable import printable


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        run_id: the run's id, or the job's overrides if it failed before it had one.
        state: done, skipped (it was done or recorded before), busy (another process trains it),
            failed, or
            running (in the summary: interrupted).
        dice: mean Dice per test image; None if there is no result.
        seconds: wall time of the job.
        trained_seconds: of training and evaluation, earlier attempts included.
        message: why it failed, is busy or was skipped without a folder.
        remark: what a reader of its numbers has to know.
        differs: how the conditions differ from those of the attempt that is skipped or resumed.
        warnings: of the data that it was trained on.
    """

    run_id: str
    state: str
    dice: float | None = None
    seconds: float = 0.0
    trained_seconds: float = 0.0
    message: str = ""
    remark: str = ""
    differs: Sequence[str] = ()
    warnings: Sequence[str] = ()


_NAMED = 20  # runs not started that a summary names
_DIFFERENCES = 5  # of the conditions that are named in a summary
_WARNINGS = 5  # that a summary repeats

_sweep: dict[str, Any] = {}

_log = logging.getLogger(__name__)


class SweepCallback(Callback):
    """Remembers where the sweep keeps its jobs' outcomes, for the summary at its end."""

    def __init__(self) -> None:
        self.swept: list[str] = []

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the folder of the sweep, and empty it of what an earlier one left there."""
        _sweep["outcomes"] = Path(config.hydra.sweep.dir) / "outcomes"
        for file in _sweep["outcomes"].glob("*.json"):
            file.unlink()
        _sweep["runs"] = config.paths.runs
        _sweep["token"] = uuid.uuid4().hex
        overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
        self.swept = [o.get_key_element() for o in overrides if o.is_sweep_override()]
        _sweep["swept"] = self.swept
        _sweep["experiment"] = _one_experiment(config)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Tell the job's process, which need not be the sweep's, what is swept."""
        _sweep["swept"] = self.swept


def _one_experiment(config: DictConfig) -> str | None:
    """The experiment of all runs; None if there is none, or runs may be of several."""
    name = "experiment_name"
    if name in _swept(config.hydra) or OmegaConf.is_interpolation(config, name):
        return None
    return None if config[name] is None else str(config[name])


def open_sweep(config: DictConfig, jobs: Mapping[int, Sequence[str]]) -> None:
    """Before any job: check what they share, note what there is, start the time limit.

    Args:
        config: of the sweep.
        jobs: overrides by number.

    Raises:
        ConfigError: the time limit is out of range, a record cannot be read, or jobs would change
            their folder.
    """
    check_folder(config.hydra)
    swept = _swept(config.hydra)
    for name in sorted({"minutes", "records", "paths.runs"} & {one.lstrip("+") for one in swept}):
        raise ConfigError(f"{name} applies to the whole command: it cannot be swept")
    minutes, records = check_call(config)
    names = {job: _name(overrides, swept) for job, overrides in jobs.items()}
    _sweep["jobs"] = _sweep.get("jobs", {}) | names
    _sweep["records"] = records
    limit.arm(minutes)
    check_records(records)


def check_folder(hydra: Any) -> None:
    """Refuse that Hydra changes the folder of a run, in which relative paths start.

    Raises:
        ConfigError: it would.
    """
    if hydra.job.chdir:
        raise ConfigError(
            "hydra.job.chdir=true: relative paths would start in another folder; leave it out"
        )


def unless_failed(returned: Sequence[JobReturn]) -> Sequence[JobReturn]:
    """Give the jobs' returns, or raise the first failure: Hydra would print a line of its own."""
    for one in returned:
        if one.status == JobStatus.FAILED:
            raise one._return_value
    return returned


def is_alone() -> bool:
    """Whether this process was called for one run, not for a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.RUN


def sweep_token() -> str | None:
    """What tells the sweep of this process's run from any other; None for a single run."""
    if JOB in os.environ:  # set by the launcher, in a process that is not the sweep's
        return os.environ[JOB].partition(":")[0]
    return _sweep.get("token")


def job_name() -> str:
    """The overrides that tell this job from the others of its sweep; "run" outside of one."""
    if not HydraConfig.initialized():
        return "run"
    hydra = HydraConfig.get()
    return _name(hydra.overrides.task, _swept(hydra))


def called() -> dict[str, list[str]]:
    """`call`: the overrides of this process's run; nothing where no call started it."""
    if not HydraConfig.initialized():
        return {}
    return {"call": list(HydraConfig.get().overrides.task)}


def _swept(hydra: Any) -> set[str]:
    """The settings that differ between the jobs of a sweep."""
    return {*(hydra.sweeper.get("params") or {}), *_sweep.get("swept", ())}


def _name(overrides: Sequence[str], swept: set[str]) -> str:
    return " ".join(o for o in overrides if o.split("=")[0] in swept) or "run"


def note(outcome: Outcome) -> None:
    """Keep a job's outcome for the summary, whatever process or machine the job runs on."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return
    hydra = HydraConfig.get()
    try:
        write_outcome(Path(hydra.sweep.dir), hydra.job.num, outcome)
    except OSError as full:
        what = f"{outcome.state} {outcome.message}".rstrip()
        _log.error("%s: %s; this could not be kept: %s", outcome.run_id, what, full)


def write_outcome(sweep: Path, job: int, outcome: Outcome) -> None:
    """Keep the outcome of a job in the sweep's folder."""
    # Read by the sweep alone, which a machine's death ends, too: to wait for the disk would be
    # half of what it costs to skip a run.
    write_json(sweep / "outcomes" / f"{job}.json", asdict(outcome), durable=False)


def read_outcome(sweep: Path, job: int) -> Outcome | None:
    """The outcome of a job; None if it has none yet."""
    file = sweep / "outcomes" / f"{job}.json"
    return Outcome(**read_json(file)) if file.exists() else None


def tells(error: BaseException) -> bool:
    """Whether the summary explains an error."""
    return isinstance(error, RunFailed) and "outcomes" in _sweep


def summarise(*, interrupted: bool = False) -> int:
    """Print what became of the sweep's runs, if there was a sweep.

    Args:
        interrupted: whether the sweep was, so that it has runs that were not started.

    Returns:
        Exit code: 1 if a run failed, else 0, also if another process trains it.
    """
    if "outcomes" not in _sweep:
        return 0
    files = {int(file.stem): file for file in _sweep["outcomes"].glob("*.json")}
    jobs = _sweep.get("jobs", {}) if interrupted else {}
    not_begun = [name for job, name in jobs.items() if job not in files]
    if not files and not not_begun:
        return 0
    outcomes = _distinct([Outcome(**read_json(file)) for _, file in sorted(files.items())])
    served = _served(outcomes)
    _print(_with_dice(outcomes, served), not_begun, _table_command(served))
    return int(any(outcome.state == "failed" for outcome in outcomes))


def _distinct(outcomes: list[Outcome]) -> list[Outcome]:
    """Cells of a grid that are the same run are reported once, by the first that trained it."""
    told: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.state == "running":
            outcome = replace(outcome, state="interrupted")
        before = told.get(outcome.run_id)
        if before is None or before.state == "busy" or outcome.state == "done":
            told[outcome.run_id] = outcome
    return list(told.values())


def _served(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """By record: the runs that were not trained since it has them, and so have no folder."""
    served: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.state == "skipped" and outcome.dice is None:
            record = record_of(outcome.run_id, _sweep.get("records", ()))
            if record is not None:
                served.setdefault(record, []).append(outcome.run_id)
    return served


def _with_dice(outcomes: Sequence[Outcome], served: Mapping[str, Sequence[str]]) -> list[Outcome]:
    """The outcomes, with the Dice of runs that a record has."""
    dice: dict[str, float | None] = {}
    for record, run_ids in served.items():
        dice |= recorded_dice(run_ids, record)
    return [replace(one, dice=dice.get(one.run_id, one.dice)) for one in outcomes]


def _table_command(records: Iterable[str]) -> str:
    """The command that shows the sweep's runs, also those of records."""
    known = [str(Path(record).expanduser()) for record in records]
    folder = [str(_sweep["runs"])] if Path(_sweep["runs"]).is_dir() or not known else []
    experiment = _sweep.get("experiment")
    # A run that a record has belongs to the experiment once it is packed again.
    named = [] if experiment is None or known else [experiment]
    return shlex.join(["robustseg", "table", *named, "--runs", *folder, *known])


def _print(outcomes: list[Outcome], not_begun: list[str], command: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    counts = Counter(outcome.state for outcome in outcomes)
    table = Table("run", "state", "Dice", "time", box=None)
    for outcome in outcomes:
        dice = "" if outcome.dice is None else f"{outcome.dice:.3f}"
        name = Text(printable(outcome.run_id))  # it may be overrides, which may hold markup
        took = f"{outcome.seconds:.1f} s" if outcome.seconds else ""
        table.add_row(name, outcome.state, dice, took)
    for job in not_begun[:_NAMED]:
        table.add_row(Text(printable(job)), "not started", "", "")
    if len(not_begun) > _NAMED:
        table.add_row(f"and {len(not_begun) - _NAMED} more", "not started", "", "")
    console = Console(highlight=False)
    say()
    console.print(table)
    for line in _said(outcomes):
        console.print(printable(line, keep="\n"), markup=False, soft_wrap=True)
    if differing := _differing(outcomes):
        console.print(printable(differing), markup=False, soft_wrap=True)
    if counts["busy"] and _sweep.get("experiment") is not None:
        joins = f"not yet part of {printable(_sweep['experiment'])}"
        busy = f"Busy runs are {joins}: repeat the command once they are done"
        console.print(busy, markup=False, soft_wrap=True)
    if not_begun:
        counts["not started"] = len(not_begun)
    said = ", ".join(f"{number} {state}" for state, number in counts.items())
    console.print(
        f"{count(counts.total(), 'run')}: {said}. Table: {printable(command)}",
        markup=False,
        soft_wrap=True,
    )


def _said(outcomes: Sequence[Outcome]) -> list[str]:
    """What there is to say of the runs, each text once, with the run or the number of them."""
    lines = []
    for kind, most in (("message", None), ("remark", None), ("warnings", _WARNINGS)):
        said_by: dict[str, list[str]] = {}
        for outcome in outcomes:
            said = getattr(outcome, kind)
            for text in [said] if isinstance(said, str) else said:
                said_by.setdefault(text, []).append(outcome.run_id)
        said_by.pop("", None)
        for text, runs in list(said_by.items())[:most]:
            lines.append(f"{runs[0] if len(runs) == 1 else f'{len(runs)} runs'}: {text}")
        if most is not None and len(said_by) > most:
            lines.append(f"and {count(len(said_by) - most, 'more warning')}, in the runs' logs")
    return lines


def _differing(outcomes: Sequence[Outcome]) -> str:
    """What differs from the conditions of runs that were skipped or resumed, in one line."""
    runs = sum(bool(outcome.differs) for outcome in outcomes)
    found = Counter(one for outcome in outcomes for one in outcome.differs)
    if not found:
        return ""
    told = [f"{one} ({count(number, 'run')})" for one, number in found.most_common(_DIFFERENCES)]
    more = len(found) - len(told)
    rest = f"; and {count(more, 'more difference')}" if more else ""
    return (
        f"{count(runs, 'run')} finished or resumed under other conditions: {'; '.join(told)}{rest}"
    )
