"""How far a sweep is: a bar and the running runs on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, TextColumn
from rich.table import Table
from rich.text import Text

from robustseg.runs.survey import RunState
from robustseg.sweeps.outcomes import Outcome
from robustseg.terminal.bar import LineProgress, Narrow
from robustseg.terminal.count import count
from robustseg.terminal.duration import duration
from robustseg.terminal.output import say
from robustseg.terminal.printable import printable

_LINE_S = 60.0  # seconds between two lines on what is running
_SHOWN = 16  # running runs listed on a terminal


class Display:
    """Counts what has become of the runs; prints a line for each, and what is running.

    Args:
        total: runs of the sweep.
        at_once: how many are computed at a time.
    """

    def __init__(self, total: int, at_once: int) -> None:
        self.total = total
        self.at_once = at_once
        self.running = 0
        self.states: Sequence[RunState] = ()
        self.ended_as: dict[str, int] = {}
        self.trained: list[float] = []
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        say(f"{count(self.total, 'run')}, {self.at_once} at a time")
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def started(self) -> None:
        """A run has started."""
        self.running += 1

    def ended(self, outcome: Outcome) -> None:
        """A run has ended."""
        self.running -= 1
        self.states = [state for state in self.states if state.run_id != outcome.run_id]
        self.ended_as[outcome.state] = self.ended_as.get(outcome.state, 0) + 1
        if outcome.state == "done":
            self.trained.append(max(outcome.seconds, outcome.trained_seconds))  # or resumed
        self.tell(outcome)

    def tell(self, outcome: Outcome) -> None:
        """Say what became of a run."""
        self._said = time.monotonic()
        say(f"[{self.finished}/{self.total}] {describe(outcome)}  ({self.counts()})")

    def tick(self, states: Sequence[RunState] = ()) -> None:
        """Time has passed; these are the runs that train."""
        self.states = states
        if states and time.monotonic() - self._said >= _LINE_S:
            self._said = time.monotonic()
            running = ", ".join(f"{state.run_id} {_epoch(state)}" for state in states[:_SHOWN])
            say(f"[{self.finished}/{self.total}] {self.counts()}: {running}")

    @property
    def finished(self) -> int:
        """Runs that have ended in whatever way."""
        return sum(self.ended_as.values())

    def counts(self) -> str:
        """Such as ``3 done, 1 failed, 2 running, 5 min left``."""
        parts = [f"{number} {state}" for state, number in self.ended_as.items()]
        parts += [f"{self.running} running"] if self.running else []
        left = self.seconds_left()
        return ", ".join([*parts, f"{duration(left)} left"] if left else parts)

    def seconds_left(self) -> float | None:
        """From the mean time of the runs trained so far, or the pace of those that train.

        None before either is known.
        """
        paces = [
            state.seconds_left * state.epochs / (state.epochs - state.epoch)
            for state in self.states
            if state.seconds_left and state.epochs and state.epoch is not None
        ]
        known = self.trained or paces
        if not known:
            return None
        each = sum(known) / len(known)
        begun = [
            each if state.seconds_left is None else state.seconds_left for state in self.states
        ]
        to_go = self.total - self.finished
        work = sum(begun) + (to_go - len(begun)) * each
        return max([work / max(1, min(self.at_once, to_go)), *begun])


class Bar(Display):
    """A bar at the bottom with the running runs below it; what failed is written above."""

    def __enter__(self) -> Self:
        self.bar = LineProgress(
            TextColumn("{task.completed} of {task.total}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[counts]}"),
            expand=True,
        )
        self.task = self.bar.add_task("", total=self.total, counts="starting")
        self.live = Live(self.bar, console=self.bar.console, auto_refresh=False)
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar where it is, without the runs."""
        self.live.update(self.bar, refresh=True)
        self.live.stop()

    def tell(self, outcome: Outcome) -> None:
        """Write failures above the bar, and move it."""
        if outcome.state == "failed":
            self.live.console.print(describe(outcome), markup=False, highlight=False)
        self.tick(self.states)

    def tick(self, states: Sequence[RunState] = ()) -> None:
        """Show the counts and what is running."""
        self.states = states
        self.bar.update(self.task, completed=self.finished, counts=self.counts() or "starting")
        rows = Table.grid(padding=(0, 2))
        for state in states[:_SHOWN]:
            left = "" if state.seconds_left is None else f"{duration(state.seconds_left)} left"
            rows.add_row(Text(f"  {printable(state.run_id)}"), _epoch(state), left)
        if len(states) > _SHOWN:
            rows.add_row(f"  and {len(states) - _SHOWN} more")
        self.live.update(Narrow(Group(self.bar, rows)), refresh=True)


def make_display(total: int, at_once: int) -> Display:
    """A bar where the output is a terminal."""
    return (Bar if sys.stdout.isatty() else Display)(total, at_once)


def describe(outcome: Outcome) -> str:
    """One run in one line, with the reason if it failed."""
    dice = "" if outcome.dice is None else f"  Dice {outcome.dice:.3f}"
    reason = f": {outcome.message.splitlines()[0]}" if outcome.state == "failed" else ""
    seconds = f"  {duration(outcome.seconds)}" if outcome.state == "done" else ""
    return printable(f"{outcome.run_id}  {outcome.state}{reason}{dice}{seconds}")


def _epoch(state: RunState) -> str:
    """Such as ``epoch 3/20``, the one that is trained."""
    if state.epochs is None or state.epoch is None:
        return "starting"
    return f"epoch {min(state.epoch + 1, state.epochs)}/{state.epochs}"
