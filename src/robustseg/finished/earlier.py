"""What an earlier predict command left in a folder, and what is not its own."""

from dataclasses import dataclass
from pathlib import Path

from robustseg.errors import DataError
from robustseg.finished.predict import MASKS, OVERLAYS, PROBABILITIES
from robustseg.runs.files import DamagedFile, read_csv

TABLE = "predictions.csv"


@dataclass(frozen=True)
class Earlier:
    """Files below a folder of predictions.

    Attributes:
        table: whether its table is there.
        own: files that the table lists.
        foreign: other files in the folders of masks, probabilities and overlays.
    """

    table: bool
    own: list[Path]
    foreign: list[Path]


def earlier(out: Path) -> Earlier:
    """What is in a folder; nothing if it is not there.

    Raises:
        DataError: its table is there and cannot be read.
    """
    table = out / TABLE
    try:
        ids = {str(row.get("id")) for row in read_csv(table)} if table.exists() else set()
    except (OSError, DamagedFile) as error:
        raise DataError(f"{error}. Choose another folder, or remove it") from error
    own: list[Path] = []
    foreign: list[Path] = []
    for kind in (MASKS, PROBABILITIES, OVERLAYS):
        for file in sorted(one for one in (out / kind).rglob("*") if not one.is_dir()):
            name = file.relative_to(out / kind).with_suffix("").as_posix()
            names = {name, name.partition("/")[2] if kind == PROBABILITIES else name}
            (own if file.suffix == ".png" and names & ids else foreign).append(file)
    return Earlier(table.exists(), own, foreign)
