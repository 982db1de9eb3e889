"""Hydra's own sweeper, which checks each value once; Hydra imports this at every start."""

import re
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, open_dict

_MANY = 50  # combinations, of more of which the check is announced
_DATA = ("dataset=", "dataset@", "dataset.root=", "dataset.source", "experiment=")
_NUMBER = re.compile(r"=[-+]?\d+(\.\d*)?([eE][-+]?\d+)?$")  # no name of a choice: Hydra says so


class BasicSweeper(basic_sweeper.BasicSweeper):
    """Runs all combinations of values.

    Hydra composes every combination before the first run, 0.16 s each. Here each value is composed
    once, with the first values of the others, and of the numbers of a setting one: if it can be
    set to one, it can be set to all. Each value of a setting is checked for its range. What fails
    only together, or in the class that is built, is found when its run starts.
    """

    def sweep(self, arguments: list[str]) -> Any:
        """Run every batch (`max_batch_size`), and raise the first failure after the last batch."""
        from robustseg.errors import RunFailed

        assert self.launcher is not None
        launch, failures = self.launcher.launch, list[RunFailed]()

        def collect_failures(
            job_overrides: Sequence[Sequence[str]], initial_job_idx: int
        ) -> Sequence[JobReturn]:
            try:
                return launch(job_overrides, initial_job_idx)
            except RunFailed as error:
                failures.append(error)
                return []

        self.launcher.launch = collect_failures  # type: ignore[method-assign]
        returned = super().sweep(arguments)
        if failures:
            raise failures[0]
        return returned

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Check every value, and compose combinations in which every value occurs.

        Raises:
            ConfigError: a value is out of range, or a swept experiment has a grid of its own.
            DataError: the folder of a data set is not given or not there, or its files do not
                make a data set.
        """
        from robustseg.configuration.checks import check_overrides
        from robustseg.terminal.count import count
        from robustseg.terminal.progress import track

        check_overrides(dict.fromkeys(one for overrides in batch for one in overrides))
        self._check_grids(batch)
        chosen = covering(batch)
        if len(batch) > _MANY:
            print(f"{count(len(batch), 'run')}: checking their settings", flush=True)
        for overrides in track(chosen, len(chosen), "checking settings"):
            super().validate_batch_is_legal([overrides])
        self._check_data(batch)

    def _check_grids(self, batch: Sequence[Sequence[str]]) -> None:
        """Refuse to sweep over experiments with grids: only the sweep's own grid is trained."""
        from robustseg.errors import ConfigError

        given = dict.fromkeys(one for overrides in batch for one in overrides)
        chosen = [one for one in given if one.lstrip("+").startswith("experiment=")]
        if not chosen:
            return
        assert self.config is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        grids = [
            one.partition("=")[2]
            for one in chosen
            if one not in self.config.hydra.overrides.task
            and loader.load_sweep_config(self.config, [one]).hydra.sweeper.params
            != self.config.hydra.sweeper.params
        ]
        if grids:
            raise ConfigError(
                f"{', '.join(grids)}: a sweep over experiments would not train the grid that an "
                "experiment has: run the command once per experiment"
            )

    def _check_data(self, batch: Sequence[Sequence[str]]) -> None:
        from robustseg.data.sources.files import checked_root

        elsewhere = getattr(getattr(self, "launcher", None), "elsewhere", False)
        for overrides in by_data(batch):
            config = self._composed(overrides)
            source = config.dataset.source
            if "root" in source and not (elsewhere and source.root):
                checked_root(source.root)
                _check_files(config)

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        assert self.config is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        config = loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            del config["hydra"]  # as Hydra does it for a run
        return config


def _check_files(config: DictConfig) -> None:
    """Look for the pairs of files of a data set, without reading them."""
    from hydra.utils import instantiate
    from omegaconf.errors import OmegaConfBaseException

    from robustseg.configuration.buildable import check_targets
    from robustseg.configuration.checks import resolve
    from robustseg.data.sources.files import FileSource
    from robustseg.errors import ConfigError

    try:
        settings = resolve(config)
        check_targets(settings, "dataset")
    except (ConfigError, OmegaConfBaseException):  # of this combination alone? Its run says so
        return
    source = instantiate(settings.dataset.source.arguments())
    if isinstance(source, FileSource):
        source.check_trainable()
    else:
        source.records()


def by_data(batch: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """A combination for each data set of some combinations.

    Example:
        >>> by_data([["dataset=isic2017", "seed=0"], ["dataset=isic2017", "seed=1"]])
        [['dataset=isic2017', 'seed=0']]
    """
    found: dict[tuple[str, ...], Sequence[str]] = {}
    for overrides in batch:
        data = tuple(one for one in overrides if one.lstrip("+").startswith(_DATA))
        found.setdefault(data, overrides)
    return list(found.values())


def covering(batch: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Those of some combinations that have a value which none before has; a number is any number.

    Example:
        >>> len(covering([[f"a={a}", f"b={b}"] for a in "xyz" for b in range(5)]))
        3
    """
    kinds = {one: _NUMBER.sub("=0", one) for one in {one for of in batch for one in of}}
    seen: set[str] = set()
    chosen = []
    for overrides in batch:
        new = {kinds[override] for override in overrides} - seen
        if new:
            chosen.append(overrides)
            seen |= new
    return chosen


# Hydra loads its own sweepers before it looks for others, so this takes the name over.
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="basic",
    node={"_target_": f"{__name__}.BasicSweeper", "max_batch_size": None, "params": None},
    provider="robustseg",
)
