"""What a finished run's status.json and metrics.json say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustseg.runs.files import read_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from robustseg.runs.labels import check_labels


@dataclass(frozen=True)
class Finished:
    """A finished run's numbers and what they are of.

    Attributes:
        run_id: its id.
        labels: data set, loss, noise, seed, …
        numbers: of metrics.json, of nested ones by their dotted names; NaN where not defined.
        settings: that can change the result, nested as in config.yaml.
        collapsed: "background" or "foreground" where the network predicts only that.
        experiments: to which it belongs.
        status: versions, processor, times, … as in status.json.
    """

    run_id: str
    labels: Mapping[str, Any]
    numbers: Mapping[str, float]
    settings: Mapping[str, Any]
    collapsed: str | None
    experiments: tuple[str, ...]
    status: Mapping[str, Any]


class NotFinished(ValueError):
    """A folder is no finished run; the message says why."""


def read_finished(folder: RunFolder) -> Finished:
    """Read a finished run.

    Raises:
        NotFinished: it is unfinished, failed, outdated or damaged.
        OSError: a file cannot be read.
    """
    status = folder.read_status()
    state = status.get("state")
    if state == "failed":
        error = status.get("error") or {}
        raise NotFinished(f"failed: {error.get('type')}: {error.get('message')}")
    if state != "done":
        raise NotFinished("unfinished" if state == "running" else "without a readable status.json")
    if status.get("schema") != SCHEMA:
        raise NotFinished(f"of schema {status.get('schema')} instead of {SCHEMA}")
    try:
        metrics = read_json(folder.metrics)
        labels, settings, collapsed = _described(metrics)
        numbers = _numbers(metrics)
    except (FileNotFoundError, ValueError) as error:
        message = f"with a damaged metrics.json: {type(error).__name__}: {error}"
        raise NotFinished(message) from error
    experiments = tuple(status.get("experiments", ()))
    return Finished(folder.run_id, labels, numbers, settings, collapsed, experiments, status)


def flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The leaves of nested mappings by their dotted names."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{path}{key}.")
        else:
            leaves[f"{path}{key}"] = value
    return leaves


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
