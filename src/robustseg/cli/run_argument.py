"""A finished run named on the command line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from robustseg.errors import ConfigError

if TYPE_CHECKING:
    from robustseg.finished.load import FinishedRun


def add_run(parser: argparse.ArgumentParser, device: bool = True) -> None:
    """Add RUN and the options of loading it; without `device` it is loaded on the CPU."""
    parser.add_argument(
        "run", type=_folder_for(parser.prog), metavar="RUN", help="folder of a finished run"
    )
    if device:
        parser.add_argument(
            "--device",
            choices=("auto", "cpu", "cuda"),
            default="auto",
            help="auto: a CUDA device if there is one (default)",
        )
    else:
        parser.set_defaults(device="cpu")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let the run's config.yaml build any class, which can run any code: only for "
        "your own runs, and those of people you trust",
    )


def _folder_for(command: str) -> Callable[[str], Path]:
    """The folder of a run, for argparse, which would take an override for it."""

    def folder(text: str) -> Path:
        if "=" in text and not Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"RUN is missing: write {command} runs/RUN {text}")
        return Path(text)

    return folder


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return int(text)


def share(text: str) -> float:
    """A number in [0, 1), for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1)")
    return value


def begin(options: argparse.Namespace) -> None:
    """Say what takes the first seconds, before it is imported."""
    if "torch" not in sys.modules:
        print(f"{options.prog}: loading PyTorch", file=sys.stderr, flush=True)


def loaded(options: argparse.Namespace) -> "FinishedRun":
    """The run.

    Raises:
        DataError: it cannot be loaded, or asks for more than a run folder may.
    """
    from robustseg.configuration.own_conf import import_from_here
    from robustseg.finished.load import load_run

    if options.trust:
        import_from_here()
    return load_run(options.run, device=options.device, trust=options.trust)


def threshold_of(options: argparse.Namespace, run: "FinishedRun") -> float:
    """The threshold that is asked for, else 0.5.

    Raises:
        ConfigError: the run predicts several classes, which have none.
    """
    if options.threshold is None:
        return 0.5
    if run.classes:
        raise ConfigError(
            f"--threshold: {run.folder.run_id} predicts {len(run.classes)} classes, of which the "
            "most probable is taken; leave it out"
        )
    return float(options.threshold)
