"""`hydra/launcher=basic`; Hydra imports this at every start, so heavy imports wait."""

from collections.abc import Sequence

from hydra._internal.core_plugins import basic_launcher
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn


class BasicLauncher(basic_launcher.BasicLauncher):
    """Runs the jobs of a sweep one after another in this process: Hydra's own launcher."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a job for each list of overrides, once what they share is checked."""
        from robustseg.sweeps.outcomes import open_sweep

        assert self.config is not None
        open_sweep(self.config, len(job_overrides))
        return super().launch(job_overrides, initial_job_idx)


# Hydra loads its own launchers before it looks for others, so this takes the name over.
ConfigStore.instance().store(
    group="hydra/launcher",
    name="basic",
    node={"_target_": f"{__name__}.BasicLauncher"},
    provider="robustseg",
)
