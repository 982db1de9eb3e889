"""Options that choose runs: --dataset, --loss, --seeds, --where; --experiment and --state."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_sources import (
    chosen_sources,
    experiments_of,
    not_trained,
    tell_of_records,
)
from robustseg.errors import ConfigError, NoRuns
from robustseg.results.sources import RUNS, Sources, default_sources
from robustseg.runs.filter_values import alternatives
from robustseg.runs.selection import select
from robustseg.runs.survey import STATES

if TYPE_CHECKING:
    import pandas as pd

    from robustseg.runs.survey import RunState

_NAMES = ("dataset", "subset", "model", "loss", "domain", "regularizer", "noise")  # labels


def add_filters(parser: argparse.ArgumentParser, ordered: bool = True) -> None:
    """Add the options that choose runs by their labels and settings.

    Args:
        parser: of the command.
        ordered: whether it shows losses in the order in which they are named.
    """
    for name, words in (
        ("--dataset", "only runs on these data sets"),
        ("--loss", f"only these losses{', in this order' if ordered else ''}"),
        ("--seeds", "only these seeds: 0,1"),
    ):
        parser.add_argument(name, nargs="+", action="extend", default=[], help=words)
    add_where(parser, "alpha=0.3,0.5 optimizer.lr=0.001")


def add_state_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose runs in any state, finished or not."""
    parser.add_argument("--experiment", help="only runs of this experiment")
    parser.add_argument(
        "--state",
        nargs="+",
        choices=STATES,
        default=[],
        metavar="STATE",
        help=f"only runs in these states: {', '.join(STATES)}",
    )
    add_where(parser, "loss=gce,mae alpha=0.3 optimizer.lr=0.001")


def add_where(parser: argparse.ArgumentParser, example: str) -> None:
    """Add --where."""
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE[,VALUE]",
        help=f"only runs with this label or setting: {example}; or data=NAME, the data folder or "
        "the first digits of its fingerprint",
    )


def in_state(runs: Sequence[RunState], options: argparse.Namespace) -> list[RunState]:
    """The runs that the options of `add_state_filters` choose."""
    return select(runs, options.experiment, options.where, options.state)


def selected(options: argparse.Namespace) -> tuple[pd.DataFrame, Sources]:
    """The runs that the options choose, and where they are read from.

    Raises:
        NoRuns: there is none, or nothing is named and there are only records.
        ConfigError: a filter has no meaning.
    """
    from robustseg.results.load import load_runs

    sources = chosen_sources(options)
    check_swallowed(options, sources)
    _check_named(options, sources)
    try:
        runs = load_runs(sources, **filters(options))
    except NoRuns as error:
        if untrained := not_trained(options, sources):
            raise NoRuns(untrained) from error
        if options.runs is None and len(sources.paths) < len(default_sources()):
            raise NoRuns(
                f"{error}. Records are also read if an experiment is named, or with --runs runs "
                "experiments/*/record"
            ) from error
        raise
    tell_of_records(options, sources)
    return runs, sources


def _check_named(options: argparse.Namespace, sources: Sources) -> None:
    """Refuse to show all records together, which nobody asked for.

    Raises:
        NoRuns: naming their experiments.
    """
    own = options.runs is not None or all(path == RUNS for path in sources.paths)
    if not own and not filters(options):
        known = {name for row in sources.rows() for name in row["experiments"]}
        raise NoRuns(f"{RUNS}/ has no runs; name an experiment: {', '.join(sorted(known))}")


def check_swallowed(options: argparse.Namespace, sources: Sources) -> None:
    """Refuse an experiment behind an option that takes several words, and so takes it for its own.

    Raises:
        ConfigError: naming both.
    """
    from robustseg.results.tables.published import experiments_folder

    rows, folder = sources.rows(), experiments_folder()
    known = {name for row in rows for name in row["experiments"]}
    if folder:
        presets = (folder.parent / "conf" / "experiment").glob("*.yaml")
        kept = (path for name in ("record", "results.csv", "published.csv")
                for path in folder.glob(f"*/{name}"))  # fmt: skip
        known |= {*(path.stem for path in presets), *(path.parent.name for path in kept)}
    known -= {row["labels"][name] for row in rows for name in ("loss", "dataset")}
    for name in ("dataset", "loss", "seeds", "where", "metric", "select"):
        given = getattr(options, name, [])
        words = [given] if isinstance(given, str) else given
        for word in words if name == "where" else split(words):
            if word in known:
                raise ConfigError(
                    f"--{name} {word}: {word} is an experiment; name it before --{name}"
                )
            if name == "seeds" and not _is_number(word):
                raise ConfigError(
                    f"--seeds {word}: not a number (name an experiment before --seeds)"
                )


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def filters(options: argparse.Namespace) -> dict[str, list[Any]]:
    """The values that each label or setting may have.

    Raises:
        ConfigError: a filter is not KEY=VALUE, or is given twice.
    """
    from robustseg.results.tables.published import plain_value

    check_once(options)
    chosen: dict[str, list[Any]] = {}
    for text in options.where:
        name, equals, values = text.partition("=")
        if not equals:
            raise ConfigError(f"--where takes KEY=VALUE, got {text!r}")
        # A fingerprint, a folder or a name may look like a number.
        read = str if name in ("data", "source") else _name if name in _NAMES else plain_value
        chosen[name] = [read(value) for value in alternatives(values)]
    experiments = getattr(options, "experiments", [])
    named = {
        "seed": [plain_value(seed) for seed in split(options.seeds)],
        "loss": split(options.loss),
        "experiment": experiments or [options.experiment] * bool(options.experiment),
        "dataset": split(options.dataset),
    }
    return chosen | {name: values for name, values in named.items() if values}


def _name(text: str) -> str | None:
    return None if text in ("", "null") else text


def check_once(options: argparse.Namespace) -> None:
    """Refuse two filters of one label or setting: they contradict or repeat each other.

    Raises:
        ConfigError: naming it.
    """
    others = {
        "seed": ("--seeds", getattr(options, "seeds", [])),
        "loss": ("--loss", getattr(options, "loss", [])),
        "experiment": ("the name of an experiment", experiments_of(options)),
        "dataset": ("--dataset", getattr(options, "dataset", [])),
    }
    seen: dict[str, str] = {}
    for name, _, values in (text.partition("=") for text in options.where):
        if name in seen:
            raise ConfigError(
                f"--where has {name} twice; write several values as one filter: "
                f"{name}={seen[name]},{values}"
            )
        option, given = others.get(name, ("", []))
        if given:
            raise ConfigError(f"{name} is chosen by {option} and by --where {name}: leave one out")
        seen[name] = values


def split(words: Sequence[str]) -> list[str]:
    """Separate words that were joined by commas, as they are in Hydra's sweeps."""
    return [part for word in words for part in word.split(",")]
