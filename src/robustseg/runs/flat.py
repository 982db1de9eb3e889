"""Nested settings and numbers by their dotted names."""

from collections.abc import Mapping
from typing import Any


def flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The leaves of nested mappings by their dotted names, in their order.

    Example:
        >>> flat({"noise": {"alpha": 0.3}, "seed": 0})
        {'noise.alpha': 0.3, 'seed': 0}
    """
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{path}{key}"
        leaves |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return leaves
