"""Whether a run is finished, and what its status.json and metrics.json say."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustseg.errors import DamagedRun
from robustseg.runs.contents import read_status
from robustseg.runs.files import DamagedFile, without_nan
from robustseg.runs.flat import flat
from robustseg.runs.folder import NUMBERS, RunFolder
from robustseg.runs.identity import SCHEMA, Identity
from robustseg.runs.labels import check_labels
from robustseg.runs.sealed import check_sealed
from robustseg.terminal.printable import is_plain, printable


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
    """A folder is not a finished run; the message says why."""


def read_finished(folder: RunFolder) -> Finished:
    """Read a finished run.

    Raises:
        NotFinished: it is unfinished, failed, outdated, damaged or a copy.
        OSError: a file cannot be read.
    """
    if not is_plain(folder.run_id):
        raise NotFinished("with control characters in its name, which no run has")
    try:
        folder.check_plain()
        status = read_status(folder.status)
    except FileNotFoundError:
        raise NotFinished("without a readable status.json") from None
    except DamagedFile as error:
        if error.path == folder.status:
            raise NotFinished(f"without a readable status.json: it {error.reason}") from error
        raise _damaged(error) from error
    state = status.get("state")
    if state == "failed":
        failure = status.get("error") or {}
        said = printable(f"{failure.get('type')}: {failure.get('message')}", keep="\n")
        raise NotFinished(f"failed: {said}")
    if state != "done":
        raise NotFinished("unfinished" if state == "running" else "without a readable status.json")
    if status.get("schema") != SCHEMA:
        raise NotFinished(f"of schema {status.get('schema')!r:.60} instead of {SCHEMA}")
    try:
        folder.check_done(status, NUMBERS)
        metrics = folder.read_metrics(status)
        labels, settings, collapsed = _described(metrics)
        if labels.get("run_id", folder.run_id) != folder.run_id:
            raise DamagedFile(folder.metrics, "belongs to another run")
        numbers = _numbers(metrics)
    except DamagedFile as error:
        raise _damaged(error) from error
    except (FileNotFoundError, ValueError) as error:
        message = f"with a damaged metrics.json: {type(error).__name__}: {error}"
        raise NotFinished(message) from error
    experiments = tuple(status.get("experiments", ()))
    return Finished(folder.run_id, labels, numbers, settings, collapsed, experiments, status)


def finished_metrics(folder: RunFolder, identity: Identity) -> dict[str, Any] | None:
    """The final numbers of a run, if the folder holds it, whole and finished.

    Raises:
        OSError: a file is there and cannot be read.
    """
    try:
        if not folder.path.is_dir():
            return None
        folder.check_plain()
        status = read_status(folder.status)
        if status.get("state") != "done" or status.get("schema") != SCHEMA:
            return None
        return _metrics_of(folder, status, identity)
    except (FileNotFoundError, DamagedFile):
        return None


def check_resumable(folder: RunFolder, identity: Identity) -> None:
    """Look for damage that would spoil resuming from the checkpoint, or starting beside it.

    Raises:
        DamagedRun: what is there was not left by an interrupted or failed attempt of this run.
        OSError: a file cannot be read, which is not damage.
    """
    try:
        folder.check_plain()
        if not any(file.exists() for file in (folder.checkpoint, folder.metrics, folder.status)):
            return
        status = read_status(folder.status)
        if status.get("schema") != SCHEMA:
            raise DamagedRun(f"it has schema {status.get('schema')!r:.60} instead of {SCHEMA}")
        if status.get("state") == "done":
            _metrics_of(folder, status, identity)
        _check_same(folder, status, identity)
        if folder.checkpoint.exists():
            check_sealed(folder.checkpoint)
    except FileNotFoundError as error:
        raise DamagedRun(f"{os.path.basename(error.filename or '')} is missing") from error
    except DamagedFile as error:
        raise DamagedRun(str(error)) from error


def _metrics_of(folder: RunFolder, status: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """The numbers of a run that is said to be finished.

    Raises:
        DamagedFile: it is not, or is another one.
    """
    folder.check_done(status)
    _check_same(folder, status, identity)
    metrics = folder.read_metrics(status)
    if not isinstance(metrics.get("dice_image"), int | float):
        raise DamagedFile(folder.metrics, "is damaged: it has no dice_image")
    run = metrics.get("run")
    if isinstance(run, dict) and run.get("run_id", folder.run_id) != folder.run_id:
        raise DamagedFile(folder.metrics, "belongs to another run")
    settings = metrics.get("settings")
    if settings is not None and settings != _as_json(identity.settings):
        raise DamagedFile(folder.metrics, "belongs to other settings")
    return metrics


def _check_same(folder: RunFolder, status: Mapping[str, Any], identity: Identity) -> None:
    folder.check_name(status)
    if status.get("fingerprint", identity.fingerprint) != identity.fingerprint:
        raise DamagedFile(folder.status, "belongs to other data")


def _as_json(settings: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(without_nan(settings)))


def _damaged(error: DamagedFile) -> NotFinished:
    """What a list says of a folder; its kind stands before the colon."""
    name = "file" if error.path.name not in _NAMES else error.path.name
    if error.reason.startswith("is a copy"):
        return NotFinished(f"copied: {error}")
    return NotFinished(f"with a damaged {name}: {error}")


_NAMES = {"status.json", *NUMBERS}


def _described(metrics: Any) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Take what is not a number out of a metrics.json: labels, settings and the collapse.

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
