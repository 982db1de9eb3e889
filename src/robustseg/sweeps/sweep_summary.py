"""What became of the runs of a sweep, printed at its end."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from robustseg.errors import RunFailed
from robustseg.runs.files import read_json
from robustseg.sweeps.outcomes import Outcome
from robustseg.sweeps.recorded import record_of, recorded_dice
from robustseg.sweeps.sweep import current
from robustseg.terminal.count import count
from robustseg.terminal.output import say
from robustseg.terminal.printable import printable

_NAMED = 20  # runs not started that a summary names
_DIFFERENCES = 5  # of the conditions that are named in a summary
_WARNINGS = 5  # that a summary repeats


def tells(error: BaseException) -> bool:
    """Whether the summary explains an error."""
    return isinstance(error, RunFailed) and current.outcomes is not None


def summarise(*, interrupted: bool = False) -> int:
    """Print what became of the sweep's runs, if there was a sweep.

    Args:
        interrupted: whether the sweep was, so that it has runs that were not started.

    Returns:
        Exit code: 1 if a run failed, else 0, also if another process trains it.
    """
    if current.outcomes is None:
        return 0
    files = {int(file.stem): file for file in current.outcomes.glob("*.json")}
    jobs = current.jobs if interrupted else {}
    not_begun = [name for job, name in jobs.items() if job not in files]
    if not files and not not_begun:
        return 0
    outcomes = _distinct([Outcome(**read_json(file)) for _, file in sorted(files.items())])
    served = _served(outcomes)
    _print(_with_dice(outcomes, served), not_begun, _table_command(served))
    return int(any(outcome.state == "failed" for outcome in outcomes))


def _distinct(outcomes: list[Outcome]) -> list[Outcome]:
    """Cells of a grid that are the same run are reported once, by the first that trained it."""
    told: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.state == "running":
            outcome = replace(outcome, state="interrupted")
        before = told.get(outcome.run_id)
        if before is None or before.state == "busy" or outcome.state == "done":
            told[outcome.run_id] = outcome
    return list(told.values())


def _served(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """By record: the runs that were not trained since it has them, and so have no folder."""
    served: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.state == "skipped" and outcome.dice is None:
            record = record_of(outcome.run_id, current.records)
            if record is not None:
                served.setdefault(record, []).append(outcome.run_id)
    return served


def _with_dice(outcomes: Sequence[Outcome], served: Mapping[str, Sequence[str]]) -> list[Outcome]:
    """The outcomes, with the Dice of runs that a record has."""
    dice: dict[str, float | None] = {}
    for record, run_ids in served.items():
        dice |= recorded_dice(run_ids, record)
    return [replace(one, dice=dice.get(one.run_id, one.dice)) for one in outcomes]


def _table_command(records: Iterable[str]) -> str:
    """The command that shows the sweep's runs, also those of records."""
    known = [str(Path(record).expanduser()) for record in records]
    folder = [str(current.runs)] if current.runs.is_dir() or not known else []
    named = [] if current.experiment is None else [current.experiment]
    return shlex.join(["robustseg", "table", *named, "--runs", *folder, *known])


def _print(outcomes: list[Outcome], not_begun: list[str], command: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    counts = Counter(outcome.state for outcome in outcomes)
    table = Table("run", "state", "Dice", "time", box=None)
    for outcome in outcomes:
        dice = "" if outcome.dice is None else f"{outcome.dice:.3f}"
        name = Text(printable(outcome.run_id))  # it may be overrides, which may hold markup
        took = f"{outcome.seconds:.1f} s" if outcome.seconds else ""
        table.add_row(name, outcome.state, dice, took)
    for job in not_begun[:_NAMED]:
        table.add_row(Text(printable(job)), "not started", "", "")
    if len(not_begun) > _NAMED:
        table.add_row(f"and {len(not_begun) - _NAMED} more", "not started", "", "")
    console = Console(highlight=False)
    say()
    console.print(table)
    for line in _said(outcomes):
        console.print(printable(line, keep="\n"), markup=False, soft_wrap=True)
    if differing := _differing(outcomes):
        console.print(printable(differing), markup=False, soft_wrap=True)
    if counts["busy"] and current.experiment is not None:
        joins = f"not yet part of {printable(current.experiment)}"
        busy = f"Busy runs are {joins}: repeat the command once they are done"
        console.print(busy, markup=False, soft_wrap=True)
    if not_begun:
        counts["not started"] = len(not_begun)
    said = ", ".join(f"{number} {state}" for state, number in counts.items())
    console.print(
        f"{count(counts.total(), 'run')}: {said}. Table: {printable(command)}",
        markup=False,
        soft_wrap=True,
    )


def _said(outcomes: Sequence[Outcome]) -> list[str]:
    """What there is to say of the runs, each text once, with the run or the number of them."""
    lines = []
    for kind, most in (("message", None), ("remark", None), ("warnings", _WARNINGS)):
        said_by: dict[str, list[str]] = {}
        for outcome in outcomes:
            said = getattr(outcome, kind)
            for text in [said] if isinstance(said, str) else said:
                said_by.setdefault(text, []).append(outcome.run_id)
        said_by.pop("", None)
        for text, runs in list(said_by.items())[:most]:
            lines.append(f"{runs[0] if len(runs) == 1 else f'{len(runs)} runs'}: {text}")
        if most is not None and len(said_by) > most:
            lines.append(f"and {count(len(said_by) - most, 'more warning')}, in the runs' logs")
    return lines


def _differing(outcomes: Sequence[Outcome]) -> str:
    """What differs from the conditions of runs that were skipped or resumed, in one line."""
    runs = sum(bool(outcome.differs) for outcome in outcomes)
    found = Counter(one for outcome in outcomes for one in outcome.differs)
    if not found:
        return ""
    told = [f"{one} ({count(number, 'run')})" for one, number in found.most_common(_DIFFERENCES)]
    more = len(found) - len(told)
    rest = f"; and {count(more, 'more difference')}" if more else ""
    return (
        f"{count(runs, 'run')} finished or resumed under other conditions: {'; '.join(told)}{rest}"
    )
