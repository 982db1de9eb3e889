"""`robustseg init`: a folder with which to begin."""

import argparse
import shlex
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from robustseg.errors import ConfigError

_IMAGES = 40
_SIZE = 96


def add_parser(subparsers: Any) -> None:
    """Add the command ``init``."""
    parser = subparsers.add_parser(
        "init",
        help="a project of your own: data, a loss, an experiment, ready to run",
        description="Write a new folder with synthetic images and masks, the settings of a data "
        "set, a loss of your own and an experiment; its README.md lists the first "
        "commands.",
        epilog="robustseg init lesions && cd lesions && robustseg train +experiment=first",
    )
    parser.add_argument("folder", type=Path, metavar="PROJECT", help="folder to create")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Write the project; an existing folder must be empty."""
    folder: Path = options.folder
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: name a new folder")
    _write(resources.files("robustseg.cli") / "project", folder)
    _draw(folder / "data")
    place = shlex.quote(str(folder))
    print(f"{folder} is ready. Next:\n  cd {place}\n  robustseg train +experiment=first")
    return 0


def _write(source: Traversable, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        name = entry.name.removesuffix(".template")
        if entry.is_dir():
            _write(entry, folder / name)
        else:
            path = folder / (".gitignore" if name == "gitignore" else name)
            path.write_text(entry.read_text(encoding="utf-8"), encoding="utf-8")


def _draw(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    from robustseg.data.synthetic.dermoscopy import draw

    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for index in range(_IMAGES):
        image, mask = draw(np.random.default_rng(index), _SIZE)
        name = f"{index:03}.png"
        Image.fromarray(image).save(folder / "images" / name)
        Image.fromarray(255 * mask.astype(np.uint8)).save(folder / "masks" / name)
