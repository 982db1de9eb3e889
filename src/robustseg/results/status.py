"""Where a sweep stands, as text or JSON."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from robustseg.results.sources import Sources
from robustseg.runs.survey import STATES, RunState
from robustseg.terminal.count import count
from robustseg.terminal.duration import duration
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
    whole = {
        "counts": {state: counts[state] for state in STATES},
        "seconds_left": seconds_left(runs),
        "runs": [asdict(run) for run in runs],
    }
    return plain_json(whole)


def as_text(runs: Sequence[RunState], places: Sources) -> str:
    """Counts, grid, running runs and failures for a terminal."""
    if not runs:
        return f"There is no such run in {places}."
    place = next((places.find(run.run_id).place("status") for run in runs if _lost(run)), "")
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
        parts.append(
            f"More: the traceback in {printable(place)}, and so on. "
            "The sweep's command tries them again."
        )
    parts += _listed("Not readable", unreadable, lambda run: run.reason)
    return "\n\n".join(parts)


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
    columns = sorted(dict.fromkeys(_column(run) for run in runs), key=lambda column: column[1:])
    cells: dict[tuple[str, Any], list[tuple[Any, str]]] = {}
    for run in runs:
        place = cells.setdefault((_row(run), _column(run)), [])
        place.append((run.labels["seed"], mark(run)))
    table = [["", *(column[0] for column in columns)]]
    for row in rows:
        marks = ["".join(m for _, m in sorted(cells.get((row, c), []))) for c in columns]
        table.append([row, *marks])
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    lines = (zip(line, widths, strict=True) for line in table)
    return "\n".join("  ".join(cell.ljust(w) for cell, w in line).rstrip() for line in lines)


def mark(run: RunState) -> str:
    """The sign for a run's state."""
    return _COLLAPSED if run.state == "done" and run.collapsed else MARKS[run.state]


def _row(run: RunState) -> str:
    names = [run.labels["loss"], run.labels.get("domain") or ""]
    regularizer, epsilon = run.labels.get("regularizer"), run.labels.get("epsilon")
    if regularizer not in (None, "none"):
        names.append(f"{regularizer} {epsilon:g}" if epsilon else regularizer)
    return " ".join(name for name in names if name)


def _column(run: RunState) -> tuple[str, Any, str, Any]:
    """Heading and order of a noise setting."""
    alpha, beta = run.labels["alpha"], run.labels["beta"]
    if not alpha:
        return "clean", 0.0, "", 0.0
    kind = "" if run.labels["noise"] == "morphological" else f"{run.labels['noise']} "
    return f"{kind}α={alpha:g} β={beta:g}", alpha, kind, beta


def _legend(runs: Sequence[RunState]) -> str:
    used = {mark(run) for run in runs}
    signs = {**{sign: state for state, sign in MARKS.items()}, _COLLAPSED: "done, but collapsed"}
    known = "  ".join(f"{sign} {name}" for sign, name in signs.items() if sign in used)
    return f"One mark a run, by seed: {known}"


def _pace(run: RunState) -> str:
    left = f", about {duration(run.seconds_left)} left" if run.seconds_left else ""
    return f"epoch {run.epoch} of {run.epochs}{left} ({run.where})"


def _listed(title: str, runs: Sequence[RunState], describe: Callable[[RunState], str]) -> list[str]:
    if not runs:
        return []
    lines = [f"  {run.run_id}: {describe(run)}" for run in runs[:_SHOWN]]
    if len(runs) > _SHOWN:
        lines.append(f"  and {len(runs) - _SHOWN} more (--format json lists all)")
    return ["\n".join([f"{title}:", *lines])]
