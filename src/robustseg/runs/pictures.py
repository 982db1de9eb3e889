"""The examples.npz of a run folder, read as data."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from robustseg.runs.files import DamagedFile
from robustseg.runs.folder import RunFolder
from robustseg.terminal.printable import is_plain

if TYPE_CHECKING:
    import numpy as np

_LIMIT = 1 << 28  # bytes once unpacked; a run keeps two million, packed
_KINDS = {
    "id": "U",
    "role": "U",
    "dice": "f",
    "classes": "U",
    **dict.fromkeys(("image", "clean", "noisy", "predicted"), "u"),
}


def read_examples(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a run's examples.npz, one entry an image; of label maps also `classes`.

    Args:
        path: of the file in its run folder, whose status may have its checksum.

    Raises:
        OSError: it is not there, or cannot be read.
        DamagedFile: it holds something else, or what it unpacks to is too large.
    """
    import numpy as np

    data = RunFolder(path.parent).read(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LIMIT:
                raise ValueError("it unpacks to more than a run keeps")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in _KINDS}
        _check(arrays)
    except Exception as error:  # a damaged archive raises nearly anything
        raise DamagedFile(path, f"is damaged: {error}") from error
    return arrays


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays of other kinds or lengths.

    Raises:
        ValueError: naming the array.
    """
    for name, array in arrays.items():
        dimensions = {"image": 4, "id": 1, "role": 1, "dice": 1, "classes": 1}.get(name, 3)
        if array.dtype.kind != _KINDS[name] or array.ndim != dimensions:
            raise ValueError(f"{name} is of the type {array.dtype} and {array.ndim} dimensions")
        if len(array) != len(arrays["role"]) and name != "classes":
            raise ValueError(f"{name} has {len(array)} entries")
    if not all(is_plain(name) for name in arrays.get("classes", ())):
        raise ValueError("classes has control characters")
