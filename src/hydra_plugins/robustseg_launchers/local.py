"""`hydra/launcher=local`; Hydra imports this at every start, so heavy imports wait."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalLauncher(Launcher):
    """Runs the jobs of a sweep on this machine, several at a time.

    Args:
        n_jobs: runs at a time; "auto" for what the machine has room for.
        jobs_per_gpu: runs that share a GPU.
    """

    def __init__(self, n_jobs: int | str = "auto", jobs_per_gpu: int = 1) -> None:
        self.n_jobs = n_jobs
        self.jobs_per_gpu = jobs_per_gpu

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what the jobs need."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a job for each list of overrides."""
        from robustseg.launching.local import launch

        return launch(self, [list(overrides) for overrides in job_overrides], initial_job_idx)
