"""`hydra/launcher=slurm`; Hydra imports this at every start, so heavy imports wait."""

from typing import Any

from hydra.core.utils import JobReturn

from robustseg.errors import ConfigError
from robustseg.sweeps.jobs import SweepLauncher


class SlurmLauncher(SweepLauncher):
    """Runs each job of a sweep as a Slurm job, through submitit.

    Args:
        timeout_min: time limit of a job in minutes, over 10.
        cpus_per_task: processors of a job; as many compute threads.
        mem_gb: memory of a job in GB.
        max_num_timeout: how often a job that reaches its time limit resumes in a new one.
        setup: shell commands before the program.
        options: what else sbatch knows, under submitit's names (partition, gres, …); None: unset.
    """

    elsewhere = True

    def __init__(
        self,
        timeout_min: int,
        cpus_per_task: int,
        mem_gb: float,
        max_num_timeout: int,
        setup: list[str],
        **options: Any,
    ) -> None:
        if isinstance(setup, str):  # its letters would each be a command
            raise ConfigError(
                f"hydra.launcher.setup must be a list: 'hydra.launcher.setup=[{setup}]'"
            )
        self.timeout_min = timeout_min
        self.cpus_per_task = cpus_per_task
        self.mem_gb = mem_gb
        self.max_num_timeout = max_num_timeout
        self.setup_commands = list(setup)
        self.options = {name: value for name, value in options.items() if value is not None}

    def run_jobs(self, jobs: dict[int, list[str]]) -> list[JobReturn]:
        """Run them."""
        from robustseg.sweeps.slurm import launch

        return launch(self, jobs)
