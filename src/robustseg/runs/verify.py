"""Whether the files of a run are those that were written."""

from dataclasses import dataclass

from robustseg.runs.contents import read_status
from robustseg.runs.files import DamagedFile, trouble
from robustseg.runs.folder import RunFolder, noted
from robustseg.runs.identity import SCHEMA


@dataclass(frozen=True)
class Verdict:
    """What became of a run's files.

    Attributes:
        run_id: of the run.
        state: verified (each file is as it was written), damaged, unverified (the run has no
            checksums) or unfinished.
        reason: what is damaged, each with its file.
    """

    run_id: str
    state: str
    reason: str = ""


def verify(folder: RunFolder) -> Verdict:
    """Compare every file of a run with its checksum."""
    try:
        folder.check_plain()
        status = read_status(folder.status)
        folder.check_name(status)
    except (OSError, DamagedFile) as error:
        return Verdict(folder.run_id, "damaged", _said(folder, error))
    if status.get("state") != "done":
        return Verdict(folder.run_id, "unfinished", str(status.get("state")))
    if status.get("schema") != SCHEMA:
        return Verdict(folder.run_id, "unverified", "of another schema")
    files = noted(status)
    if files is None:
        return Verdict(folder.run_id, "unverified", "it was made before checksums were kept")
    reasons = []
    for name in files:
        try:
            folder.read(folder.path / name, status)
        except (OSError, DamagedFile) as error:
            reasons.append(_said(folder, error, name))
    return Verdict(folder.run_id, "damaged" if reasons else "verified", "; ".join(reasons))


def _said(folder: RunFolder, error: OSError | DamagedFile, name: str = "status.json") -> str:
    if isinstance(error, DamagedFile):
        return str(error)
    return f"{name} {trouble(error)}"
