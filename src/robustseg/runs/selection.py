"""Which runs a command is about: options common to `status` and `runs`."""

import argparse
from collections.abc import Sequence

from robustseg.errors import ConfigError
from robustseg.runs.data_label import is_data
from robustseg.runs.survey import STATES, RunState


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --experiment, --state and --where."""
    parser.add_argument("--experiment", help="only runs of this experiment")
    parser.add_argument(
        "--state", nargs="+", choices=STATES, default=[], help="only runs in these states"
    )
    parser.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="KEY=VALUE[,VALUE]",
        help="only runs with this label: loss=gce,mae alpha=0.3 seed=0; or on these data, by the "
        "name of their folder or first digits of their fingerprint: data=1f2e",
    )


def select(runs: Sequence[RunState], options: argparse.Namespace) -> list[RunState]:
    """The runs that the options ask for.

    Raises:
        ConfigError: a filter is not KEY=VALUE.
    """
    chosen = [
        run
        for run in runs
        if (not options.state or run.state in options.state)
        and (not options.experiment or options.experiment in run.experiments)
    ]
    for text in options.where:
        name, equals, values = text.partition("=")
        if not equals:
            raise ConfigError(f"--where takes KEY=VALUE, got {text!r}")
        chosen = [run for run in chosen if _has(run, name, values.split(","))]
    return chosen


def _has(run: RunState, name: str, values: Sequence[str]) -> bool:
    if name == "data":
        return any(is_data(value, run.data_folder, run.fingerprint) for value in values)
    return _spelling(run.labels.get(name)) in map(_spelling, values)


def _spelling(value: object) -> str:
    """Numbers in one spelling: 1, 1.0 and 1e0 are one value."""
    try:
        return repr(float(str(value)))
    except ValueError:
        return str(value)
