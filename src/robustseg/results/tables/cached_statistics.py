"""What takes long to compute is computed once, and kept on disk."""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustseg.runs.files import read_json, write_json

_log = logging.getLogger(__name__)

Numbers = list[list[float]]


def cached(question: Any, shape: tuple[int, int], compute: Callable[[], Numbers]) -> Numbers:
    """Return the answer that was kept for a question; else compute and keep it.

    Answers lie in ``statistics/`` of the cache (``ROBUSTSEG_CACHE``, or ``~/.cache/robustseg``).
    One that is damaged is computed again; where nothing can be written, a warning says so.

    Args:
        question: all that the answer depends on, as JSON knows it.
        shape: rows and columns of the answer.
        compute: finds it.
    """
    digest = hashlib.sha256(json.dumps(question).encode()).hexdigest()
    path = _folder() / f"{digest[:32]}.json"
    kept = _read(path)
    if _sound(kept, shape):
        return kept
    answer = compute()
    try:
        write_json(path, answer)
    except OSError as error:
        _log.warning("statistics are not kept for the next time: %s", error)
    return answer


def _folder() -> Path:
    cache = os.environ.get("ROBUSTSEG_CACHE") or Path.home() / ".cache" / "robustseg"
    return Path(cache) / "statistics"


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError):  # there is none, or it is damaged
        return None


def _sound(answer: Any, shape: tuple[int, int]) -> bool:
    rows, columns = shape
    return (
        isinstance(answer, list)
        and len(answer) == rows
        and all(isinstance(row, list) and len(row) == columns for row in answer)
        and all(isinstance(number, int | float) for row in answer for number in row)
    )
