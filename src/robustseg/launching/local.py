"""A sweep on this machine, several runs at a time."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.plugins import Plugins
from hydra.core.utils import (
    JobReturn,
    JobStatus,
    configure_log,
    filter_overrides,
    run_job,
    setup_globals,
)
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from robustseg.launching.display import Display, make_display
from robustseg.launching.places import places
from robustseg.launching.pool import run_jobs
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from robustseg.runs.lock import AlreadyRunning, hold
from robustseg.sweep import Outcome, RunFailed, read_outcome, write_outcome

if TYPE_CHECKING:
    from hydra_plugins.robustseg_launchers.local import LocalLauncher


def launch(launcher: "LocalLauncher", jobs: list[list[str]], first: int) -> list[JobReturn]:
    """Run the jobs, as Hydra's launchers do; one that fails or dies does not stop the others."""
    config = launcher.config
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    sweep = Path(str(config.hydra.sweep.dir)).absolute()
    sweep.mkdir(parents=True, exist_ok=True)
    numbered = dict(enumerate(jobs, start=first))
    where = places(
        launcher.n_jobs, launcher.jobs_per_gpu, config.trainer.accelerator, config.trainer.threads
    )
    display = make_display(len(jobs), min(len(where), len(jobs)))
    watch = _Watch(sweep, Path(config.paths.runs), numbered, display)
    work = HydraJob(
        launcher.hydra_context,
        config,
        launcher.task_function.__module__,
        launcher.task_function.__qualname__,
        sweep,
    )
    with display:
        run_jobs(work, list(numbered.items()), where, watch)
    return [watch.returned[number] for number in numbered]


@dataclass(frozen=True)
class HydraJob:
    """One job of a sweep, to be called in another process.

    Attributes:
        context: Hydra's loader of configurations, and callbacks.
        config: of the sweep.
        module: where the task function is.
        name: of the task function, which `hydra.main` has wrapped.
        sweep: folder of the sweep.
    """

    context: HydraContext
    config: DictConfig
    module: str
    name: str
    sweep: Path

    def __call__(self, job: int, overrides: Sequence[str]) -> None:
        """Run it; its output goes to <sweep>/<job>.log.

        Raises:
            RunFailed: the run failed.
        """
        _write_to(log_file(self.sweep, job))
        Plugins.instance()  # Hydra's global state, as its main sets it up
        setup_globals()
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = job
        task = getattr(sys.modules[self.module], self.name).__wrapped__
        done = run_job(
            task_function=task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self.context,
            configure_logging=True,
        )
        _ = done.return_value  # raises what the run raised


def log_file(sweep: Path, job: int) -> Path:
    """Where a job's output goes."""
    return sweep / f"{job}.log"


def _write_to(path: Path) -> None:
    """Send this process's output, and that of its children, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


class _Watch:
    """Keeps what became of each job, also of those that could not say it themselves."""

    def __init__(
        self, sweep: Path, runs: Path, jobs: dict[int, list[str]], display: Display
    ) -> None:
        self.sweep = sweep
        self.runs = runs
        self.jobs = jobs
        self.display = display
        self.returned: dict[int, JobReturn] = {}

    def started(self, job: int) -> None:
        self.display.started()

    def tick(self) -> None:
        self.display.tick()

    def ended(self, job: int, failure: str | None) -> None:
        name = " ".join(filter_overrides(self.jobs[job])) or "run"
        outcome = read_outcome(self.sweep, job) or Outcome(name, "running")
        if outcome.state == "running":
            outcome = self._lost(job, outcome, failure or "it ended without saying how")
        self.display.ended(outcome)
        self.returned[job] = JobReturn(
            overrides=self.jobs[job],
            status=JobStatus.COMPLETED if failure is None else JobStatus.FAILED,
            _return_value=None if failure is None else RunFailed(failure),
        )

    def _lost(self, job: int, outcome: Outcome, reason: str) -> Outcome:
        """Record the failure of a run whose process could not record it."""
        message = f"{reason}; its output is in {log_file(self.sweep, job)}"
        folder = RunFolder(self.runs / outcome.run_id)
        if folder.path.exists():
            with suppress(AlreadyRunning), hold(folder.lock):  # another sweep may go on with it
                if not folder.status.exists():
                    folder.update_status(schema=SCHEMA, run_id=folder.run_id, state="running")
                if folder.read_status().get("state") == "running":
                    folder.mark_failed("ProcessDied", reason)
        outcome = replace(outcome, state="failed", message=message)
        write_outcome(self.sweep, job, outcome)
        return outcome
