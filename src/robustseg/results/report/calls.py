"""The calls that trained the runs of a page, as their attempts note them."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from robustseg.results.report.privacy import without_places

_MANY = 20  # calls listed


def training_calls(statuses: Sequence[Mapping[str, Any]]) -> list[str]:
    """The calls of train.py that train the runs again, without the places of files.

    One command with ``-m`` where the runs are all combinations of values; else one command per run.

    Args:
        statuses: of the runs, from their status.json.

    Returns:
        Lines for a shell; none if no run notes its call.

    Example:
        >>> attempts = [{"attempts": [{"call": [f"loss={loss}", "seed=1"]}]} for loss in "ab"]
        >>> training_calls(attempts)
        ['robustseg train -m loss=a,b seed=1']
    """
    calls = [
        tuple(map(str, attempts[-1]["call"]))
        for status in statuses
        if (attempts := status.get("attempts")) and "call" in attempts[-1]
    ]
    calls = list(dict.fromkeys(calls))
    if len(calls) > 1 and (grid := _grid(calls)):
        return [_line(["-m", *grid])]
    lines = [_line(call) for call in calls[:_MANY]]
    if len(calls) > _MANY:
        lines.append(f"# and {len(calls) - _MANY} more: each run's settings are listed with it")
    return lines


def _grid(calls: Sequence[Sequence[str]]) -> list[str] | None:
    """Overrides of which the calls are all combinations; None if there are none."""
    values: dict[str, dict[str, None]] = {}
    for call in calls:
        for override in call:
            name, _, value = override.partition("=")
            values.setdefault(name, {})[value] = None
    if any({one.partition("=")[0] for one in call} != values.keys() for call in calls):
        return None
    if math.prod(map(len, values.values())) != len(calls):
        return None
    return [f"{name}={','.join(found)}" for name, found in values.items()]


def _line(words: Sequence[str]) -> str:
    return shlex.join(["robustseg", "train", *map(without_places, words)])
