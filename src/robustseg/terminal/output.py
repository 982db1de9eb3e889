"""Outputs whose reader has seen enough, or whose encoding is poor."""

import logging
import os
import sys
from typing import Any


def close_quietly() -> None:
    """Send nowhere what is still to be printed: the reader, such as head, is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str = "") -> None:
    """Print a line at once; once nobody reads the output, print nothing and do not fail."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        close_quietly()


class ConsoleHandler(logging.StreamHandler[Any]):
    """Logs to standard output, as long as somebody reads it."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Continue silently once the reader is gone; report any other error as logging does."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            close_quietly()
        else:
            super().handleError(record)


def print_anything(*streams: Any) -> None:
    r"""Let streams write what their encoding does not know as escapes: ``\u03bd`` for ν.

    Args:
        *streams: text streams; none: standard output and error. One that a program has replaced by
            something else stays as it is.
    """
    for stream in streams or (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
