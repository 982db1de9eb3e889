"""What distinguishes runs on different data: the data's folder and fingerprint."""

from collections.abc import Mapping
from typing import Any

DIGITS = 8  # of a fingerprint that are shown
_LEAST = 4  # digits that select


def data_label(folder: str | None, fingerprint: str | None) -> str:
    """The folder's name and the first digits of the fingerprint, as far as they are known.

    Example:
        >>> data_label("clinic", "1f2e3d4c5b6a")
        'clinic 1f2e3d4c'
    """
    return " ".join(filter(None, [folder, (fingerprint or "")[:DIGITS]]))


def data_of(status: Mapping[str, Any]) -> dict[str, str | None]:
    """``fingerprint`` and ``data_folder`` of a status.json; None where it does not tell."""
    found = {name: status.get(name) for name in ("fingerprint", "data_folder")}
    return {name: value if isinstance(value, str) else None for name, value in found.items()}


def is_data(wanted: str, folder: str | None, fingerprint: str | None) -> bool:
    """Whether data are meant by a folder's name, four digits or more of a fingerprint, or both.

    Example:
        >>> is_data("1f2e", "clinic", "1f2e3d4c"), is_data("1f", "clinic", "1f2e3d4c")
        (True, False)
    """
    if wanted in (folder, data_label(folder, fingerprint)):
        return True
    return len(wanted) >= _LEAST and (fingerprint or "").startswith(wanted.lower())
