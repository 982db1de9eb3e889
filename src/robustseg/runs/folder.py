"""The folder that holds one run."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustseg.runs.files import read_json, write_json
from robustseg.runs.identity import SCHEMA


@dataclass(frozen=True)
class RunFolder:
    """Paths and state of one run; the files are described in the README's "A run"."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id, which names its folder."""
        return self.path.name

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
        """The status; empty if there is none or it is damaged."""
        try:
            status = read_json(self.status)
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) else {}

    def update_status(self, **changes: Any) -> None:
        """Change some entries of the status."""
        write_json(self.status, {**self.read_status(), **changes})

    def read_metrics(self) -> dict[str, Any] | None:
        """The final numbers of a finished run; None if it is not finished."""
        status = self.read_status()
        if status.get("state") != "done" or status.get("schema") != SCHEMA:
            return None
        try:
            metrics = read_json(self.metrics)
        except (OSError, ValueError):
            return None
        return metrics if isinstance(metrics, dict) else None

    def set_aside(self) -> Path:
        """Rename the folder, so that the run can start anew and nothing is lost."""
        aside = self.path.with_name(f".{self.run_id}.{time.strftime('%Y%m%dT%H%M%S')}")
        number = 1
        while aside.exists():
            number += 1
            aside = aside.with_name(f"{aside.name}.{number}")
        self.path.rename(aside)
        return aside
