"""`hydra/launcher=local`; Hydra imports this at every start, so heavy imports wait."""

from hydra.core.utils import JobReturn

from robustseg.sweeps.jobs import SweepLauncher


class LocalLauncher(SweepLauncher):
    """Runs the jobs of a sweep on this machine, several at a time.

    Args:
        n_jobs: runs at a time; "auto" for what the machine has room for.
        jobs_per_gpu: runs that share a GPU; "auto" for what it and the processors have room for.
    """

    def __init__(self, n_jobs: int | str = "auto", jobs_per_gpu: int | str = "auto") -> None:
        self.n_jobs = n_jobs
        self.jobs_per_gpu = jobs_per_gpu

    def run_jobs(self, jobs: dict[int, list[str]]) -> list[JobReturn]:
        """Run them."""
        from robustseg.sweeps.local import launch

        return launch(self, jobs)
