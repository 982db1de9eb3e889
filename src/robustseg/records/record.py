"""A record that is read: its runs, their rows, and what of it is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from robustseg.records.layout import (
    DamagedRecord,
    NotKept,
    Packing,
    Part,
    read_index,
    read_part,
)
from robustseg.records.recorded_run import RecordedRun, recorded_runs
from robustseg.records.tables import decode

if TYPE_CHECKING:
    import pyarrow as pa


class Record:
    """A record that is read.

    Damaged parts are noted and not used, with all runs that were packed with them.

    Args:
        path: of the record.

    Attributes:
        damages: what cannot be used, each with its file; complete once `runs` was called.

    Examples:
        >>> Record(Path("experiments/tloss_area_tiles/record")).runs()[0].run_id
        'histopathology-ce-clean-s0-96e567de'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damages: list[str] = []
        self._tables: dict[Part, pa.Table] = {}
        self._places: dict[Part, dict[str, tuple[int, int]]] = {}
        self._runs: list[RecordedRun] | None = None
        self._verified: set[Part] = set()

    def runs(self) -> list[RecordedRun]:
        """The runs of all packings, the oldest first; one id may have several."""
        if self._runs is None:
            self._runs = []
            for packing in self._packings():
                try:
                    self._runs += self.sound_runs(packing)
                except DamagedRecord as error:
                    self.damages.append(f"{error}; its {len(packing.runs)} runs are not used")
        return self._runs

    def rows(self, part: Part, packing: Packing, run_id: str) -> pa.Table:
        """The rows of one run in a part.

        Raises:
            DamagedRecord: the part cannot be used.
            NotKept: it has none of the run.
        """
        if part not in self._tables:
            table = decode(self.path, part, packing.runs)
            self._places[part] = _places(self.path / part.file, table)
            self._tables[part] = table
        if run_id not in self._places[part]:
            raise NotKept(f"{self.path / part.file} has no rows of {run_id}")
        return self._tables[part].slice(*self._places[part][run_id])

    def verify(self, part: Part) -> None:
        """Check once that a part has the checksum of the index.

        Raises:
            DamagedRecord: it does not.
        """
        if part not in self._verified:
            read_part(self.path, part)
            self._verified.add(part)

    def check(self, packing: Packing) -> list[RecordedRun]:
        """Read all parts of a packing.

        Returns:
            Its runs.

        Raises:
            DamagedRecord: a part cannot be used.
        """
        runs = self.sound_runs(packing)
        for part in packing.parts:
            if part.kind != "runs":
                _places(self.path / part.file, decode(self.path, part, packing.runs))
        return runs

    def _packings(self) -> list[Packing]:
        try:
            return read_index(self.path)
        except DamagedRecord as error:
            self.damages.append(f"{error}; the record is not used")
            return []

    def sound_runs(self, packing: Packing) -> list[RecordedRun]:
        """The runs of a packing, once every part is found to have its checksum.

        Raises:
            DamagedRecord: one does not, or the runs are not those of the index.
        """
        for each in packing.parts:
            if each.kind != "runs":  # which `decode` verifies
                self.verify(each)
        part = packing.part("runs")
        assert part is not None
        table = decode(self.path, part, packing.runs)
        try:
            return recorded_runs(self, packing, table)
        except (ValueError, TypeError, KeyError) as error:
            said = f"no {error}" if isinstance(error, KeyError) else error
            raise DamagedRecord(self.path / part.file, f"is damaged: {said}") from error


def run_ids(path: Path) -> set[str]:
    """Return the ids of a record's runs.

    These are the runs that tables have. Of the parts only that of the runs is read, which needs
    pyarrow but no pandas; of the others the checksums are verified.

    Args:
        path: of the record; one that is not there has no runs.

    Raises:
        DamagedRecord: the index is damaged, or names a run that no packing has in sound parts.
    """
    record = Record(path)
    sound: set[str] = set()
    damaged: dict[str, DamagedRecord] = {}
    for packing in read_index(path):
        try:
            sound.update(run.run_id for run in record.sound_runs(packing))
        except DamagedRecord as error:
            damaged |= dict.fromkeys(packing.runs, error)
    lost = damaged.keys() - sound
    if lost:
        raise damaged[min(lost)]
    return sound


def _places(file: Path, table: pa.Table) -> dict[str, tuple[int, int]]:
    """Where each run's rows begin and how many there are.

    Raises:
        DamagedRecord: a run's rows are not together.
    """
    import pyarrow.compute as pc

    encoded = pc.run_end_encode(table["run_id"].cast("string").combine_chunks())
    places: dict[str, tuple[int, int]] = {}
    begin = 0
    for run_id, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        if run_id in places:
            raise DamagedRecord(file, f"is damaged: the rows of {run_id} are not together")
        places[run_id] = begin, end - begin
        begin = end
    return places
