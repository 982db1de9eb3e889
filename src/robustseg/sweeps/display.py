"""How far a sweep is: one bar on a terminal, one line a run elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn

from robustseg.sweeps.outcomes import Outcome
from robustseg.terminal.count import count
from robustseg.terminal.duration import duration
from robustseg.terminal.printable import printable


class Display:
    """Counts what has become of the runs; prints a line for each.

    Args:
        total: runs of the sweep.
        at_once: how many are computed at a time.
    """

    def __init__(self, total: int, at_once: int) -> None:
        self.total = total
        self.at_once = at_once
        self.running = 0
        self.ended_as: dict[str, int] = {}
        self.trained: list[float] = []

    def __enter__(self) -> Self:
        print(f"{count(self.total, 'run')}, {self.at_once} at a time", flush=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def started(self) -> None:
        """A run has begun."""
        self.running += 1

    def ended(self, outcome: Outcome) -> None:
        """A run has ended."""
        self.running -= 1
        self.ended_as[outcome.state] = self.ended_as.get(outcome.state, 0) + 1
        if outcome.state == "done":
            self.trained.append(outcome.seconds)
        self.tell(outcome)

    def tell(self, outcome: Outcome) -> None:
        """Say what became of a run."""
        ended = sum(self.ended_as.values())
        print(f"[{ended}/{self.total}] {describe(outcome)}  ({self.counts()})", flush=True)

    def tick(self) -> None:
        """Time has passed."""

    def counts(self) -> str:
        """Such as ``3 done, 1 failed, 2 running, 5 min left``."""
        parts = [f"{number} {state}" for state, number in self.ended_as.items()]
        parts += [f"{self.running} running"] if self.running else []
        left = self.seconds_left()
        return ", ".join([*parts, f"{duration(left)} left"] if left else parts)

    def seconds_left(self) -> float | None:
        """From the mean time of the runs trained so far; None before there is one."""
        if not self.trained:
            return None
        to_go = self.total - sum(self.ended_as.values())
        return to_go * sum(self.trained) / len(self.trained) / self.at_once


class Bar(Display):
    """As a bar that stays at the bottom; what failed is written above it."""

    def __enter__(self) -> Self:
        self.bar = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[counts]}"),
            TextColumn("{task.fields[elapsed]}"),
        )
        self.begin = time.monotonic()
        self.task = self.bar.add_task("", total=self.total, counts="starting", elapsed="")
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bar where it is."""
        self.bar.stop()

    def tell(self, outcome: Outcome) -> None:
        """Write failures above the bar, and move it."""
        if outcome.state == "failed":
            self.bar.console.print(describe(outcome), markup=False, highlight=False)
        self.tick()

    def tick(self) -> None:
        """Show the counts and the time."""
        self.bar.update(
            self.task,
            completed=sum(self.ended_as.values()),
            counts=self.counts() or "starting",
            elapsed=duration(time.monotonic() - self.begin),
        )


def make_display(total: int, at_once: int) -> Display:
    """A bar where the output is a terminal."""
    return (Bar if sys.stdout.isatty() else Display)(total, at_once)


def describe(outcome: Outcome) -> str:
    """One run in one line, with the reason if it failed."""
    dice = "" if outcome.dice is None else f"  Dice {outcome.dice:.3f}"
    reason = f": {outcome.message.splitlines()[0]}" if outcome.state == "failed" else ""
    seconds = f"  {duration(outcome.seconds)}" if outcome.state == "done" else ""
    return printable(f"{outcome.run_id}  {outcome.state}{reason}{dice}{seconds}")
