"""Where a sweep stands, as text or JSON."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from robustseg.results.names import loss_name
from robustseg.results.sources import Sources
from robustseg.results.tables.table_model import NOISE_LABELS, listed, setting_words
from robustseg.runs.survey import STATES, RunState
from robustseg.terminal.aligned import aligned
from robustseg.terminal.count import count
from robustseg.terminal.duration import duration
from robustseg.terminal.number_text import number_text
from robustseg.terminal.printable import plain_json, printable

MARKS = {
    "done": "●",
    "running": "▶",
    "interrupted": "◌",
    "failed": "✗",
    "damaged": "!",
    "outdated": "~",
    "unreadable": "?",
}
_COLLAPSED = "○"
_SHOWN = 10  # failures and running runs that are listed


def as_json(runs: Sequence[RunState]) -> str:
    """Counts, and every run, as JSON."""
    counts = Counter(run.state for run in runs)
    own = [asdict(replace(run, settings={})) for run in runs]
    whole = {
        "counts": {state: counts[state] for state in STATES},
        "seconds_left": seconds_left(runs),
        "runs": [{name: of[name] for name in of if name != "settings"} for of in own],
    }
    return plain_json(whole)


def as_text(runs: Sequence[RunState], places: Sources, filtered: bool = False) -> str:
    """Counts, grid, running runs and failures for a terminal.

    Args:
        runs: that are shown.
        places: where they are.
        filtered: whether others are left out.
    """
    if not runs:
        return f"There is no such run in {places}." if filtered else f"No runs in {places} yet."
    failed = [run for run in runs if run.state == "failed"]
    place = places.find(failed[0].run_id).place("status") if failed else ""
    runs = [_printable(run) for run in runs]
    parts = [_counts(runs)]
    for name, chosen in _by_data(runs).items():
        parts.append(f"{name}\n{_grid(chosen)}")
    parts.append(_legend(runs))
    parts += _listed("Running", [run for run in runs if run.state == "running"], _pace)
    unusable = [run for run in runs if _lost(run)]
    parts += _listed("Not usable", unusable, lambda run: f"{run.state}. {run.reason}")
    unreadable = [run for run in runs if run.state == "unreadable"]
    if unusable:
        parts.append(_remedies(unusable, printable(place)))
    parts += _listed("Not readable", unreadable, lambda run: run.reason)
    return "\n\n".join(parts)


def _remedies(unusable: Sequence[RunState], place: str) -> str:
    """What to do about them; a status.json with a traceback is at the place, if one failed."""
    copies = sum(run.is_copy for run in unusable)
    said = [f"Tracebacks are in each run's status.json, such as {place}."] if place else []
    if copies:
        said.append("Move copies out of the folder of runs: a sweep neither uses nor retries them.")
    if copies < len(unusable):
        said.append(f"Repeat the sweep to retry {'the others' if copies else 'them'}.")
    return " ".join(said)


def _lost(run: RunState) -> bool:
    return run.state in ("failed", "damaged", "outdated")


def _printable(run: RunState) -> RunState:
    """The run with texts that a terminal can show."""
    labels = {
        name: printable(value) if isinstance(value, str) else value
        for name, value in run.labels.items()
    }
    return replace(
        run,
        run_id=printable(run.run_id),
        labels=labels,
        reason=printable(run.reason),
        where=printable(run.where),
        data_folder=printable(run.data_folder or ""),
        fingerprint=printable(run.fingerprint or ""),
    )


def seconds_left(runs: Sequence[RunState]) -> float | None:
    """Until the last of the running runs ends; None if none tells."""
    return max(
        (run.seconds_left for run in runs if run.state == "running" and run.seconds_left),
        default=None,
    )


def _counts(runs: Sequence[RunState]) -> str:
    counts = Counter(run.state for run in runs)
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    collapsed = sum(run.collapsed is not None for run in runs)
    said += f"; {collapsed} collapsed" if collapsed else ""
    left = seconds_left(runs)
    said += f"; the running ones end in about {duration(left)}" if left else ""
    return f"{count(len(runs), 'run')}: {said}"


def _by_data(runs: Sequence[RunState]) -> dict[str, list[RunState]]:
    """The runs by data set, and by its data where there are several."""
    found: dict[str, dict[str | None, list[RunState]]] = {}
    for run in runs:
        if run.labels:
            of = found.setdefault(run.labels["dataset"], {})
            of.setdefault(run.fingerprint, []).append(run)
    return {
        f"{dataset} on {some[0].data or 'unknown data'}" if len(of) > 1 else dataset: some
        for dataset, of in found.items()
        for some in of.values()
    }


def _grid(runs: Sequence[RunState]) -> str:
    """Losses × noise settings; in a cell a mark for each run, by seed."""
    rows = list(dict.fromkeys(_row(run) for run in runs))
    of_noise = _noise_words(runs)
    places = [_column(run, of_noise.get(run.run_id, "")) for run in runs]
    columns = sorted(dict.fromkeys(places), key=lambda column: column[1:])
    cells: dict[tuple[str, Any], list[tuple[Any, str]]] = {}
    for run, column in zip(runs, places, strict=True):
        place = cells.setdefault((_row(run), column), [])
        place.append((run.labels["seed"], mark(run)))
    table = [["", *(column[0] for column in columns)]]
    for row in rows:
        marks = ["".join(m for _, m in sorted(cells.get((row, c), []))) for c in columns]
        table.append([row, *marks])
    return aligned(table)


def mark(run: RunState) -> str:
    """The sign for a run's state."""
    return _COLLAPSED if run.state == "done" and run.collapsed else MARKS[run.state]


def _row(run: RunState) -> str:
    names = [loss_name(run.labels["loss"]), run.labels.get("domain") or ""]
    regularizer, epsilon = run.labels.get("regularizer"), run.labels.get("epsilon")
    if regularizer not in (None, "none"):
        names.append(f"{regularizer} {epsilon:g}" if epsilon else regularizer)
    return " ".join(name for name in names if name)


def _column(run: RunState, words: str) -> tuple[str, Any, str, Any]:
    """Heading and order of a noise setting, of which words say what else differs."""
    alpha, beta = run.labels["alpha"], run.labels["beta"]
    if not alpha:
        return "clean", 0.0, "", 0.0
    kind = "" if run.labels["noise"] == "morphological" and not words else run.labels["noise"]
    kind = "".join(f"{word} " for word in (kind, words) if word)
    return f"{kind}α={number_text(alpha)} β={number_text(beta)}", alpha, kind, beta


def _noise_words(runs: Sequence[RunState]) -> dict[str, str]:
    """By run id, in words, the settings of its noise in which runs with its noise model differ."""
    kinds: dict[str, list[RunState]] = {}
    for run in runs:
        if run.labels["alpha"]:
            kinds.setdefault(run.labels["noise"], []).append(run)
    words = {}
    for of in kinds.values():
        own = [_noise_settings(run) for run in of]
        names: list[str] = []
        for name in sorted({name for settings in own for name in settings}):
            known = {tuple(settings.get(one) for one in names) for settings in own}
            if len({tuple(settings.get(one) for one in (*names, name)) for settings in own}) > len(
                known
            ):
                names.append(name)
        for run, settings in zip(of, own, strict=True):
            shown = [(name, settings[name]) for name in names if name in settings]
            words[run.run_id] = printable(" ".join(setting_words(shown, named=len(names) > 1)))
    return words


def _noise_settings(run: RunState) -> dict[str, Any]:
    """Settings of the noise that its labels do not have; lists as text."""
    return {
        name: listed(value) if isinstance(value, list) else value
        for name, value in run.settings.items()
        if name.startswith("noise.") and name not in NOISE_LABELS
    }


def _legend(runs: Sequence[RunState]) -> str:
    used = {mark(run) for run in runs}
    signs = {**{sign: state for state, sign in MARKS.items()}, _COLLAPSED: "done, but collapsed"}
    known = "  ".join(f"{sign} {name}" for sign, name in signs.items() if sign in used)
    return f"One mark per run, by seed: {known}"


def _pace(run: RunState) -> str:
    if run.epochs is None:
        return f"starting ({run.where})"
    left = f", about {duration(run.seconds_left)} left" if run.seconds_left else ""
    return f"epoch {run.epoch} of {run.epochs}{left} ({run.where})"


def _listed(title: str, runs: Sequence[RunState], describe: Callable[[RunState], str]) -> list[str]:
    if not runs:
        return []
    lines = [f"  {run.run_id}: {describe(run)}" for run in runs[:_SHOWN]]
    if len(runs) > _SHOWN:
        lines.append(f"  and {len(runs) - _SHOWN} more (--format json lists all)")
    return ["\n".join([f"{title}:", *lines])]
