"""Outputs whose reader has seen enough, or whose encoding is poor."""

import os
import sys
from typing import Any


def close_quietly() -> None:
    """Send nowhere what is still to be printed: the reader, such as head, is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_anything(*streams: Any) -> None:
    r"""Let streams write what their encoding does not know as escapes: ``\u03bd`` for ν.

    Args:
        *streams: text streams; none: standard output and error. One that a program has replaced by
            something else stays as it is.
    """
    for stream in streams or (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
