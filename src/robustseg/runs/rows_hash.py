"""A checksum of rows that does not depend on whether they were just made or read back."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from robustseg.runs.files import cell


class RowsHash:
    """SHA-256 of a growing list of rows; each is hashed once.

    What `write_csv` leaves empty does not count, nor does the order of the columns: they may
    become more with later rows.

    Example:
        >>> RowsHash().of([{"a": 1, "b": None}]) == RowsHash().of([{"a": 1}])
        True
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._count = 0

    def of(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """The checksum, hex, of all rows, which begin with those of the last call."""
        for row in rows[self._count :]:
            cells = ((name, str(cell(row[name]))) for name in sorted(row))
            self._digest.update(repr([pair for pair in cells if pair[1]]).encode())
        self._count = len(rows)
        return self._digest.hexdigest()
