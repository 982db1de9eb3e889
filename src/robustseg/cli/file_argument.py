"""An argument that names a file to write."""

import argparse
from collections.abc import Callable
from pathlib import Path


def file_ending(ending: str) -> Callable[[str], Path]:
    """The type of an argument: a file in the one format that its ending says.

    Example:
        >>> file_ending(".png")("sheets/noise.png").name
        'noise.png'
    """

    def path(text: str) -> Path:
        if Path(text).suffix != ending:
            raise argparse.ArgumentTypeError(f"{text}: name a file that ends in {ending}")
        return Path(text)

    return path
