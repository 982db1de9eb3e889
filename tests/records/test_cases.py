"""A record keeps which test images are of one case, so that its tests are those of folders."""

import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from robustseg.cli.main import main
from robustseg.records import pack
from robustseg.records.hashing import hashed_ids
from robustseg.records.record import Record
from robustseg.runs.files import write_csv

NAMES = ["b", "NA", "a", "ü", "Z", "10", "9", "null"]
CASES = dict(zip(NAMES, ["p1", "p1", "007", "7", "7", "7", "p1", ""], strict=True))
KNOWN = {name: case for name, case in CASES.items() if case}


@pytest.fixture
def grouped(add_run):
    """Writes runs of which test images are of cases; gives their folder."""

    def add(**changes):
        for loss in ("gce", "mae", "tloss"):
            for seed in range(3):
                write_split(add_run(loss, seed=seed, **changes))
        return add_run.runs

    return add


def write_split(folder, cases=CASES):
    rows = [{"id": name, "split": "test", "case": case} for name, case in cases.items()]
    write_csv(folder.split, [{"id": "t", "split": "train", "case": "p1"}, *rows])


def claims(capsys, source):
    assert main(["claims", "--format", "json", "--runs", str(source)]) == 0
    return json.loads(capsys.readouterr().out)


def recorded(path):
    return {run.run_id: run for run in Record(path).runs()}


def test_claims_from_a_record_are_those_of_the_folders(grouped, tmp_path, capsys):
    runs = grouped()
    pack("mine", [runs], tmp_path / "record")
    assert {run.run_id: run.cases() for run in recorded(tmp_path / "record").values()} == {
        folder.name: KNOWN for folder in runs.iterdir()
    }
    found = claims(capsys, tmp_path / "record")
    assert found == claims(capsys, runs)
    assert {(one["images"], one["cases"]) for one in found} == {(8, 4)}


def test_names_of_cases_are_hashed_with_those_of_the_images(grouped, tmp_path, capsys):
    runs = grouped(public=False)
    before = claims(capsys, runs)
    pack("mine", [runs], tmp_path / "hashed")
    pack("mine", [runs], tmp_path / "plain", image_ids=True)
    pack("mine", [tmp_path / "plain"], tmp_path / "hidden")
    pack("mine", [tmp_path / "hashed"], tmp_path / "copied")
    hidden = dict(zip(hashed_ids([*KNOWN], "f" * 64), hashed_ids([*KNOWN.values()], "f" * 64),
                      strict=True))  # fmt: skip
    for name in ("hashed", "hidden", "copied"):
        for run in recorded(tmp_path / name).values():
            assert run.cases() == hidden
        (part,) = (tmp_path / name / "images").iterdir()
        assert not {*CASES, *CASES.values()} & {*pq.read_table(part)["case"].to_pylist()}
        assert claims(capsys, tmp_path / name) == before


def test_a_folder_and_a_hashed_record_agree_on_cases(grouped, tmp_path, capsys):
    runs = grouped(public=False)
    before = claims(capsys, runs)
    pack("mine", [runs], tmp_path / "hashed")
    for folder in sorted(runs.iterdir())[::2]:
        shutil.rmtree(folder)
    assert main(["claims", "--format", "json", "--runs", str(runs), str(tmp_path / "hashed")]) == 0
    assert json.loads(capsys.readouterr().out) == before


def test_a_set_without_cases_has_no_column_of_them(add_run, tmp_path):
    write_split(add_run("gce"), dict.fromkeys(NAMES, ""))
    write_split(add_run("mae"), {name: f"p{name}" for name in NAMES})
    add_run("tloss")  # of an older version, without the file
    pack("mine", [add_run.runs], tmp_path / "record")
    (part,) = (tmp_path / "record" / "images").iterdir()
    assert "case" not in pq.read_table(part).column_names
    assert [run.cases() for run in recorded(tmp_path / "record").values()] == [{}, {}, {}]


def test_runs_with_and_without_cases_are_packed_together(add_run, tmp_path):
    write_split(add_run("gce"))
    add_run("mae")
    pack("mine", [add_run.runs], tmp_path / "record")
    runs = recorded(tmp_path / "record")
    assert sorted(map(len, (run.cases() for run in runs.values()))) == [0, len(KNOWN)]
    for run in runs.values():
        folder = pd.read_csv(add_run.runs / run.run_id / "images.csv", keep_default_na=False)
        assert "case" not in run.images()
        assert sorted(run.images()["id"]) == sorted(map(str, folder["id"]))


def test_a_damaged_list_of_cases_is_named_and_its_run_left_out(add_run, tmp_path):
    folder = add_run("gce")
    folder.split.write_bytes(b"id,split,case\n\xff\n")
    report = pack("mine", [add_run.runs], tmp_path / "record")
    assert "split.csv is not UTF-8" in report.left_out[folder.run_id]
