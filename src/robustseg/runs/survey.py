"""What state every run of a folder is in, read from small files only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustseg.errors import DataError
from robustseg.runs.config import read_config
from robustseg.runs.contents import read_status
from robustseg.runs.data_label import data_label, data_of
from robustseg.runs.files import DamagedFile
from robustseg.runs.flat import flat
from robustseg.runs.folder import NUMBERS, RunFolder, run_folders
from robustseg.runs.identity import SCHEMA, relevant
from robustseg.runs.labels import check_labels
from robustseg.runs.lock import holder
from robustseg.terminal.printable import is_plain, printable

STATES = ("done", "running", "interrupted", "failed", "damaged", "outdated", "unreadable")


@dataclass(frozen=True)
class RunState:
    """One run at the moment of looking.

    Attributes:
        run_id: the run's id.
        state: done; running (a live process holds its lock); interrupted (none does); failed;
            damaged (its files contradict each other); outdated (of an older schema); unreadable
            (the system refuses a file). All but the first two and the last are tried again when
            they are asked for.
        labels: data set, loss, noise, seed, …; empty where the status does not tell.
        experiments: to which it belongs.
        reason: why it is failed, damaged, outdated or unreadable, in one line.
        epoch: epochs recorded; epochs: how many there will be; seconds_left: at the pace so far.
            Of running and interrupted runs.
        collapsed: "background" or "foreground" where a finished network predicts only that.
        where: host and process of a running one.
        fingerprint: of its data; data_folder: the name of their folder. None where unknown.
        settings: that can change the result, by their dotted names; empty where unknown.
    """

    run_id: str
    state: str
    labels: Mapping[str, Any] = field(default_factory=dict)
    experiments: tuple[str, ...] = ()
    reason: str = ""
    epoch: int | None = None
    epochs: int | None = None
    seconds_left: float | None = None
    collapsed: str | None = None
    where: str = ""
    fingerprint: str | None = None
    data_folder: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def data(self) -> str:
        """Its data, by the folder's name and the first digits of the fingerprint."""
        return data_label(self.data_folder, self.fingerprint)

    @property
    def is_copy(self) -> bool:
        """Whether its folder is a copy of a run under another name."""
        return self.state == "damaged" and self.reason.startswith(f"{self.run_id} is a copy: ")


def survey(runs: Path) -> list[RunState]:
    """The state of every run of a folder, by id; hidden folders are passed over.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    return [look(folder, closely=True) for folder in run_folders(runs)]


def look(folder: RunFolder, *, closely: bool = False, held: bool = False) -> RunState:
    """The state of one run.

    Args:
        folder: of the run.
        closely: whether with its settings.
        held: whether this process holds its lock, so that nobody trains it.
    """
    if not is_plain(folder.run_id):
        reason = "the folder's name has control characters, which no run's has"
        return RunState(printable(folder.run_id), "damaged", reason=reason)
    status: dict[str, Any] = {}
    metrics: Mapping[str, Any] = {}
    try:
        try:
            folder.check_plain()
            status = _status(folder)
            state, reason, metrics = _judge(folder, status, held)
        except DamagedFile as error:
            of_status = error.path == folder.status
            if of_status and not held and holder(folder.lock) is not None:
                state, reason = "running", ""
            elif of_status and _only_begun(folder):
                state, reason = "interrupted", ""
            else:
                state, reason = "damaged", str(error)
    except OSError as error:
        name = Path(error.filename or folder.path).name
        state, reason = "unreadable", f"{name} cannot be read ({error.strerror or error})"
    common: dict[str, Any] = {
        "labels": _labels(status),
        "experiments": tuple(status.get("experiments", ())),
        "reason": printable(reason),
        "collapsed": status.get("collapsed"),
        "settings": _settings(folder, state, metrics) if closely else {},
        **data_of(status),
    }
    if state not in ("running", "interrupted"):
        return RunState(folder.run_id, state, **common)
    owner = None if held else holder(folder.lock)
    where = f"{owner['host']}, process {owner['pid']}" if owner else ""
    return RunState(folder.run_id, state, **common, where=where, **_progress(folder, status))


def _status(folder: RunFolder) -> dict[str, Any]:
    try:
        return read_status(folder.status)
    except FileNotFoundError as error:
        raise DamagedFile(folder.status, "is missing") from error


def _only_begun(folder: RunFolder) -> bool:
    """Whether there is only what comes before the status."""
    names = {file.name for file in folder.path.iterdir() if not file.name.startswith(".")}
    return bool(names) and names <= {folder.lock.name, folder.config.name}


def _judge(
    folder: RunFolder, status: Mapping[str, Any], held: bool
) -> tuple[str, str, Mapping[str, Any]]:
    """State and reason of a run, and the metrics of one that is done.

    Raises:
        DamagedFile: it is damaged, or a copy.
        OSError: a file cannot be read.
    """
    state = status.get("state")
    if state not in ("done", "failed", "running"):
        raise DamagedFile(folder.status, f"is damaged: its state is {str(state)[:60]!r}")
    if status.get("schema") != SCHEMA:
        return "outdated", f"of schema {str(status.get('schema'))[:60]} instead of {SCHEMA}", {}
    folder.check_name(status)
    if state == "done":
        folder.check_done(status, NUMBERS)
        try:
            return "done", "", folder.read_metrics(status)
        except FileNotFoundError:
            raise DamagedFile(folder.metrics, "is missing") from None
    if state == "failed":
        error = status.get("error") or {}
        lines = str(error.get("message", "")).splitlines() or [""]
        return "failed", f"{error.get('type')}: {lines[0]}", {}
    return ("running" if not held and holder(folder.lock) else "interrupted"), "", {}


def _labels(status: Mapping[str, Any]) -> dict[str, Any]:
    run = status.get("run", {})
    try:
        check_labels(run)
    except ValueError:  # it does not tell them
        return {}
    return dict(run)


def _settings(folder: RunFolder, state: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change the result; empty where neither file has them, or is damaged."""
    if state == "done":
        found = metrics.get("settings")
        return flat(found) if isinstance(found, Mapping) else {}
    try:
        return flat(relevant(read_config(folder.config)))
    except (OSError, DamagedFile, DataError):
        return {}
    except (LookupError, TypeError, ValueError, AttributeError):  # of another version
        return {}


def _progress(folder: RunFolder, status: Mapping[str, Any]) -> dict[str, Any]:
    epochs = status.get("epochs")
    try:
        rows = folder.read_rows(folder.epochs)
        epoch, seconds = len(rows), [row["seconds"] for row in rows]
        left = (epochs - epoch) * sum(seconds) / epoch if epochs and epoch else None
    except (OSError, ValueError, KeyError, TypeError):  # there is none yet, or it is damaged
        return {"epoch": 0, "epochs": epochs}
    return {"epoch": epoch, "epochs": epochs, "seconds_left": left}
