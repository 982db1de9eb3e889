"""What becomes of the jobs of a sweep, seen by the process that launched them."""

import logging
import time
from dataclasses import replace
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus, filter_overrides

from robustseg.errors import AlreadyRunning, RunFailed
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from robustseg.runs.lock import hold, holder
from robustseg.runs.survey import look
from robustseg.sweeps.display import Display
from robustseg.sweeps.jobs import job_id, log_file
from robustseg.sweeps.outcomes import Outcome, read_outcome, write_outcome

_log = logging.getLogger(__name__)
_LOOK = 2.0  # seconds between two looks at the running runs
_SELDOM = 60.0  # the same where a look takes long, perhaps since the machine stood still
_DYING = 10.0  # seconds in which a killed process has given its memory back and is gone


class Watch:
    """Keeps what became of each job, also of those that could not say it themselves.

    Args:
        sweep: folder of the sweep.
        runs: folder of the runs.
        jobs: overrides by number.
        display: shows it.
        token: of the sweep.
    """

    def __init__(
        self, sweep: Path, runs: Path, jobs: dict[int, list[str]], display: Display, token: str
    ) -> None:
        self.sweep = sweep
        self.runs = runs
        self.jobs = jobs
        self.display = display
        self.token = token
        self.returned: dict[int, JobReturn] = {}
        self.begun: set[int] = set()
        self._next = 0.0

    def started(self, job: int) -> None:
        """A process has taken the job."""
        self.begun.add(job)
        self.display.started()

    def tick(self) -> None:
        """Time has passed."""
        if (begin := time.monotonic()) < self._next:
            return
        outcomes = [read_outcome(self.sweep, job) for job in sorted(self.begun)]
        training = [one.run_id for one in outcomes if one and one.state == "running"]
        states = [look(RunFolder(self.runs / run_id)) for run_id in training]
        self.display.tick([state for state in states if state.state == "running"])
        took = time.monotonic() - begin
        self._next = begin + took + min(max(_LOOK, 20 * took), _SELDOM)  # a twentieth of the time

    def ended(self, job: int, failure: str | None) -> None:
        """The job returned (None), raised, or lost its process."""
        self.begun.discard(job)
        name = " ".join(filter_overrides(self.jobs[job])) or "run"
        outcome = read_outcome(self.sweep, job) or Outcome(name, "running")
        if outcome.state == "running":
            outcome = self._lost(job, outcome, failure or "it ended without reporting its outcome")
        self.display.ended(outcome)
        self.returned[job] = JobReturn(
            overrides=self.jobs[job],
            status=JobStatus.COMPLETED if failure is None else JobStatus.FAILED,
            _return_value=None if failure is None else RunFailed(failure),
        )

    def in_order(self) -> list[JobReturn]:
        """What Hydra gets to know of each job."""
        return [self.returned[number] for number in self.jobs]

    def _lost(self, job: int, outcome: Outcome, reason: str) -> Outcome:
        """Record the failure of a run whose process could not record it."""
        message = f"{reason}; its output is in {log_file(self.sweep, job)}"
        folder = RunFolder(self.runs / outcome.run_id)
        outcome = replace(outcome, state="failed", message=message)
        try:
            if folder.path.exists():
                _mark_dead(folder, job_id(self.token, job), reason)
            write_outcome(self.sweep, job, outcome)
        except OSError as full:
            _log.error("%s failed. %s; this could not be kept: %s", outcome.run_id, message, full)
        return outcome


def _mark_dead(folder: RunFolder, job: str, reason: str) -> None:
    """Mark a run as failed, unless another sweep has taken it over."""
    until = time.monotonic() + _DYING
    while True:
        try:
            with hold(folder.lock, job):  # the job's own lock counts as free on another host
                if not folder.status.exists():
                    folder.update_status(schema=SCHEMA, run_id=folder.run_id, state="running")
                if folder.read_status().get("state") == "running":
                    folder.mark_failed("ProcessDied", reason)
            return
        except AlreadyRunning:
            is_dying = (holder(folder.lock) or {}).get("job") == job
            if not is_dying or time.monotonic() > until:
                return
            time.sleep(0.1)
