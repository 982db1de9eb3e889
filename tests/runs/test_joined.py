import multiprocessing
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.runs.folder import RunFolder
from robustseg.runs.joined import join, joined
from robustseg.runs.survey import survey

IDS = [f"synthetic-gce-clean-s{seed}-1f2e3d4c" for seed in range(20)]


def join_all(runs, experiment, barrier):
    barrier.wait()
    for run_id in IDS:
        join(runs, run_id, experiment)
        join(runs, run_id, "all of them")


def test_four_processes_that_join_at_once_lose_nothing(tmp_path):
    runs = tmp_path / "runs"
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    names = [f"experiment-{number}" for number in range(4)]
    processes = [context.Process(target=join_all, args=(runs, n, barrier)) for n in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert joined(runs) == {run_id: ["all of them", *names] for run_id in sorted(IDS)}


@pytest.mark.parametrize("name", ["肺" * 60, "ж" * 64, "a/b.c", ".hidden"])
def test_any_name_of_an_experiment_is_kept(tmp_path, name):
    join(tmp_path, IDS[0], name)
    assert joined(tmp_path) == {IDS[0]: [name]}


def test_joining_twice_is_joining_once(tmp_path):
    join(tmp_path, IDS[0], "mine")
    join(tmp_path, IDS[0], "mine")
    assert joined(tmp_path) == {IDS[0]: ["mine"]}


def test_without_notes_nothing_has_joined(tmp_path):
    assert joined(tmp_path) == {}
    assert joined(tmp_path / "nowhere") == {}


def test_the_notes_are_no_runs(tmp_path):
    join(tmp_path, IDS[0], "mine")
    RunFolder(tmp_path / IDS[1]).update_status(state="running")
    assert [run.run_id for run in survey(tmp_path)] == [IDS[1]]


@given(st.sets(st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable())))
def test_names_come_back_and_lead_nowhere_else(tmp_path_factory, names):
    place = tmp_path_factory.mktemp("place")
    for name in names:
        join(place / "runs", IDS[0], name)
    assert joined(place / "runs") == ({IDS[0]: sorted(names)} if names else {})
    files = [os.path.relpath(file, place) for file in place.rglob("*") if file.is_file()]
    assert all(file.startswith("runs/.recorded/") for file in files)
    assert len(files) == len(names)


def test_names_that_lead_out_of_the_folder(tmp_path):
    for name in ("..", ".", "../../out", "/out", ".hidden", "a/b", "%2E"):
        join(tmp_path / "deep" / "runs", IDS[0], name)
    assert joined(tmp_path / "deep" / "runs") == {
        IDS[0]: sorted(["..", ".", "../../out", "/out", ".hidden", "a/b", "%2E"])
    }
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["runs"]
    assert [path.name for path in (tmp_path / "deep" / "runs").iterdir()] == [".recorded"]
