"""Whether the parts of a record have the checksums of its index."""

from pathlib import Path

from robustseg.records.layout import DamagedRecord, read_index
from robustseg.records.record import Record
from robustseg.runs.verify import Verdict


def verify_record(path: Path) -> list[Verdict]:
    """What became of each run of a record; a packing is verified as a whole.

    Args:
        path: of the record.
    """
    try:
        packings = read_index(path)
    except DamagedRecord as error:
        return [Verdict(str(path), "damaged", str(error))]
    record, verdicts = Record(path), []
    for packing in packings:
        try:
            record.check(packing)
        except DamagedRecord as error:
            verdicts += [Verdict(run_id, "damaged", str(error)) for run_id in packing.runs]
        else:
            verdicts += [Verdict(run_id, "verified") for run_id in packing.runs]
    return verdicts
