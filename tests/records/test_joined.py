"""Runs that a sweep skipped since a record has them join its experiment when it is packed."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from robustseg.cli.main import main
from robustseg.records import pack, run_ids
from robustseg.records.hashing import hashed_ids
from robustseg.records.layout import read_index
from robustseg.records.record import Record
from robustseg.results.load import load_runs
from robustseg.results.sources import Sources
from robustseg.runs.joined import join
from tests.records.conftest import contents

CELLS = [(alpha, seed) for alpha in (0.0, 0.5) for seed in (0, 1)]
FIRST, SECOND = (Path("experiments") / name / "record" for name in ("first", "second"))
PACK = ["runs", "pack", "second", "-o", str(SECOND)]


@pytest.fixture
def sweeps(add_run, tmp_path, monkeypatch):
    """Two sweeps as they lie in a working directory: the gce runs of both are in a record only.

    A function from keywords of `add_run` to the ids of the gce runs. The folders of all runs are
    in ``../whole`` too, as they were if nothing had been skipped.
    """

    def make(**changes):
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        for alpha, seed in CELLS:
            for place, names in {"whole": ["first", "second"], "away": ["first"]}.items():
                add_run("gce", alpha, seed, place=place, experiments=names, **changes)
            for place in ("whole", "work/runs"):
                add_run("mae", alpha, seed, place=place, experiments=["second"], **changes)
        for place in ("whole", "away"):
            add_run("tloss", place=place, experiments=["first"], **changes)
        pack("first", [Path("../away")], FIRST)
        shared = sorted(run for run in run_ids(FIRST) if "-gce-" in run)
        for run_id in shared:
            join(Path("runs"), run_id, "second")
        return shared

    return make


def results(source, out):
    """The bytes of all files that `robustseg results` writes for the second experiment."""
    where = ["--runs", str(source), "--out", str(out), "--images", "none"]
    assert main(["results", "second", "--ci", *where]) == 0
    return contents(Path(out) / "second")


@pytest.mark.parametrize("public", [True, False])
def test_results_are_those_of_real_folders(sweeps, capsys, public):
    shared = sweeps(public=public)
    before = contents(FIRST)
    assert main(PACK) == 0
    assert "8 runs added" in capsys.readouterr().out
    assert len(shared) == 4 and shared < sorted(run_ids(SECOND))
    assert results(SECOND, "joined") == results("../whole", "real")
    assert contents(FIRST) == before


def test_results_need_no_packing_first(sweeps, capsys):
    shared = sweeps()
    assert results("../whole", "real").keys() == results("runs", "without").keys()
    both = Sources([Path("runs"), FIRST])
    assert set(load_runs(both, experiment="second")["run_id"]) > {*shared}
    capsys.readouterr()
    commands = (["table", "--metric", "dice_image"], ["status"])
    for name, *more in commands:
        shown = []
        for sources in (["runs", str(FIRST)], ["../whole"]):
            assert main([name, "second", "--runs", *sources, *more]) == 0
            shown.append(capsys.readouterr().out.replace(" (record)", ""))
        assert shown[0] == shown[1]


@pytest.mark.parametrize("public", [True, False])
def test_rows_are_those_of_a_record_of_real_folders(sweeps, public):
    sweeps(public=public)
    assert main(PACK) == 0
    pack("second", [Path("../whole")], Path("real"))
    copied, real = ({run.run_id: run for run in Record(at).runs()} for at in (SECOND, Path("real")))
    assert copied.keys() == real.keys()
    for run_id, run in real.items():
        one = copied[run_id]
        assert one.metrics() == run.metrics() and one.status == run.status
        assert (one.hashed, one.public) == (not public, public)
        for kind in ("epochs", "thresholds", "images"):
            frames = [getattr(of, kind)() for of in (one, run)]
            pd.testing.assert_frame_equal(*frames, check_exact=True, check_like=True)


def test_packing_again_adds_nothing(sweeps, capsys):
    sweeps()
    assert main(PACK) == 0
    before = contents(SECOND)
    capsys.readouterr()
    for more in ([], ["--runs", "runs"], ["--runs", "runs", str(FIRST)]):  # it has them itself
        assert main([*PACK, *more]) == 0
        said = capsys.readouterr()
        assert "0 runs added in 0 parts (0.00 MB), 8 there before" in said.out and said.err == ""
    assert contents(SECOND) == before


def test_a_run_of_the_record_itself_joins_there(sweeps, capsys):
    shared = sweeps()
    assert main(["runs", "pack", "second", "-o", str(FIRST), "--runs", "runs"]) == 0
    (before, packed) = read_index(FIRST)
    assert set(packed.runs) > {*shared} and len(packed.runs) == 8
    assert {*shared} < {*before.runs}
    assert results(FIRST, "joined") == results("../whole", "real")


def test_a_run_that_no_record_has_is_named_with_the_remedy(sweeps, capsys):
    first, *others = sweeps()
    join(Path("runs"), "nowhere", "second")
    join(Path("runs"), "of another", "third")
    assert main(PACK) == 0
    said = capsys.readouterr()
    assert "7 runs added" not in said.out and "8 runs added" in said.out
    assert "nowhere: a sweep of second skipped it" in said.err and "of another" not in said.err
    assert "--runs runs RECORD" in said.err
    shutil.rmtree("experiments")
    for folder in Path("runs").glob("synthetic-*"):
        shutil.rmtree(folder)
    assert main(PACK) == 1  # nothing is there
    said = capsys.readouterr().err
    assert (
        all(run in said for run in (first, *others))
        and "runs has no finished run of experiment second" in said
    )
    assert not SECOND.exists()


def test_a_damaged_record_is_named_and_the_next_one_is_used(sweeps, capsys):
    shared = sweeps()
    shutil.copytree(FIRST, "experiments/next/record")
    (file,) = (FIRST / "images").iterdir()
    file.write_bytes(b"garbage")
    assert main(PACK) == 1
    said = capsys.readouterr()
    assert f"{file} is damaged" in said.err and "8 runs added" in said.out
    assert {*shared} < run_ids(SECOND)


def test_other_numbers_in_two_records_are_named(sweeps, add_run, capsys, tmp_path):
    shared = sweeps()
    add_run("gce", 0.5, 0, place="other", experiments=["first"], shift=1)
    pack("first", [tmp_path / "other"], Path("experiments/later/record"))
    assert main(PACK) == 0
    said = capsys.readouterr().err
    assert (
        "different numbers" in said.lower()
        and f"in {FIRST}" in said
        and "experiments/later/record" in said
    )
    assert results(SECOND, "joined") == results("../whole", "real")
    assert len(shared) == 4


def test_a_folder_comes_before_a_record(sweeps, add_run, tmp_path, capsys):
    run_id, *_ = sweeps()
    shutil.copytree(tmp_path / "away" / run_id, Path("runs") / run_id)  # of the first experiment
    (file,) = (Path("runs") / run_id).glob("metrics.json")
    assert file.is_file()
    assert main(PACK) == 0
    assert results(SECOND, "joined") == results("../whole", "real")
    (run,) = (run for run in Record(SECOND).runs() if run.run_id == run_id)
    assert run.finished.experiments == ("first", "second")


def test_all_takes_every_note(sweeps):
    shared = sweeps()
    join(Path("runs"), shared[0], "third")
    report = pack(None, [Path("runs")], Path("all"), elsewhere=[FIRST])
    assert len(report.added) == 8
    experiments = {run.run_id: run.finished.experiments for run in Record(Path("all")).runs()}
    assert experiments[shared[0]] == ("first", "second", "third")
    assert experiments[shared[1]] == ("first", "second")
    assert pack(None, [Path("runs")], Path("all"), elsewhere=[FIRST]).added == []


# Records among the sources.


def test_a_record_is_packed_like_the_folders_it_is_of(sweep, record, tmp_path):
    assert main(["runs", "pack", "mine", "-o", str(tmp_path / "b"), "--runs", str(record)]) == 0
    assert contents(tmp_path / "b") == contents(record) | {
        "README.md": (tmp_path / "b" / "README.md").read_bytes()
    }
    half = sorted(sweep.iterdir())[:4]
    for path in half:
        shutil.copytree(path, tmp_path / "half" / path.name)
    report = pack("mine", [tmp_path / "half", record], tmp_path / "c")
    assert len(report.added) == 8 and report.differing == {}
    assert contents(tmp_path / "c")["record.json"] == contents(record)["record.json"]
    assert pack("other", [record], tmp_path / "d").added == []


def test_runs_with_and_without_a_column_are_told_apart_again(add_run, tmp_path):
    add_run("gce", new=False)
    add_run("tloss")
    pack("mine", [add_run.runs], tmp_path / "a")
    pack("mine", [tmp_path / "a"], tmp_path / "b")
    assert contents(tmp_path / "a")["record.json"] == contents(tmp_path / "b")["record.json"]


def test_plain_ids_of_private_data_are_hashed_unless_asked_for(add_run, tmp_path):
    add_run("gce", public=False)
    pack("mine", [add_run.runs], tmp_path / "plain", image_ids=True)
    pack("mine", [add_run.runs], tmp_path / "hashed")
    pack("mine", [tmp_path / "plain"], tmp_path / "a")
    pack("mine", [tmp_path / "plain"], tmp_path / "b", image_ids=True)
    pack("mine", [tmp_path / "hashed"], tmp_path / "c", image_ids=True)
    indices = {name: contents(tmp_path / name)["record.json"] for name in ("a", "b", "c")}
    assert indices["a"] == indices["c"] == contents(tmp_path / "hashed")["record.json"]
    assert indices["b"] == contents(tmp_path / "plain")["record.json"]
    (run,) = Record(tmp_path / "a").runs()
    assert set(run.images()["id"]) >= {*hashed_ids(["ü"], "f" * 64)}


def test_plain_ids_without_a_fingerprint_are_not_packed(add_run, tmp_path):
    add_run("gce", public=False, fingerprint=None)
    pack("mine", [add_run.runs], tmp_path / "plain", image_ids=True)
    (said,) = pack("mine", [tmp_path / "plain"], tmp_path / "a").left_out.values()
    assert "no fingerprint" in said and "--image-ids" in said


def test_the_name_of_the_folder_of_private_data_is_not_copied(add_run, tmp_path):
    add_run("gce", public=False).update_status(data_folder="St_Mary_patients")
    pack("mine", [add_run.runs], tmp_path / "plain", image_ids=True)
    pack("mine", [add_run.runs], tmp_path / "hashed")
    pack("mine", [tmp_path / "plain"], tmp_path / "copied")
    (plain,), (copied,) = (Record(tmp_path / name).runs() for name in ("plain", "copied"))
    assert plain.status["data_folder"] == "St_Mary_patients" and copied.hashed
    assert "data_folder" not in copied.status
    indices = [contents(tmp_path / name)["record.json"] for name in ("copied", "hashed")]
    assert indices[0] == indices[1]
