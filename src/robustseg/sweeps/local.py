"""A sweep on this machine, several runs at a time."""

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn

from robustseg.sweeps.display import make_display
from robustseg.sweeps.jobs import begin, hydra_job
from robustseg.sweeps.places import places
from robustseg.sweeps.pool import run_jobs
from robustseg.sweeps.watch import Watch

if TYPE_CHECKING:
    from hydra_plugins.robustseg_launchers.local import LocalLauncher


def launch(launcher: "LocalLauncher", jobs: dict[int, list[str]]) -> list[JobReturn]:
    """Run the jobs."""
    config = launcher.config
    sweep = begin(launcher)
    where = places(
        launcher.n_jobs, launcher.jobs_per_gpu, config.trainer.accelerator, config.trainer.threads
    )
    display = make_display(len(jobs), min(len(where), len(jobs)))
    watch = Watch(sweep, Path(config.paths.runs), jobs, display, launcher.token)
    with display:
        run_jobs(hydra_job(launcher, sweep), list(jobs.items()), where, watch)
    return watch.in_order()
