"""What a process knows of the sweep whose runs it starts or trains."""

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from robustseg.configuration.checks import check_call
from robustseg.errors import ConfigError
from robustseg.runs.lock import JOB
from robustseg.sweeps import limit
from robustseg.sweeps.outcomes import Outcome, write_outcome
from robustseg.sweeps.recorded import check_records


@dataclass
class Sweep:
    """A sweep, once Hydra has started it.

    Attributes:
        outcomes: folder of its jobs' outcomes; None outside of a sweep.
        runs: folder of its runs.
        token: tells it from any other.
        swept: settings that differ between its jobs.
        experiment: of all its runs, if there is one.
        jobs: names of its jobs, by number.
        records: whose runs are not trained again.
    """

    outcomes: Path | None = None
    runs: Path = Path()
    token: str | None = None
    swept: Sequence[str] = ()
    experiment: str | None = None
    jobs: dict[int, str] = field(default_factory=dict)
    records: Sequence[str] = ()


current = Sweep()

_log = logging.getLogger(__name__)


class SweepCallback(Callback):
    """Remembers where the sweep keeps its jobs' outcomes, for the summary at its end."""

    def __init__(self) -> None:
        self.swept: list[str] = []

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the folder of the sweep, and empty it of what an earlier one left there."""
        current.outcomes = Path(config.hydra.sweep.dir) / "outcomes"
        for file in current.outcomes.glob("*.json"):
            file.unlink()
        current.runs = Path(config.paths.runs)
        current.token = uuid.uuid4().hex
        overrides = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
        self.swept = [o.get_key_element() for o in overrides if o.is_sweep_override()]
        current.swept = self.swept
        current.experiment = _one_experiment(config)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Tell the job's process, which need not be the sweep's, what is swept."""
        current.swept = self.swept


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
    current.jobs |= names
    current.records = records
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
    return current.token


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
    return {*(hydra.sweeper.get("params") or {}), *current.swept}


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
