"""One job of a sweep, to be called in another process, on this machine or another."""

import os
import sys
import uuid
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from robustseg.runs.lock import JOB
from robustseg.sweeps import limit
from robustseg.sweeps.sweep import open_sweep, unless_failed
from robustseg.terminal.output import print_anything


class SweepLauncher(Launcher):
    """A launcher that keeps what its jobs need.

    Attributes:
        elsewhere: whether its jobs may run on machines that have other folders.
    """

    elsewhere = False

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep it."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config
        self.token = uuid.uuid4().hex

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a job for each list of overrides, once what they share is checked."""
        jobs = dict(enumerate(map(list, job_overrides), start=initial_job_idx))
        open_sweep(self.config, jobs)
        return unless_failed(self.run_jobs(jobs))

    @abstractmethod
    def run_jobs(self, jobs: dict[int, list[str]]) -> list[JobReturn]:
        """Run jobs, overrides by number; one that fails or dies does not stop the others."""


@dataclass(frozen=True)
class HydraJob:
    """Runs any job of a sweep.

    Attributes:
        context: Hydra's loader of configurations, and callbacks.
        config: of the sweep.
        task: the program's task function.
        sweep: folder of the sweep.
        folder: where the sweep was started; relative paths of its configuration start there.
        token: tells this sweep from any other.
        ends: when its time limit interrupts it, as `time.time` counts; None if it has none.
    """

    context: HydraContext
    config: DictConfig
    task: Callable[[DictConfig], Any]
    sweep: Path
    folder: Path
    token: str
    ends: float | None

    def __call__(self, job: int, overrides: Sequence[str]) -> None:
        """Run a job; its output goes to <sweep>/<job>.log.

        Raises:
            RunFailed: the run failed.
        """
        os.chdir(self.folder)
        _write_to(log_file(self.sweep, job))
        os.environ[JOB] = job_id(self.token, job)
        limit.expect(self.ends)
        Plugins.instance()  # Hydra's global state, as its main sets it up
        setup_globals()
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = job
        done = run_job(
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self.context,
            configure_logging=True,
        )
        _ = done.return_value  # raises what the run raised


def begin(launcher: SweepLauncher) -> Path:
    """Set up Hydra's logging, and make the folder of the sweep."""
    setup_globals()
    configure_log(launcher.config.hydra.hydra_logging, launcher.config.hydra.verbose)
    sweep = Path(str(launcher.config.hydra.sweep.dir)).absolute()
    sweep.mkdir(parents=True, exist_ok=True)
    return sweep


def hydra_job(launcher: SweepLauncher, sweep: Path) -> HydraJob:
    """What a launcher's jobs call."""
    return HydraJob(
        launcher.hydra_context,
        launcher.config,
        launcher.task_function,
        sweep,
        Path.cwd(),
        launcher.token,
        limit.ends(),
    )


def job_id(token: str, job: int) -> str:
    """The name of a job that locks are held under, the same when it is queued again."""
    return f"{token}:{job}"


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
    print_anything()
