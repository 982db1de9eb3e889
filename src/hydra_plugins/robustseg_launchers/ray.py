"""`hydra/launcher=ray`; Hydra imports this at every start, so heavy imports wait."""

from hydra.core.utils import JobReturn

from robustseg.sweeps.jobs import SweepLauncher


class RayLauncher(SweepLauncher):
    """Runs each job of a sweep as a Ray task.

    Args:
        address: of a running cluster, such as 10.0.0.1:6379 or "auto"; None starts an instance on
            this machine for the length of the sweep.
        num_cpus: processors, and compute threads, of a run.
        num_gpus: GPUs of a run; a fraction where runs share one.
    """

    elsewhere = True

    def __init__(self, address: str | None, num_cpus: int, num_gpus: float) -> None:
        self.address = address
        self.num_cpus = num_cpus
        self.num_gpus = num_gpus

    def run_jobs(self, jobs: dict[int, list[str]]) -> list[JobReturn]:
        """Run them."""
        from robustseg.sweeps.ray import launch

        return launch(self, jobs)
