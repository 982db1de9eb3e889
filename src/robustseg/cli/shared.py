"""Options that several commands share, and what they ask for."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.errors import ConfigError, NoRuns
from robustseg.results.figures.shown import IMAGES
from robustseg.results.sources import DUPLICATES, RUNS, Sources, default_sources, own_runs
from robustseg.runs.filter_values import alternatives
from robustseg.terminal.printable import printable

if TYPE_CHECKING:
    import pandas as pd

    from robustseg.results.tables.query import TableQuestion


def add_runs(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add the experiment, --runs and --duplicates, which `chosen_sources` reads."""
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.set_defaults(resolve_experiment=resolve_experiment)
    add_sources(parser, duplicates)


def add_sources(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add --runs and --duplicates."""
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        action="extend",
        metavar="SOURCE",
        help="folders of runs, and records that `robustseg runs pack` made; where they disagree, "
        "the first is taken (default: runs, and experiments/*/record if an experiment is named or "
        "runs has none)",
    )
    if duplicates:
        parser.add_argument(
            "--duplicates",
            choices=DUPLICATES,
            default="first",
            help="of a run with other numbers in another source: the first source's (default), "
            "or all, distinguished by their source",
        )


def chosen_sources(options: argparse.Namespace) -> Sources:
    """The sources that the options name.

    Without any, those of an experiment may be anywhere. Who names none asks for runs of their own,
    not for all that ever was recorded.
    """
    paths = options.runs
    if paths is None and not _experiments(options):
        paths = own_runs()
    return Sources(paths, getattr(options, "duplicates", "first"))


def _experiments(options: argparse.Namespace) -> Sequence[str]:
    """Those that are named."""
    one = getattr(options, "experiment", None)
    return [one] if one else getattr(options, "experiments", ())


def resolve_experiment(options: argparse.Namespace) -> None:
    """Put an experiment that stands behind --runs into its place: argparse takes it for a source.

    Args:
        options: of `add_sources`, and ``experiment``.
    """
    if not _experiments(options) and options.runs and len(options.runs) > 1:
        last = options.runs[-1]
        if len(last.parts) == 1 and not last.exists():
            options.experiment, options.runs = str(last), options.runs[:-1]


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
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE[,VALUE]",
        help="only runs with this label or setting: alpha=0.3,0.5 optimizer.lr=0.001; or on these "
        "data, by the name of their folder or first digits of their fingerprint: data=1f2e",
    )


def selected(options: argparse.Namespace) -> tuple[pd.DataFrame, Sources]:
    """The runs that the options choose, and where they are read from.

    Raises:
        NoRuns: there is none.
        ConfigError: a filter has no meaning.
    """
    from robustseg.results.load import load_runs

    sources = chosen_sources(options)
    check_swallowed(options, sources)
    try:
        runs = load_runs(sources, **filters(options))
    except NoRuns as error:
        if options.runs is None and len(sources.paths) < len(default_sources()):
            raise NoRuns(
                f"{error}. Records are read, too, if an experiment is named, or with --runs "
                "runs experiments/*/record"
            ) from error
        raise
    tell_of_records(options, sources)
    return runs, sources


def tell_of_records(options: argparse.Namespace, sources: Sources) -> None:
    """Say that records are shown where runs of one's own were asked for, and there are none."""
    asked = options.runs is not None or _experiments(options)
    if not asked and any(path != RUNS for path in sources.paths):
        tell([f"{RUNS}/ has no runs: showing the records of experiments/"])


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
                    f"--{name} {word}: {word} is an experiment, which is named before --{name}"
                )
            if name == "seeds" and not _is_number(word):
                raise ConfigError(
                    f"--seeds {word}: not a number (an experiment is named before --seeds)"
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
        read = str if name == "data" else plain_value  # a fingerprint may look like a number
        chosen[name] = [read(value) for value in alternatives(values)]
    experiments = getattr(options, "experiments", [])
    named = {
        "seed": [plain_value(seed) for seed in split(options.seeds)],
        "loss": split(options.loss),
        "experiment": experiments or [options.experiment] * bool(options.experiment),
        "dataset": split(options.dataset),
    }
    return chosen | {name: values for name, values in named.items() if values}


def check_once(options: argparse.Namespace) -> None:
    """Refuse two filters of one label or setting: they contradict or repeat each other.

    Raises:
        ConfigError: naming it.
    """
    others = {
        "seed": ("--seeds", getattr(options, "seeds", [])),
        "loss": ("--loss", getattr(options, "loss", [])),
        "experiment": ("the name of an experiment", _experiments(options)),
        "dataset": ("--dataset", getattr(options, "dataset", [])),
    }
    seen: dict[str, str] = {}
    for name, _, values in (text.partition("=") for text in options.where):
        if name in seen:
            raise ConfigError(
                f"--where has {name} twice; several values are one filter: "
                f"{name}={seen[name]},{values}"
            )
        option, given = others.get(name, ("", []))
        if given:
            raise ConfigError(f"{name} is chosen by {option} and by --where {name}: leave one out")
        seen[name] = values


def add_metrics(parser: argparse.ArgumentParser, words: str) -> None:
    """Add --metric, --by and --decimals.

    Args:
        parser: of the command.
        words: what --metric takes, and its default.
    """
    parser.add_argument("--metric", nargs="+", action="extend", default=[], help=words)
    parser.add_argument(
        "--by",
        choices=("class",),
        help="class: each number is followed by that of each class of foreground",
    )
    parser.add_argument("--decimals", type=_decimals, default=3, help="of means (default: 3)")


def _decimals(text: str) -> int:
    if text not in map(str, range(1, 16)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 15")
    return int(text)


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose runs and ask for a table of them, which `question` reads."""
    from robustseg.results.tables.grid import LAYOUTS

    add_sources(parser)
    add_filters(parser)
    add_metrics(
        parser,
        "numbers of metrics.json, side by side (default: dice_image, with dice_pooled and "
        "area_ratio where they rank losses differently; or the layout's)",
    )
    parser.add_argument(
        "--layout",
        choices=tuple(LAYOUTS),
        default="noise",
        help="noise: losses × noise settings (default); losses: noise settings × losses, for many "
        "settings; domain: metrics × batch sizes and loss domains",
    )
    parser.add_argument(
        "--test",
        choices=("images", "seeds", "tukey", "best", "none"),
        help="which cells differ: by Wilcoxon's test over test images (default, where it can be "
        "made) or over six or more seeds, Holm's correction over all pairs of all columns; by the "
        "T-Loss paper's ANOVA and Tukey's test; or best, the former rule, which corrects for the "
        "pairs with the best only and marks too much",
    )
    parser.add_argument(
        "--against",
        metavar="LOSS",
        help="compare with this loss (layout domain: this domain) instead of the best",
    )
    parser.add_argument(
        "--ci", action="store_true", help="show 95 %% intervals (csv and json always have them)"
    )
    add_published(parser)


def add_published(parser: argparse.ArgumentParser) -> None:
    """Add --published and --no-published."""
    parser.add_argument(
        "--published",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the paper's values where there are any (default: yes)",
    )


def question(options: argparse.Namespace) -> TableQuestion:
    """What a table is asked for by the options of `add_table`."""
    from robustseg.results.tables.query import TableQuestion

    return TableQuestion(
        experiment=options.experiment,
        metrics=split(options.metric),
        losses=split(options.loss),
        layout=options.layout,
        test=options.test,
        against=options.against,
        intervals=options.ci,
        published=options.published,
        by_class=options.by == "class",
    )


def add_images(parser: argparse.ArgumentParser, default: str | None, why: str) -> None:
    """Add --images.

    Args:
        parser: of the command.
        default: one of `IMAGES`, or None.
        why: the default in words.
    """
    parser.add_argument(
        "--images",
        choices=IMAGES,
        default=default,
        help="figures with images of the data set: none, those of training images only, or all; "
        f"their licence says what may be passed on (default: {why})",
    )


def split(words: Sequence[str]) -> list[str]:
    """Separate words that were joined by commas, as they are in Hydra's sweeps."""
    return [part for word in words for part in word.split(",")]


def tell(remarks: Iterable[str]) -> None:
    """Print remarks on the error channel."""
    for remark in remarks:
        print(printable(remark), file=sys.stderr)
