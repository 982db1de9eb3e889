"""Processes that join, pack and skip the same runs at once."""

from robustseg.records import pack
from robustseg.records.record import Record
from robustseg.runs.finished import read_finished
from robustseg.runs.folder import RunFolder
from robustseg.runs.joined import joined
from robustseg.runs.verify import verify
from robustseg.training import run as run_module
from robustseg.training.run import run
from tests.conftest import miniature
from tests.program import FORK

PROCESSES, ROUNDS = 4, 3
RUNS = [("loss=tloss", "noise.alpha=0.5"), ("dataset=synthetic_chest", "loss=mae")]


def trained_again(*_):
    raise AssertionError("trained again")


def work(number, begin, place, cache):
    """Skip each run under new experiments, pack it, and skip it where only the record has it."""
    run_module.attempt_run = trained_again
    here, record = f"paths.runs={place}/runs", place / "record"
    there = [f"paths.runs={place}/elsewhere", f"records=[{record}]"]
    begin.wait()
    for turn in range(ROUNDS):
        named = f"experiment_name={number}-{turn}"
        for overrides in RUNS:
            run(miniature(place, cache, *overrides, here, named))
        report = pack(None, [place / "runs"], record)
        assert not report.damages and not report.differing and not report.left_out, report
        told = [one.finished.experiments for one in Record(record).runs()]
        kept = [experiments for experiments in told if f"{number}-{turn}" in experiments]
        assert len(kept) >= len(RUNS), "another packer has undone this one's work"
        for overrides in RUNS:
            run(miniature(place, cache, *overrides, *there, named))


def test_joining_packing_and_skipping_at_once_lose_and_double_nothing(
    noisy_run, grey_run, copied, tmp_path, cache
):
    folders = [RunFolder(copied(folder)) for folder in (noisy_run, grey_run)]
    before = [read_finished(folder) for folder in folders]
    begin = FORK.Barrier(PROCESSES)
    processes = [
        FORK.Process(target=work, args=(number, begin, tmp_path, cache))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    names = {f"{number}-{turn}" for number in range(PROCESSES) for turn in range(ROUNDS)}
    for folder, found in zip(folders, before, strict=True):
        now = read_finished(folder)
        assert sorted(now.experiments) == sorted({*found.experiments, *names})
        assert repr(now.numbers) == repr(found.numbers)
        assert verify(folder).state == "verified" and not folder.lock.exists()
    at_rest = joined(tmp_path / "elsewhere")
    assert {run_id: sorted(of) for run_id, of in at_rest.items()} == {
        folder.run_id: sorted(names) for folder in folders
    }
    record = Record(tmp_path / "record")
    kept = record.runs()
    assert record.damages == []
    for folder, found in zip(folders, before, strict=True):
        mine = [one for one in kept if one.run_id == folder.run_id]
        assert {name for one in mine for name in one.finished.experiments} >= names
        assert {repr(one.finished.numbers) for one in mine} == {repr(found.numbers)}
        for one in mine:
            assert one.table("images").num_rows == len(folder.read_rows(folder.images))
    left = [path.name for path in tmp_path.rglob("*") if ".tmp" in path.name]
    assert left == []
