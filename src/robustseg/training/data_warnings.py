"""What a run warns of in its data, for the summary of a sweep whose runs log to files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.texts[record.getMessage()] = None


@contextmanager
def data_warnings() -> Iterator[list[str]]:
    """A list that has, at the end, each warning of `robustseg.data.prepare` once."""
    found: list[str] = []
    kept, log = _Kept(), logging.getLogger("robustseg.data.prepare")
    log.addHandler(kept)
    try:
        yield found
    finally:
        log.removeHandler(kept)
        found += kept.texts
