"""Finished runs as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.errors import ConfigError, NoRuns
from robustseg.metrics.catalogue import CATALOGUE, diagonal
from robustseg.results.sources import Sources, count_reasons
from robustseg.runs.data_label import is_data
from robustseg.runs.filter_values import spelled
from robustseg.runs.labels import LABELS
from robustseg.terminal.number_text import number_text
from robustseg.terminal.suggestion import suggestion

if TYPE_CHECKING:
    import pandas as pd


def load_runs(
    source: Sources | Path | str | Sequence[Path | str], /, **filters: Any
) -> pd.DataFrame:
    """Read finished runs.

    Args:
        source: a folder that holds a folder per run (names that begin with a dot are passed over),
            a record that ``robustseg runs pack`` made, or several of both. A run that is in several
            counts once; if they disagree, that of the first.
        **filters: a value, or a list of values, that a run must have: of any of ``LABELS``; of
            ``experiment`` (a run may be of several); of ``data`` (the name of their folder, or the
            first digits of their fingerprint); or of a setting by its dotted name, such as
            ``**{"trainer.max_epochs": 100}``.

    Returns:
        One row a finished run: ``run_id``, ``LABELS`` (missing where not applicable: no β
        without noise), ``experiments`` (a tuple of names), ``settings`` (dotted names → values),
        ``data`` (folder and first digits of the fingerprint of its data; None where unknown),
        ``fingerprint``, ``data_folder``, ``processors`` (a tuple of the name of the type of
        processor, if it is known), ``collapsed`` ("background", "foreground" or None: the
        network predicts only that) and every number of metrics.json, of nested ones by its dotted
        name. ``attrs["left_out"]`` maps the other folders' names to why they are not finished
        runs, ``attrs["unfinished"]`` counts those of them that may pass the filters,
        ``attrs["absent"]`` says which of several values of a filter no finished run has, and
        ``attrs["remarks"]`` what sources disagree on and what of them is damaged.

    Raises:
        NoRuns: a source is not there, there is no finished run, or none that passes the filters.
        ConfigError: a filter names neither a label nor a setting.

    Examples:
        >>> runs = load_runs("experiments/tloss_shenzhen_small/record", loss="tloss")
        >>> float(runs["alpha"].max())
        0.7
    """
    import pandas as pd

    sources = Sources.of(source)
    for path in sources.missing():
        raise NoRuns(f"no such directory: {path}{_REMEDY}")
    rows = sources.rows()
    left_out = {name: why for of in sources.left_out().values() for name, why in of.items()}
    if not rows:
        unfinished = f" ({count_reasons(left_out)})" if left_out else ""
        damaged = "".join(f"; {remark}" for remark in sources.remarks())
        raise NoRuns(f"there is no finished run in {sources}{unfinished}{damaged}{_REMEDY}")
    numbers = pd.DataFrame(rows).drop(columns=["labels", *LABELS], errors="ignore")
    runs = pd.concat([numbers, _labels(rows)], axis=1)
    everything, absent = runs, []
    wanted_values = {name: _values(wanted) for name, wanted in filters.items()}
    for name, wanted in filters.items():
        try:
            runs = _select(runs, name, wanted)
        except NoRuns as none:
            raise NoRuns(f"{none}{sources.named_unfinished(wanted_values)}") from None
        absent += _absent(everything, name, wanted)
    if len(runs) < len(rows):
        # Labels are of the type that these runs give them, and numbers are those that these runs
        # have, whatever else the sources hold.
        chosen = [rows[at] for at in runs.index]
        there = {name for row in chosen for name in row}
        kept = [name for name in runs if name in there and name not in LABELS]
        runs = pd.concat([runs[kept].reset_index(drop=True), _labels(chosen)], axis=1)
    runs = _with_pixels(runs)
    remarks = sources.remarks(runs["run_id"])
    runs.attrs.update(left_out=left_out, absent=absent, remarks=remarks)
    runs.attrs["unfinished"] = sources.unfinished(wanted_values)
    return runs


_REMEDY = "; make some with: robustseg train -m loss=tloss,gce,mae noise.alpha=0.3,0.5,0.7"


# Of a threshold that is chosen on held-out masks.
_OF_HELD_OUT = {name for name in CATALOGUE if name.endswith("_tuned")} | {"threshold"}
_OF_DATA = ("data", "fingerprint", "data_folder")


def metric_names(runs: pd.DataFrame) -> list[str]:
    """Return the names of the numbers that tables can show."""
    of_runs = ("run_id", "experiments", "settings", "collapsed", "processors", "folds")
    others = {*of_runs, *_OF_DATA, *LABELS}
    return [name for name in runs.columns if name not in others]


def check_metrics(runs: pd.DataFrame, metrics: Iterable[str]) -> None:
    """Refuse what `metric_names` does not have.

    Raises:
        ConfigError: naming the nearest, or what runs need to have it.
    """
    known = metric_names(runs)
    for metric in metrics:
        if metric not in known and metric in _OF_HELD_OUT:
            raise ConfigError(
                f"no run has a number {metric!r}, which needs binary masks and a validation split; "
                "where the data have none, train with dataset.val_fraction=0.2"
            )
        if metric not in known:
            usual = [name for name in known if name in CATALOGUE]
            raise ConfigError(f"no run has a number {metric!r}; {suggestion(metric, known, usual)}")


def by_class(runs: pd.DataFrame, metrics: Iterable[str]) -> list[str]:
    """Return metrics, each with those of the classes behind it that runs have.

    Raises:
        ConfigError: the runs have one class only.
    """
    names = [name for name in metric_names(runs) if name.startswith("dice_image/")]
    if not names:
        raise ConfigError("--by class: these runs have one class of foreground only")
    found = []
    for metric in metrics:
        each = (name.replace("dice_image", metric, 1) for name in names)
        found += [metric, *(name for name in each if name in runs)]
    return list(dict.fromkeys(found))


def of_label_maps(runs: pd.DataFrame) -> pd.Series[bool]:
    """Return which runs have several classes."""
    names = [name for name in runs if str(name).startswith("dice_image/")]
    return runs[names].notna().any(axis=1)


def _with_pixels(runs: pd.DataFrame) -> pd.DataFrame:
    """With HD95 in pixels, which no run records."""
    for name in map(str, list(runs)):
        if name.partition("/")[0] in ("hd95", "hd95_pos"):
            pixels = runs[name].astype(float) * diagonal(1) * runs["image_size"].astype(float)
            runs[name.replace("hd95", "hd95_pixels", 1)] = pixels
    return runs


def _labels(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    labels = [row["labels"] for row in rows]
    return pd.DataFrame({name: [of.get(name) for of in labels] for name in LABELS})


def _select(runs: pd.DataFrame, name: str, wanted: Any) -> pd.DataFrame:
    values, present = _values(wanted), _present(runs, name)
    if name == "experiment":
        chosen = runs["experiments"].map(lambda of: any(value in of for value in values))
    elif name == "data":
        chosen = _on_data(runs, values)
    else:
        column = _column(runs, name)
        chosen = column.isin(values) | (column.isna() & (None in values))
    if not chosen.any():
        sought = " or ".join(map(_text, values))
        raise NoRuns(
            f"none of the {len(runs)} finished runs has {name}={sought}; "
            f"{suggestion(sought, present)}"
            if present
            else f"none of the {len(runs)} finished runs has any {name}"
        )
    return runs[chosen]


def _on_data(runs: pd.DataFrame, values: Iterable[str]) -> pd.Series[bool]:
    """Whether each run is on data that one of the values means."""
    import pandas as pd

    columns = (
        runs[name].astype(object).where(runs[name].notna(), None)
        for name in ("data", "data_folder", "fingerprint")
    )
    found = [
        any(value == data or is_data(value, folder, fingerprint) for value in values)
        for data, folder, fingerprint in zip(*columns, strict=True)
    ]
    return pd.Series(found, index=runs.index)


def _absent(runs: pd.DataFrame, name: str, wanted: Any) -> list[str]:
    present = _present(runs, name)
    missing = [value for value in _values(wanted) if value is not None and value not in present]
    if name == "data":
        missing = [value for value in missing if not _on_data(runs, [value]).any()]
    return [
        f"No finished run has {name}={one} ({suggestion(one, present)})."
        for one in map(_text, missing)
    ]


def _text(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def _values(wanted: Any) -> list[Any]:
    values = list(wanted) if isinstance(wanted, list | tuple | set) else [wanted]
    return [spelled(value) for value in values]


def _present(runs: pd.DataFrame, name: str) -> set[Any]:
    if name == "experiment":
        return {one for of in runs["experiments"] for one in of}
    if name == "data":
        return {*runs["data"].dropna(), *runs["data_folder"].dropna()}
    return set(_column(runs, name).dropna())


def _column(runs: pd.DataFrame, name: str) -> pd.Series:
    if name in (*LABELS, "data"):
        return runs[name]
    settings = {key for own in runs["settings"] for key in own}
    if name == "source" and name not in settings:
        raise ConfigError(
            "no run has a setting 'source': those have that `robustseg table --duplicates all` "
            "shows where the sources behind --runs disagree"
        )
    if name not in settings:
        usual = [*LABELS, "experiment", "data"]
        hint = suggestion(name, {*usual, *settings}, usual)
        raise ConfigError(f"no run has a setting {name!r}; {hint}")
    return runs["settings"].map(lambda own: spelled(own.get(name)))
