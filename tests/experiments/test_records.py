"""The records in git are read as a whole by the code beside them, whatever wrote them."""

from pathlib import Path

import pytest

from robustseg.records.layout import read_index
from robustseg.records.record import Record
from robustseg.results.sources import Sources

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RECORDS = sorted(path.parent for path in EXPERIMENTS.glob("*/record/record.json"))


def test_there_are_records():
    assert len(RECORDS) >= 3


@pytest.mark.parametrize("path", RECORDS, ids=[path.parent.name for path in RECORDS])
def test_every_run_of_a_committed_record_is_read(path):
    packings = read_index(path)
    known = {run_id for packing in packings for run_id in packing.runs}
    record = Record(path)
    assert {run.run_id for run in record.runs()} == known
    for packing in packings:
        record.check(packing)
    assert record.damages == []
    sources = Sources(path)
    assert {row["run_id"] for row in sources.rows()} == known
    assert sources.remarks() == []
