"""What became of the jobs of a sweep, each noted in the sweep's folder."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from robustseg.runs.files import read_json, write_json


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        run_id: the run's id, or the job's overrides if it failed before it had one.
        state: done, skipped (it was done or recorded before), busy (another process trains it),
            failed, or running (in the summary: interrupted).
        dice: mean Dice per test image; None if there is no result.
        seconds: wall time of the job.
        trained_seconds: of training and evaluation, earlier attempts included.
        message: why it failed, is busy or was skipped without a folder.
        remark: what a reader of its numbers has to know.
        differs: how the conditions differ from those of the attempt that is skipped or resumed.
        warnings: of the data that it was trained on.
    """

    run_id: str
    state: str
    dice: float | None = None
    seconds: float = 0.0
    trained_seconds: float = 0.0
    message: str = ""
    remark: str = ""
    differs: Sequence[str] = ()
    warnings: Sequence[str] = ()


def write_outcome(sweep: Path, job: int, outcome: Outcome) -> None:
    """Keep the outcome of a job in the sweep's folder."""
    # Read by the sweep alone, which a machine's death ends, too: to wait for the disk would be
    # half of what it costs to skip a run.
    write_json(sweep / "outcomes" / f"{job}.json", asdict(outcome), durable=False)


def read_outcome(sweep: Path, job: int) -> Outcome | None:
    """The outcome of a job; None if it has none yet."""
    file = sweep / "outcomes" / f"{job}.json"
    return Outcome(**read_json(file)) if file.exists() else None
