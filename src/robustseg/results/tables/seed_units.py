"""Which runs of a cell are one observation of its method."""

from collections.abc import Iterable
from typing import Any

Seed = tuple[Any, Any]  # of a run and of its noise


def seed_units(seeds: Iterable[Seed]) -> list[list[Seed]]:
    """Group runs by their seed: the mean of a group is one observation.

    Runs that share a seed, or a draw of wrong masks, are not independent. Draws that all seeds
    have stand for themselves, as one draw does, and are averaged; with a draw of its own, each
    seed stands for others with other draws.

    Returns:
        The runs of each seed; none if some seeds have a draw in common and others do not, since no
        interval over such seeds holds.

    Examples:
        >>> seed_units([(0, 0), (0, 1), (1, 0), (1, 1)])
        [[(0, 0), (0, 1)], [(1, 0), (1, 1)]]
        >>> seed_units([(0, 0), (1, 1)])
        [[(0, 0)], [(1, 1)]]
        >>> seed_units([(0, 0), (1, 0), (2, 1)])
        []
    """
    units: dict[Any, list[Seed]] = {}
    for seed in dict.fromkeys(seeds):
        units.setdefault(seed[0], []).append(seed)
    draws = [{draw for _, draw in unit} for unit in units.values()]
    known = set[Any]().union(*draws)
    alike = all(own == known for own in draws)
    apart = sum(map(len, draws)) == len(known)
    return [*units.values()] if alike or apart else []
