"""The settings that a command takes as training does: NAME=VALUE, and a folder of one's own."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from robustseg.configuration.own_conf import add_own_folder
from robustseg.errors import ConfigError


def add_overrides(parser: argparse.ArgumentParser, text: str = "as for robustseg train") -> None:
    """Add the overrides and ``--config-dir``.

    Args:
        parser: of the command.
        text: help on the overrides.
    """
    # A default, or argparse calls them required.
    parser.add_argument("overrides", nargs="*", default=[], metavar="NAME=VALUE", help=text)
    add_config_dir(parser)


def add_config_dir(parser: argparse.ArgumentParser) -> None:
    """Add ``--config-dir``."""
    parser.add_argument(
        "--config-dir",
        "-cd",  # as Hydra has it
        metavar="DIR",
        action=_OwnFolder,
        default=argparse.SUPPRESS,
        help="folder of your own settings, such as DIR/loss/mine.yaml (default: conf)",
    )


def check_only(overrides: Iterable[str], known: Sequence[str], command: str) -> None:
    """Refuse overrides that a command would not heed.

    Args:
        overrides: of the command line.
        known: names of settings; a group also stands for all of its settings.
        command: for the message.

    Raises:
        ConfigError: an override is none of them.
    """
    for override in overrides:
        name = override.partition("=")[0].lstrip("+~")
        if not any(name == one or name.startswith(f"{one}.") for one in known):
            raise ConfigError(f"{override}: {command} takes only {' and '.join(known)}")


class _OwnFolder(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, folder: Any, option: str | None = None) -> None:
        add_own_folder(folder)
