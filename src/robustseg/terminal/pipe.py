"""An output whose reader has seen enough."""

import os
import sys


def close_quietly() -> None:
    """Send nowhere what is still to be printed: the reader, such as head, is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
