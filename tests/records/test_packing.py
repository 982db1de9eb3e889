"""What packing adds, and what it leaves alone."""

import dataclasses
import json
import multiprocessing
import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustseg.cli.main import main
from robustseg.records import pack, packing, readme, run_ids
from robustseg.records.layout import ROWS_LIMIT, DamagedRecord, read_index
from robustseg.records.record import Record
from robustseg.results.load import load_runs
from robustseg.results.one_run import FolderRun
from robustseg.results.sources import Sources
from robustseg.runs.files import DamagedFile, read_csv, read_json, write_csv, write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from tests.conftest import SLOW_WITH_FIXTURE
from tests.records.conftest import contents


def runs_of(record):
    return {run.run_id: run for run in Record(record).runs()}


def test_what_is_read_is_what_the_folders_have(sweep, record):
    runs = runs_of(record)
    assert set(runs) == {path.name for path in sweep.iterdir()} == run_ids(record)
    for run_id, run in runs.items():
        folder = RunFolder(sweep / run_id)
        metrics, status = read_json(folder.metrics), folder.read_status()
        assert dict(run.finished.labels) == metrics["run"]
        assert run.finished.settings == metrics["settings"]
        assert run.numbers["dice_image"] == metrics["dice_image"]
        assert run.numbers["noise.counts.dilate"] == 8
        assert np.isnan(run.numbers["noise.reached"])
        assert ("nu" in run.numbers) == ("nu" in metrics)
        told = ("experiments", "fingerprint", "threads", "processor", "versions", "cost", "epochs")
        assert {name: run.status[name] for name in told} == {name: status[name] for name in told}
        assert run.status["attempts"] == [{"started": "2026-01-02T03:00:00+0000"}]
        assert run.epoch_rows() == read_csv(folder.epochs)


def test_rows_are_equal_bit_for_bit(sweep, record):
    for run_id, run in runs_of(record).items():
        folder = RunFolder(sweep / run_id)
        epochs = pd.DataFrame(read_csv(folder.epochs)).astype(float)
        pd.testing.assert_frame_equal(run.epochs(), epochs, check_exact=True, check_like=True)
        images = pd.DataFrame(read_csv(folder.images))
        images = images.sort_values("id", kind="stable", ignore_index=True)
        found = run.images()
        assert sorted(found) == sorted(images)
        for name in images:
            assert found[name].to_list() == images[name].to_list(), name


def test_thresholds_are_kept(sweep, record):
    for run_id, run in runs_of(record).items():
        rows = read_csv(sweep / run_id / "thresholds.csv")
        assert run.thresholds().to_dict("records") == rows and len(rows) == 19
        assert FolderRun(RunFolder(sweep / run_id)).thresholds().equals(run.thresholds())


@settings(suppress_health_check=SLOW_WITH_FIXTURE, max_examples=40)
@given(
    values=st.lists(
        st.floats(allow_nan=False, width=64) | st.none() | st.integers(-(2**53), 2**53),
        min_size=1,
        max_size=9,
    ).filter(lambda values: any(isinstance(value, float) for value in values))
)
def test_floats_are_kept_exactly(add_run, tmp_path_factory, values):
    folder = add_run("gce")
    write_csv(folder.epochs, [{"epoch": at, "x": value} for at, value in enumerate(values)])
    record = tmp_path_factory.mktemp("record")
    pack("mine", [add_run.runs], record)
    (run,) = Record(record).runs()
    assert run.epoch_rows() == read_csv(folder.epochs)


def test_distances_that_are_no_float32_are_kept_too(add_run, tmp_path):
    folder = add_run("gce")
    rows = read_csv(folder.images)
    write_csv(folder.images, [{**row, "hd95": 0.1} for row in rows])
    numbers = json.loads(folder.metrics.read_text())
    told = {name: 0.1 for name in numbers if name.startswith("hd95")}
    folder.metrics.write_text(json.dumps(numbers | told))
    pack("mine", [add_run.runs], tmp_path / "record")
    (run,) = Record(tmp_path / "record").runs()
    assert set(run.images()["hd95"]) == {0.1}


def test_folders_of_before_have_less(add_run, tmp_path):
    folder = add_run("gce", new=False)
    pack("mine", [add_run.runs], tmp_path / "record")
    (run,) = Record(tmp_path / "record").runs()
    assert "cost" not in run.status
    assert sorted(run.images()) == sorted(read_csv(folder.images)[0])
    assert not (tmp_path / "record" / "thresholds").exists()


def test_types_are_the_smallest_that_fit(record):
    (file,) = (record / "images").iterdir()
    schema = pq.read_schema(file)
    assert [str(schema.field(n).type) for n in ("epoch", "tp", "hd95")] == [
        "uint8",
        "uint16",
        "float",
    ]
    assert not {"dice", "jaccard", "tp_tuned", "tn_tuned"} & set(schema.names)
    assert pq.read_metadata(file).row_group(0).column(0).compression == "ZSTD"


def test_packing_again_adds_nothing(sweep, record):
    before = contents(record)
    report = pack("mine", [sweep], record)
    assert (report.added, len(report.known)) == ([], 8)
    assert contents(record) == before


def test_one_more_run_adds_a_part_and_leaves_the_old_ones(add_run, sweep, record):
    before = contents(record)
    folder = add_run("mae")
    assert pack("mine", [sweep], record).added == [folder.run_id]
    after = contents(record)
    parts = [name for name in before if name.endswith(".parquet")]
    assert {name: after[name] for name in parts} == {name: before[name] for name in parts}
    assert len(after) == len(before) + 4
    first, second = read_index(record)
    assert (len(first.runs), second.runs) == (8, (folder.run_id,))
    assert "9 runs" in (record / "README.md").read_text()


def test_only_finished_runs_of_the_experiment_are_packed(add_run, tmp_path):
    add_run("gce", experiments=["other"])
    add_run("mae").update_status(state="running")
    kept = add_run("tloss")
    report = pack("mine", [add_run.runs], tmp_path / "record")
    assert report.added == [kept.run_id]
    assert list(report.left_out.values()) == ["unfinished"]
    assert len(pack(None, [add_run.runs], tmp_path / "record").added) == 1


def test_a_run_that_joins_another_experiment_is_packed_for_it(add_run, tmp_path):
    folder = add_run("gce")
    pack("mine", [add_run.runs], tmp_path / "record")
    folder.update_status(experiments=["mine", "other"])
    assert pack("other", [add_run.runs], tmp_path / "record").added == [folder.run_id]
    assert pack("other", [add_run.runs], tmp_path / "record").added == []


def test_other_numbers_are_named_and_not_packed(add_run, tmp_path):
    first, second = add_run("gce"), add_run("gce", place="elsewhere", shift=1)
    pack("mine", [add_run.runs], tmp_path / "record")
    report = pack("mine", [second.path.parent], tmp_path / "record")
    values = [str(read_json(folder.metrics)["dice_image"]) for folder in (first, second)]
    (told,) = report.differing.values()
    assert report.added == [] and all(value in told for value in values)


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("images.csv", lambda text: text.replace("3,b,", "3,b,1", 1), "is damaged"),
        ("images.csv", lambda text: text[:-40], "cut off"),
        ("images.csv", lambda text: text.rpartition("\n4,")[0] + "\n", "15 rows instead of 8"),
        ("images.csv", lambda text: text.replace(",tp,", ",xx,"), "no column tp"),
        ("metrics.json", lambda text: other(text, "jaccard_image"), "jaccard_image is 0."),
        ("metrics.json", lambda text: other(text, "dice_pooled"), "dice_pooled is 0."),
        ("epochs.csv", lambda text: text.replace("epoch", "time"), "no row of an epoch"),
        ("epochs.csv", lambda text: text + "x,y\n", "is damaged"),
        ("epochs.csv", lambda text: text.replace("0.125", "soon"), "holds no numbers"),
    ],
)
def test_contradictions_are_left_out_and_said(add_run, tmp_path, file, change, reason):
    path = add_run("gce").path / file
    path.write_text(change(path.read_text()))
    report = pack("mine", [add_run.runs], tmp_path / "record")
    (said,) = report.left_out.values()
    # Which of two files that contradict each other is right, nobody knows.
    named = path.with_name("images.csv") if file == "metrics.json" else path
    assert report.added == [] and str(named) in said and reason in said


def other(text, name):
    """A metrics.json with another value of a number."""
    return json.dumps(json.loads(text) | {name: 0.99})


def test_a_number_that_a_record_calls_otherwise_is_left_out(add_run, tmp_path):
    folder = add_run("gce")
    write_json(folder.metrics, {**read_json(folder.metrics), "threads": 4})
    (said,) = pack("mine", [add_run.runs], tmp_path / "record").left_out.values()
    assert "a number threads" in said


def test_nothing_private_is_kept(record):
    assert not any(b"secret" in data for data in contents(record).values())
    runs = pd.concat(pd.read_parquet(file) for file in (record / "runs").iterdir())
    assert not runs.astype(str).apply(lambda column: column.str.contains("secret")).any().any()


def _pack(place, record):
    pack("mine", [place], record)


def test_packers_at_once_lose_nothing(add_run, tmp_path):
    places = [add_run("gce", seed=at, place=f"part{at}").path.parent for at in range(6)]
    record = tmp_path / "record"
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    packers = [context.Process(target=_pack, args=(place, record)) for place in places * 2]
    for packer in packers:
        packer.start()
    for packer in packers:
        packer.join()
    assert [packer.exitcode for packer in packers] == [0] * 12
    assert len(run_ids(record)) == len(read_index(record)) == 6
    assert len(Record(record).runs()) == 6


def test_a_record_of_another_schema_is_not_written_to(sweep, record):
    index = json.loads((record / "record.json").read_text())
    (record / "record.json").write_text(json.dumps({**index, "schema": 2}))
    before = contents(record)
    with pytest.raises(DamagedRecord, match=r"record\.json has schema 2"):
        pack("mine", [sweep], record)
    assert contents(record) == before


def test_a_folder_that_holds_other_things_is_no_place_for_a_record(sweep, record, tmp_path, capsys):
    mine = tmp_path / "own"
    mine.mkdir()
    (mine / "README.md").write_text("my notes")
    before = contents(tmp_path)
    for target in (mine, sweep):
        for command in (["pack", "mine", "--runs", str(sweep)], ["merge", str(record)]):
            assert main(["runs", *command, "-o", str(target)]) == 2
            said = capsys.readouterr().err
            assert f"{target} is not a record and not empty" in said
            assert f"such as {target / 'record'}" in said
    assert contents(tmp_path) == before


def test_parts_without_an_index_are_those_of_a_killed_packer(sweep, record):
    (record / "record.json").unlink()
    (record / "README.md").unlink()
    pack("mine", [sweep], record)
    assert len(run_ids(record)) == 8


def test_the_command_says_what_it_did(add_run, sweep, tmp_path, capsys):
    out = str(tmp_path / "record")
    words = ["runs", "pack", "mine", "-o", out, "--runs", str(sweep)]
    assert main(words) == 0
    assert f"{out}: 8 runs added in 4 parts" in capsys.readouterr().out
    assert main(words) == 0
    assert "0 runs added in 0 parts (0.00 MB), 8 there before" in capsys.readouterr().out
    assert main([*words[:2], "other", *words[3:]]) == 1
    assert "no finished run" in capsys.readouterr().err
    assert main([*words[:5], "--runs", out]) == 0
    assert "0 runs added in 0 parts (0.00 MB), 8 there before" in capsys.readouterr().out
    assert main([*words[:5], "--runs", str(tmp_path / "nowhere")]) == 1
    assert "no such directory" in capsys.readouterr().err


def test_the_readme_is_of_what_is_in_it(record):
    text = (record / "README.md").read_text()
    assert "| `mine` | 8 |" in text and "| `synthetic` | 8 | plain | generated by robustseg" in text
    names = recipe(record)
    assert len(names["runs"]) == 8 and len(names["images"]) == 8 * 16


def recipe(record):
    """What a reader has who does as the readme says."""
    text = (record / "README.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0].replace('"record"', f'"{record}"')
    names = {}
    exec(code, names)
    return names


def test_the_readme_counts_a_run_once_however_often_it_is_packed(sweep, record):
    before = recipe(record)
    for path in sorted(sweep.iterdir())[:3]:
        RunFolder(path).update_status(experiments=["other"])
    assert len(pack("other", [sweep], record).added) == 3
    text = (record / "README.md").read_text()
    assert "| `mine` | 8 |" in text and "| `other` | 3 |" in text and "A record of 8 runs" in text
    (record / "images" / "orphan.parquet").write_bytes(
        next((record / "images").iterdir()).read_bytes()
    )
    after = recipe(record)
    for kind in ("runs", "epochs", "images"):
        pd.testing.assert_frame_equal(before[kind], after[kind])


def test_metrics_are_those_of_metrics_json(sweep, record):
    for run_id, run in runs_of(record).items():
        assert run.metrics() == read_json(sweep / run_id / "metrics.json")


def test_two_folders_with_other_numbers_are_named(add_run, tmp_path):
    first, second = add_run("gce"), add_run("gce", place="elsewhere", shift=1)
    report = pack("mine", [second.path.parent, add_run.runs], tmp_path / "record")
    (told,) = report.differing.values()
    values = [read_json(folder.metrics)["dice_image"] for folder in (second, first)]
    assert told == (
        f"dice_image {values[0]} in {second.path.parent}, {values[1]} in {add_run.runs}"
    )
    assert runs_of(tmp_path / "record")[first.run_id].numbers["dice_image"] == values[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threads": "many"}, "damaged: threads"),
        ({"processor": 1}, "damaged: processor"),
        ({"cost": [1]}, "damaged: cost"),
        ({"cost": {"train_seconds": "long"}}, "damaged: cost.train_seconds"),
    ],
)
def test_a_status_of_another_kind_is_left_out(add_run, tmp_path, changes, reason):
    add_run("gce").update_status(**changes)
    (said,) = pack("mine", [add_run.runs], tmp_path / "record").left_out.values()
    assert reason in said


@pytest.mark.parametrize("kind", ["runs", "epochs", "images"])
def test_packing_again_mends_a_damaged_part(sweep, record, kind):
    before = contents(record)
    (file,) = (record / kind).iterdir()
    file.write_bytes(b"garbage")
    report = pack("mine", [sweep], record)
    assert len(report.added) == 8 and str(file) in report.damages[0]
    assert contents(record) == before


def test_asking_for_the_ids_imports_no_heavy_library(record):
    program = (
        "import sys, pathlib; from robustseg.records import run_ids;"
        f"print(len(run_ids(pathlib.Path({str(record)!r}))));"
        "print({'torch', 'pandas', 'hydra', 'matplotlib', 'scipy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["8", "set()"]


def test_shares_that_are_undefined_in_every_run_are_kept(add_run, tmp_path):
    """As those of a class that no test image has."""
    folder = add_run("gce")
    metrics = read_json(folder.metrics)
    write_json(folder.metrics, {**metrics, "balanced_accuracy/b": None, "dice_image/b": None})
    rows = read_csv(folder.epochs)
    write_csv(folder.epochs, [{**row, "test_balanced_accuracy/b": None} for row in rows])
    assert pack("mine", [add_run.runs], tmp_path / "record").added == [folder.run_id]
    (run,) = Record(tmp_path / "record").runs()
    assert np.isnan(run.numbers["balanced_accuracy/b"])
    assert run.epochs()["test_balanced_accuracy/b"].isna().all()


def test_a_run_that_no_record_can_hold_stops_no_other(add_run, tmp_path):
    folders = [add_run("gce", seed=seed) for seed in range(7)]
    wrong = folders[4]
    write_csv(wrong.epochs, [{**row, "test_dice_image": 1.5} for row in read_csv(wrong.epochs)])
    record = tmp_path / "record"
    report = pack("mine", [add_run.runs], record)
    assert report.left_out == {
        wrong.run_id: "which no record can hold: epochs: column test_dice_image has the values "
        "1.5 to 1.5"
    }
    assert set(runs_of(record)) == {one.run_id for one in folders} - {wrong.run_id}
    named = {str(record / part.file) for one in read_index(record) for part in one.parts}
    assert {str(file) for file in record.rglob("*.parquet")} == named  # no orphans


@pytest.mark.parametrize(
    ("limit", "value", "runs"),
    [
        ("_RUNS_AT_ONCE", 3, [3, 3, 2]),
        ("_ROWS_AT_ONCE", 2 * 19, [2, 2, 2, 2]),  # rows of thresholds, of which each run has most
        ("_CELLS_AT_ONCE", 3 * 16 * 11, [3, 3, 2]),  # rows of images and their columns
    ],
)
def test_a_packing_is_as_large_as_a_reader_takes(sweep, tmp_path, monkeypatch, limit, value, runs):
    monkeypatch.setattr(packing, limit, value)
    pack("mine", [sweep], tmp_path / "record")
    assert [len(one.runs) for one in read_index(tmp_path / "record")] == runs
    assert len(runs_of(tmp_path / "record")) == 8


def test_nothing_is_written_that_the_index_may_not_name(sweep, add_run, tmp_path, monkeypatch):
    """Runs that are too large together are packed apart, one that is too large alone is not."""
    monkeypatch.setitem(ROWS_LIMIT, "thresholds", 3 * 19)
    large = add_run("mae")
    rows = read_csv(large.thresholds)
    write_csv(large.thresholds, [{**row, "epoch": epoch} for epoch in range(4) for row in rows])
    report = pack("mine", [sweep], tmp_path / "record")
    (why,) = (report.left_out[run_id] for run_id in report.left_out)
    assert [*report.left_out] == [large.run_id] and "76 rows" in why and "limits: 57 rows" in why
    assert len(run_ids(tmp_path / "record")) == len(runs_of(tmp_path / "record")) == 8


def nameless(folder, name):
    """A run whose files do not tell its id, in a folder of another name."""
    for file in (folder.status, folder.metrics):
        content = read_json(file)
        content["run"].pop("run_id")
        write_json(file, {key: value for key, value in content.items() if key != "run_id"})
    return RunFolder(folder.path.rename(folder.path.with_name(name)))


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        ("a\x01b", "a\\x01b", "control characters in its name"),
        ("a\x9bb", "a\\x9bb", "control characters in its name"),
        ("a\\b", "a\\b", "no record can hold: a run may not have this name"),
    ],
)
def test_a_folder_whose_name_no_reader_takes_is_left_out(add_run, tmp_path, name, shown, why):
    """Or else nothing of the record could be read again."""
    kept = add_run("mae")
    nameless(add_run("gce"), name)
    report = pack("mine", [add_run.runs], tmp_path / "record")
    assert report.added == [kept.run_id] and [*report.left_out] == [shown]
    assert why in report.left_out[shown]
    assert run_ids(tmp_path / "record") == {kept.run_id}


def restart(folder):
    """What `force=true` does to a finished run, and its first two epochs."""
    config, epochs = folder.config.read_text(), read_csv(folder.epochs)
    experiments = folder.read_status()["experiments"]
    folder.set_aside()
    folder.update_status(schema=SCHEMA, run_id=folder.run_id, state="running")
    folder.update_status(experiments=experiments, attempts=[{"started": "2026-02-03T00:00:00"}])
    folder.config.write_text(config)
    write_csv(folder.epochs, [{**row, "train_loss": 7.0} for row in epochs[:2]])


@pytest.mark.parametrize("noted", [True, False])
def test_two_trainings_of_a_run_are_not_mixed(add_run, tmp_path, monkeypatch, noted):
    """The run restarts between the search for finished runs and the reading of their rows."""
    folder, other = add_run("gce"), add_run("mae")
    if noted:
        folder.update_status(files=folder.files())
    locked = packing.locked

    @contextmanager
    def late(record):
        with locked(record):
            restart(folder)
            yield

    monkeypatch.setattr(packing, "locked", late)
    report = pack("mine", [add_run.runs], tmp_path / "record")
    assert report.added == [other.run_id] and [*report.left_out] == [folder.run_id]
    why = f"{folder.epochs} is damaged" if noted else f"{folder.path} has been restarted"
    assert why in report.left_out[folder.run_id]
    assert run_ids(tmp_path / "record") == {other.run_id}


def test_a_run_without_a_file_that_it_noted_is_left_out(add_run, tmp_path):
    folder = add_run("gce")
    write_csv(folder.split, [{"id": one, "split": "test", "case": "p"} for one in ("a", "b")])
    folder.update_status(files=folder.files())
    folder.split.unlink()
    report = pack("mine", [add_run.runs], tmp_path / "record")
    assert report.added == [] and "split.csv is missing" in report.left_out[folder.run_id]


def test_tables_do_not_mix_two_trainings(add_run):
    folder = add_run("gce")
    folder.update_status(files=folder.files())
    sources = Sources(add_run.runs)
    (row,) = sources.rows()
    restart(folder)
    run = sources.find(row["run_id"])
    assert run.status["state"] == "done"
    with pytest.raises(DamagedFile, match=r"epochs\.csv is damaged"):
        run.epochs()
    with pytest.raises(FileNotFoundError):
        run.images()


@pytest.mark.parametrize("path", ["/home/jane/encoder.pt", "C:\\jane\\encoder.pt"])
def test_paths_among_the_settings_are_named(add_run, tmp_path, capsys, path):
    """Runs with two files of one name differ, so the paths are kept."""
    runs = [add_run("gce", run_id="first"), add_run("gce", run_id="second"), add_run("mae")]
    weights = [path, path.replace("jane", "john"), "encoder.pt"]
    for run, file in zip(runs, weights, strict=True):
        metrics = read_json(run.metrics)
        metrics["settings"]["model"] = {"weights": file, "more": ["a", file]}
        write_json(run.metrics, metrics)
    words = ["runs", "pack", "mine", "--runs", str(add_run.runs), "-o", str(tmp_path / "record")]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert f"first: model.weights={path}, model.more={path}" in said and "second: model" in said
    assert runs[2].run_id not in said
    pd.testing.assert_frame_equal(
        load_runs(tmp_path / "record"), load_runs(add_run.runs), check_like=True
    )
    report = pack(None, [tmp_path / "record"], tmp_path / "copy")
    assert sorted(report.paths) == ["first", "second"]


def test_numbers_that_cannot_be_nested_again_are_left_out(add_run, tmp_path):
    wrong, *right = add_run("gce"), add_run("mae"), add_run("tloss")
    added = [{"extra": 1.0, "extra.deep": 2.0}, {"extra": 1.0}, {"extra": {"deep": 2.0}}]
    for folder, numbers in zip([wrong, *right], added, strict=True):
        write_json(folder.metrics, {**read_json(folder.metrics), **numbers})
    report = pack("mine", [add_run.runs], tmp_path / "record")
    assert report.left_out == {
        wrong.run_id: "which no record can hold: runs: extra is a number and has one inside, "
        "extra.deep"
    }
    runs = runs_of(tmp_path / "record")
    assert {run_id: run.metrics() for run_id, run in runs.items()} == {
        folder.run_id: read_json(folder.metrics) for folder in right
    }


def test_the_readme_obeys_no_name(add_run, tmp_path, monkeypatch):
    """Whoever lets one through that readers refuse today."""
    add_run("gce", experiments=["a|b`c", "evil"])
    monkeypatch.setattr(readme, "Record", lambda path: Evil(path))
    pack(None, [add_run.runs], tmp_path / "record")
    text = (tmp_path / "record" / "README.md").read_text()
    assert "| `a·b·c` | 1 |" in text and "| `\\x1b]0;evil\\x07` | 1 |" in text


class Evil(Record):
    def runs(self):
        names = {"evil": "\x1b]0;evil\x07"}
        for run in super().runs():
            experiments = tuple(names.get(one, one) for one in run.finished.experiments)
            run.finished = dataclasses.replace(run.finished, experiments=experiments)
        return super().runs()
