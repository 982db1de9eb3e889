"""`hydra/launcher=basic`; Hydra imports this at every start, so heavy imports wait."""

from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins import basic_launcher
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn


class BasicLauncher(basic_launcher.BasicLauncher):
    """Runs the jobs of a sweep one after another in this process: Hydra's own launcher."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a job for each list of overrides, once what they share is checked."""
        from robustseg.sweeps.serial import launch
        from robustseg.sweeps.sweep import open_sweep, unless_failed

        assert self.config is not None
        jobs = dict(enumerate(map(list, job_overrides), start=initial_job_idx))
        open_sweep(self.config, jobs)
        sweep = Path(str(self.config.hydra.sweep.dir))
        return unless_failed(launch(self._run, sweep, jobs))

    def _run(self, job: int, overrides: Sequence[str]) -> JobReturn:
        return super().launch([overrides], job)[0]


# Hydra loads its own launchers before it looks for others, so this takes the name over.
ConfigStore.instance().store(
    group="hydra/launcher",
    name="basic",
    node={"_target_": f"{__name__}.BasicLauncher"},
    provider="robustseg",
)
