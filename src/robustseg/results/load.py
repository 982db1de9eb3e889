"""Finished runs as rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.errors import NoRuns
from robustseg.runs.files import read_json
from robustseg.runs.flat import flat
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from robustseg.runs.labels import LABELS, check_labels
from robustseg.terminal.suggestion import suggestion

if TYPE_CHECKING:
    import pandas as pd


def load_runs(folder: Path | str, **filters: Any) -> pd.DataFrame:
    """Read the finished runs of a folder.

    Args:
        folder: holds a folder a run; names that begin with a dot are passed over.
        **filters: a value, or a list of values, that a run must have: of any of ``LABELS``; of
            ``experiment`` (a run may be of several); or of a setting by its dotted name, such as
            ``**{"trainer.max_epochs": 100}``.

    Returns:
        One row a finished run: ``run_id``, ``LABELS`` (missing where not applicable: no β
        without noise), ``experiments`` (a tuple of names), ``settings`` (dotted names → values),
        ``collapsed`` ("background", "foreground" or None: the network predicts only that) and
        every number of metrics.json, of nested ones by its dotted name. ``attrs["left_out"]``
        maps the other folders' names to why they are not finished runs, and ``attrs["absent"]``
        says which of several values of a filter no finished run has.

    Raises:
        NoRuns: there is no such folder, no finished run in it, or none that passes the filters.
        ValueError: a filter names neither a label nor a setting.
    """
    import pandas as pd

    folder = Path(folder)
    if not folder.is_dir():
        raise NoRuns(f"there is no folder {folder}{_REMEDY}")
    rows, left_out = [], {}
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."]
    for name in sorted(names):
        try:
            row, reason = _read(RunFolder(folder / name))
        except OSError as error:
            row, reason = {}, f"that cannot be read ({error.strerror or error})"
        if reason:
            left_out[name] = reason
        else:
            rows.append(row)
    if not rows:
        unfinished = f" ({count_reasons(left_out)})" if left_out else ""
        raise NoRuns(f"there is no finished run in {folder}{unfinished}{_REMEDY}")
    runs = pd.DataFrame(rows)
    everything, absent = runs, []
    for name, wanted in filters.items():
        runs = _select(runs, name, wanted)
        absent += _absent(everything, name, wanted)
    runs = runs.reset_index(drop=True)
    runs.attrs.update(left_out=left_out, absent=absent)
    return runs


_REMEDY = "; make some with: python train.py -m loss=tloss,gce,mae noise.alpha=0.3,0.5,0.7"


def metric_names(runs: pd.DataFrame) -> list[str]:
    """Return the names of the numbers that tables can show."""
    others = {"run_id", "experiments", "settings", "collapsed", *LABELS}
    return [name for name in runs.columns if name not in others]


def count_reasons(left_out: Mapping[str, str]) -> str:
    """Return how often each reason occurs, such as ``2 unfinished, 1 failed``."""
    counts: dict[str, int] = {}
    for reason in left_out.values():
        kind = reason.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _read(folder: RunFolder) -> tuple[dict[str, Any], str]:
    """A run's row, or why there is none."""
    status = folder.read_status()
    state = status.get("state")
    if state == "failed":
        error = status.get("error") or {}
        return {}, f"failed: {error.get('type')}: {error.get('message')}"
    if state != "done":
        return {}, "unfinished" if state == "running" else "without a readable status.json"
    if status.get("schema") != SCHEMA:
        return {}, f"of schema {status.get('schema')} instead of {SCHEMA}"
    try:
        metrics = read_json(folder.metrics)
        labels, settings, collapsed = _described(metrics)
        numbers = _numbers(metrics)
    except (FileNotFoundError, ValueError) as error:
        return {}, f"with a damaged metrics.json: {type(error).__name__}: {error}"
    own = {
        "run_id": folder.run_id,
        "experiments": tuple(status.get("experiments", ())),
        "settings": flat(settings),
        "collapsed": collapsed,
    }
    return {**numbers, **own, **{name: labels.get(name) for name in LABELS}}, ""


def _described(metrics: Any) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Take what is no number out of a metrics.json: labels, settings and the collapse.

    Raises:
        ValueError: it is not what `training` writes.
    """
    if not isinstance(metrics, dict):
        raise ValueError("it holds no numbers")
    labels, settings = metrics.pop("run", None), metrics.pop("settings", {})
    collapsed = metrics.pop("collapsed", None)
    check_labels(labels)
    if not isinstance(settings, dict):
        raise ValueError(f"settings is {settings!r}")
    if not isinstance(collapsed, str | None):
        raise ValueError(f"collapsed is {collapsed!r}")
    return labels, settings, collapsed


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers by their dotted names; one that is not defined is NaN.

    Raises:
        ValueError: something else is in a number's place.
    """
    numbers = flat(metrics)
    for name, value in numbers.items():
        if not isinstance(value, int | float | None):
            raise ValueError(f"{name} is {value!r}")
    return {name: float("nan") if value is None else value for name, value in numbers.items()}


def _select(runs: pd.DataFrame, name: str, wanted: Any) -> pd.DataFrame:
    values, present = _values(wanted), _present(runs, name)
    if name == "experiment":
        chosen = runs["experiments"].map(lambda of: any(value in of for value in values))
    else:
        column = _column(runs, name)
        chosen = column.isin(values) | (column.isna() & (None in values))
    if not chosen.any():
        sought = " or ".join(map(_text, values))
        raise NoRuns(
            f"none of the {len(runs)} finished runs has {name}={sought}; "
            f"{suggestion(sought, present)}"
            if present
            else f"none of the {len(runs)} finished runs has any {name}"
        )
    return runs[chosen]


def _absent(runs: pd.DataFrame, name: str, wanted: Any) -> list[str]:
    present = _present(runs, name)
    missing = [value for value in _values(wanted) if value is not None and value not in present]
    return [
        f"No finished run has {name}={one} ({suggestion(one, present)})."
        for one in map(_text, missing)
    ]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple | set) else [wanted]


def _present(runs: pd.DataFrame, name: str) -> set[Any]:
    if name == "experiment":
        return {one for of in runs["experiments"] for one in of}
    return set(_column(runs, name).dropna())


def _column(runs: pd.DataFrame, name: str) -> pd.Series:
    if name in LABELS:
        return runs[name]
    settings = {key for own in runs["settings"] for key in own}
    if name not in settings:
        known = [*LABELS, "experiment", *settings]
        raise ValueError(f"no run has a setting {name!r}; {suggestion(name, known)}")
    return runs["settings"].map(lambda own: own.get(name))
