"""The folder that holds one run."""

import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustseg.errors import DamagedRun
from robustseg.runs.contents import read_metrics, read_status
from robustseg.runs.files import write_json
from robustseg.runs.identity import SCHEMA

ASIDE = r"\.(.+)\.\d{8}T\d{6}(?:\.\d+)?"  # names that `RunFolder.set_aside` gives; group 1: run id


def now() -> str:
    """The time as it is written into a status."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


@dataclass(frozen=True)
class RunFolder:
    """Paths and state of one run; the files are described in the README's "A run"."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id, which names its folder."""
        return self.path.name

    @property
    def dashboard_id(self) -> str:
        """The run's id in dashboards: its own and, once it has restarted, the time of that.

        A dashboard's id stands for one course of training: that of a run that was set aside is
        not used again.
        """
        return str(self.read_status().get("dashboard_id") or self.run_id)

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def status(self) -> Path:
        """State, attempts, versions, machine, error."""
        return self.path / "status.json"

    @property
    def epochs(self) -> Path:
        """One row an epoch."""
        return self.path / "epochs.csv"

    @property
    def thresholds(self) -> Path:
        """One row a threshold for each evaluation."""
        return self.path / "thresholds.csv"

    @property
    def images(self) -> Path:
        """One row a test image for each of the last evaluations."""
        return self.path / "images.csv"

    @property
    def examples(self) -> Path:
        """A few images with their masks and predictions."""
        return self.path / "examples.npz"

    @property
    def manifest(self) -> Path:
        """What the noise did to each training mask."""
        return self.path / "noise.csv"

    @property
    def split(self) -> Path:
        """Which images were trained and tested on."""
        return self.path / "split.csv"

    @property
    def metrics(self) -> Path:
        """The final numbers; written last."""
        return self.path / "metrics.json"

    @property
    def checkpoint(self) -> Path:
        """State of an unfinished training at the end of an epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def weights(self) -> Path:
        """Weights of a finished run."""
        return self.path / "checkpoints" / "weights.pt"

    @property
    def lock(self) -> Path:
        """Held while a process trains the run."""
        return self.path / "lock"

    def read_status(self) -> dict[str, Any]:
        """The status; empty if there is none or it is damaged.

        Raises:
            OSError: it is there and cannot be read.
        """
        try:
            return read_status(self.status)
        except (FileNotFoundError, ValueError):
            return {}

    def update_status(self, **changes: Any) -> None:
        """Change some entries of the status."""
        write_json(self.status, {**self.read_status(), **changes})

    def mark_failed(self, kind: str, message: str, trace: str = "") -> None:
        """Note why the run failed; the next call tries it again."""
        error = {"type": kind, "message": message, "traceback": trace}
        self.update_status(state="failed", finished=now(), error=error)

    def read_metrics(self, status: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The final numbers of a finished run; None if it is not finished.

        Args:
            status: as `read_status` gives it, to spare a second reading.

        Raises:
            OSError: they are there and cannot be read.
        """
        status = self.read_status() if status is None else status
        if status.get("state") != "done" or status.get("schema") != SCHEMA:
            return None
        try:
            return read_metrics(self.metrics)
        except (FileNotFoundError, ValueError):
            return None

    def check(self) -> None:
        """Look for damage that would spoil going on from the checkpoint or starting beside it.

        Raises:
            DamagedRun: what is there was not left by an interrupted or failed attempt.
            OSError: a file cannot be read, which is no damage.
        """
        if not any(file.exists() for file in (self.checkpoint, self.metrics, self.status)):
            return
        status = self.read_status()
        if not status:
            raise DamagedRun("status.json is missing or damaged")
        if status.get("schema") != SCHEMA:
            raise DamagedRun(f"it is of schema {status.get('schema')} instead of {SCHEMA}")
        if status.get("state") == "done" and self.read_metrics(status) is None:
            raise DamagedRun("it is said to be done, but metrics.json is missing or damaged")
        if self.checkpoint.exists():
            _check_archive(self.checkpoint)

    def clear_temporary(self) -> None:
        """Delete files that a killed process was writing."""
        for file in [*self.path.glob(".*.tmp"), *self.checkpoint.parent.glob(".*.tmp")]:
            file.unlink()

    def set_aside(self) -> Path:
        """Move the files, but for the lock, to a hidden folder; the run can then start anew."""
        name = f".{self.run_id}.{time.strftime('%Y%m%dT%H%M%S')}"
        number, aside = 1, self.path.with_name(name)
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{name}.{number}")
        aside.mkdir()
        # The status goes first: what a kill leaves without one is not trusted.
        for file in sorted(self.path.iterdir(), key=lambda file: file != self.status):
            if file != self.lock:
                file.rename(aside / file.name)
        return aside


def _check_archive(checkpoint: Path) -> None:
    """A checkpoint is a zip file, whose checksums can be verified without loading it."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        raise DamagedRun(f"the checkpoint {checkpoint.name} cannot be read: {error}") from error
    if damaged:
        raise DamagedRun(f"the checkpoint {checkpoint.name} is damaged in {damaged}")
