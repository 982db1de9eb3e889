"""The folder that holds one run."""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robustseg.runs.contents import CHECKSUM, checksum, read_metrics, read_status
from robustseg.runs.files import (
    FILE_LIMIT,
    DamagedFile,
    parse_csv,
    read_bytes,
    without_nan,
    write_json,
)
from robustseg.runs.identity import SCHEMA
from robustseg.terminal.printable import printable

# Files of a run from which its numbers come; the others are pictures, weights and masks.
NUMBERS = ("config.yaml", "epochs.csv", "thresholds.csv", "images.csv", "metrics.json")
# Files that any finished run has, also one of a version that noted none.
_ALWAYS = ("config.yaml", "epochs.csv", "images.csv", "metrics.json", "checkpoints/weights.pt")
ASIDE = r"\.(.+)\.\d{8}T\d{6}(?:\.\d+)?"  # names that `RunFolder.set_aside` gives; group 1: run id


def now() -> str:
    """The time as it is written into a status."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


@dataclass(frozen=True)
class RunFolder:
    """Paths and state of one run; the files are described in docs/runs.md.

    Attributes:
        path: of the folder.
        found: the status of a finished run as it was found, so that files that are read later are
            of the same training; None: as it is when they are read.
    """

    path: Path
    found: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

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
        """One row per epoch."""
        return self.path / "epochs.csv"

    @property
    def thresholds(self) -> Path:
        """One row per threshold for each evaluation."""
        return self.path / "thresholds.csv"

    @property
    def images(self) -> Path:
        """One row per test image for each of the last evaluations."""
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
        except (FileNotFoundError, DamagedFile):
            return {}

    def update_status(self, **changes: Any) -> None:
        """Change some entries of the status."""
        status = without_nan({**self.read_status(), **changes})
        write_json(self.status, {**status, CHECKSUM: checksum(status)})

    def mark_failed(self, kind: str, message: str, trace: str = "") -> None:
        """Note why the run failed; the next call tries it again."""
        texts = {"message": message, "traceback": trace}
        error = {"type": kind, **{key: printable(text, keep="\n\t") for key, text in texts.items()}}
        self.update_status(state="failed", finished=now(), error=error)

    def read(self, path: Path, status: Mapping[str, Any] | None = None) -> bytes:
        """The content of one of the run's files, checked against its status.

        Args:
            path: of the file.
            status: as `read_status` gives it, to spare a second reading.

        Raises:
            OSError: it is not there, or cannot be read.
            DamagedFile: it is a link or lies behind one, is not a regular file, or a finished run
                has noted another content.
        """
        for place in {self.path, path.parent}:
            if place.is_symlink():
                raise DamagedFile(place, "is a link, which is not followed")
        data = read_bytes(path, FILE_LIMIT)
        files = noted(self._sound_status() if status is None else status)
        if files is not None:
            note = files.get(path.relative_to(self.path).as_posix())
            if note is None:
                raise DamagedFile(path, "does not belong to this run: status.json does not list it")
            if note["sha256"] != hashlib.sha256(data).hexdigest():
                raise DamagedFile(path, "is damaged: its checksum is not the one in status.json")
        return data

    def has(self, path: Path) -> bool:
        """Whether a file is there, or should be: reading one that the run has noted fails then."""
        files = noted(self._sound_status()) or {}
        return path.exists() or path.relative_to(self.path).as_posix() in files

    def _sound_status(self) -> Mapping[str, Any]:
        if self.found is not None:
            return self.found
        try:
            return read_status(self.status)
        except FileNotFoundError:
            return {}

    def read_rows(self, path: Path) -> list[dict[str, Any]]:
        """The rows of one of the run's CSV files; errors as of `read`.

        Those of epochs.csv, thresholds.csv and images.csv hold numbers, but for ids.
        """
        rows = parse_csv(path, self.read(path))
        if path in (self.epochs, self.thresholds, self.images):
            for number, row in enumerate(rows, start=2):
                for name, value in row.items():
                    if name != "id" and not isinstance(value, int | float):
                        raise DamagedFile(
                            path, f"is damaged: {printable(str(name))[:60]} in line {number}"
                        )
        return rows

    def read_metrics(self, status: Mapping[str, Any]) -> dict[str, Any]:
        """The final numbers of a finished run; errors as of `read`."""
        return read_metrics(self.metrics, self.read(self.metrics, status))

    def check_plain(self) -> None:
        """Refuse a folder with anything but regular files, and folders, in it.

        Raises:
            DamagedFile: naming the link, pipe or device; or `checkpoints`, if it is a file.
            OSError: it cannot be read.
        """
        if self.path.is_symlink():
            raise DamagedFile(self.path, "is a link, which is not followed")
        _check_entries(self.path)
        inner = self.checkpoint.parent
        if os.path.lexists(inner):
            if not inner.is_dir():
                raise DamagedFile(inner, "is a file, not a folder")
            _check_entries(inner)

    def check_done(self, status: Mapping[str, Any], names: Iterable[str] | None = None) -> None:
        """Look for the files of a run that is said to be finished, and at their sizes.

        Args:
            status: of the run.
            names: of the files that have to be there, if the run noted any; None: all that it
                noted, or else that any run has.

        Raises:
            DamagedFile: the run is another one than the folder's name says, or a file is missing
                or of another size.
            OSError: a file cannot be looked at.
        """
        self.check_name(status)
        files = noted(status)
        if files is not None:
            for name in files if names is None else files.keys() & set(names):
                self._check_size(name, files[name]["size"])
        elif names is None:
            for name in _ALWAYS:
                self._check_size(name, None)

    def _check_size(self, name: str, size: int | None) -> None:
        """Look at the size of a file; None: any but 0."""
        try:
            found = os.lstat(f"{self.path}/{name}").st_size
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedFile(self.path / name, "is missing") from None
        if found != size if size is not None else not found:
            expected = "" if size is None else f" instead of {size}"
            raise DamagedFile(self.path / name, f"is damaged: it has {found} bytes{expected}")

    def check_name(self, status: Mapping[str, Any]) -> None:
        """Refuse a copy under another name.

        Raises:
            DamagedFile: naming the run that it is a copy of.
        """
        run = status.get("run")
        known = status.get("run_id") or (run.get("run_id") if isinstance(run, dict) else None)
        if known is not None and known != self.run_id:
            raise DamagedFile(
                self.path, f"is a copy: its files belong to {printable(str(known))[:200]}"
            )

    def files(self) -> dict[str, dict[str, Any]]:
        """Size and SHA-256 of each of the run's files as they are now, for its status."""
        paths = (
            *(self.config, self.epochs, self.thresholds, self.images, self.examples),
            *(self.manifest, self.split, self.metrics, self.weights),
        )
        notes = {}
        for path in paths:
            if path.exists():
                data = read_bytes(path)
                name = path.relative_to(self.path).as_posix()
                notes[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return notes

    def clear_temporary(self) -> None:
        """Delete files that a killed process was writing; not through a link."""
        for folder in (self.path, self.checkpoint.parent):
            if not folder.is_symlink():
                for file in folder.glob(".*.tmp"):
                    file.unlink()

    def set_aside(self) -> Path:
        """Move the files, but for the lock, to a hidden folder; the run can then restart."""
        aside = self._free_name()
        aside.mkdir()
        # The status goes first: what a kill leaves without one is not trusted.
        for file in sorted(self.path.iterdir(), key=lambda file: file != self.status):
            if file != self.lock:
                file.rename(aside / file.name)
        return aside

    def set_link_aside(self) -> Path | None:
        """Rename what is in the folder's place: a link, a file, …; None if nothing is.

        It is done before the lock, which would lie behind the link.
        """
        if not os.path.lexists(self.path) or (self.path.is_dir() and not self.path.is_symlink()):
            return None
        return self.path.rename(self._free_name())

    def _free_name(self) -> Path:
        name = f".{self.run_id}.{time.strftime('%Y%m%dT%H%M%S')}"
        number, aside = 1, self.path.with_name(name)
        while os.path.lexists(aside):
            number += 1
            aside = self.path.with_name(f"{name}.{number}")
        return aside


def noted(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The files that a finished run has noted; None if it is unfinished or of an older version."""
    if status.get("state") != "done" or status.get("schema") != SCHEMA:
        return None
    files = status.get("files")
    return files if isinstance(files, Mapping) else None


def _check_entries(folder: Path) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise DamagedFile(Path(entry.path), "is a link, which is not followed")
            plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            # Of what is gone by now, such as a lock, some file systems no longer know the kind.
            if not plain and os.path.lexists(entry.path):
                raise DamagedFile(Path(entry.path), "is not a regular file")


def run_folders(runs: Path) -> list[RunFolder]:
    """The folders of a folder of runs, by name; hidden ones are passed over.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(runs) as entries:
        names = sorted(one.name for one in entries if one.is_dir() and not one.name.startswith("."))
    return [RunFolder(runs / name) for name in names]
