"""A sweep in this process, one run after another."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn

from robustseg.sweeps.display import Display
from robustseg.sweeps.outcomes import Outcome, read_outcome
from robustseg.terminal.count import count
from robustseg.terminal.output import say
from robustseg.terminal.printable import printable

_place = [""]


def place() -> str:
    """Which run of the sweep is next, such as ``run 3 of 12 (2 done, 41 s left): ``.

    "" where there is no sweep, or one in several processes.
    """
    return _place[0]


def launch(
    call: Callable[[int, Sequence[str]], JobReturn], sweep: Path, jobs: dict[int, list[str]]
) -> list[JobReturn]:
    """Run the jobs, and say which is running and when the last will be done.

    Args:
        call: runs a job, given its number and overrides.
        sweep: folder of the sweep.
        jobs: overrides by number.
    """
    returned = []
    with _Lines(len(jobs), at_once=1) as display:
        for job, overrides in jobs.items():
            display.started()
            returned.append(call(job, overrides))
            outcome = read_outcome(sweep, job)
            if outcome is not None:
                display.ended(outcome)
    return returned


class _Lines(Display):
    """Says of a run where it stands in the sweep; the run says what has become of it."""

    def __enter__(self) -> "_Lines":
        say(f"{count(self.total, 'run')}, one after another")
        return self

    def started(self) -> None:
        """Note what the run is to say of its place."""
        counts = self.counts()
        self.running += 1
        number = f"run {self.finished + 1} of {self.total}"
        _place[0] = f"{number} ({counts}): " if counts else f"{number}: "

    def tell(self, outcome: Outcome) -> None:
        """Say that a run failed, which it leaves to its caller."""
        if outcome.state == "failed":
            reason = outcome.message.splitlines()[0]
            say(printable(f"{outcome.run_id} failed. {reason}"))
