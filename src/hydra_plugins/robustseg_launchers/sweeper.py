"""Hydra's own sweeper, which checks each value once; Hydra imports this at every start."""

import re
from collections.abc import Sequence

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.config_store import ConfigStore

_MANY = 50  # combinations, of more of which the check is announced
_NUMBER = re.compile(r"=[-+]?\d+(\.\d*)?([eE][-+]?\d+)?$")  # no name of a choice: Hydra says so


class BasicSweeper(basic_sweeper.BasicSweeper):
    """Runs all combinations of values.

    Hydra composes every combination before the first run, 0.16 s each. Here each value is composed
    once, with the first values of the others, and of the numbers of a setting one: if it can be
    set to one, it can be set to all. Each value of a setting is checked for its range. What fails
    only together, or in the class that is built, is found when its run starts.
    """

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Check every value, and compose combinations in which every value occurs.

        Raises:
            ConfigError: a value is out of range.
        """
        from robustseg.configuration.checks import check_overrides
        from robustseg.terminal.count import count
        from robustseg.terminal.progress import track

        check_overrides(dict.fromkeys(one for overrides in batch for one in overrides))
        chosen = covering(batch)
        if len(batch) > _MANY:
            print(f"{count(len(batch), 'run')}: checking their settings", flush=True)
        for overrides in track(chosen, len(chosen), "checking settings"):
            super().validate_batch_is_legal([overrides])


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
