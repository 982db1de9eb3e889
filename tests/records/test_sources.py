"""Tables, figures and reports are the same of folders, of records and of both."""

import io
import json
import re
import shlex
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from robustseg.cli.main import main
from robustseg.records import merge, pack, run_ids
from robustseg.records.hashing import hashed_ids
from robustseg.records.layout import read_index
from robustseg.records.record import Record
from robustseg.results.load import load_runs
from robustseg.results.sources import Sources
from robustseg.results.tables.image_scores import Images
from robustseg.runs.files import read_json
from robustseg.runs.lock import hold
from tests.records.conftest import contents
from tests.records.test_damage import changed, replace


@pytest.fixture
def results(tmp_path, capsys):
    """A function from sources to the bytes of results.csv and table.md, and what was said."""

    def write(*sources, images="none"):
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        where = ["--runs", *map(str, sources), "--out", str(out), "--images", images]
        assert main(["results", "mine", "--ci", *where]) == 0
        said = capsys.readouterr().err
        return contents(out / "mine"), said

    return write


def test_a_record_gives_the_bytes_of_its_folders(sweep, record, results):
    folders, recorded = results(sweep)[0], results(record)[0]
    assert set(folders) >= {"results.csv", "table.md", "dice_against_alpha.png", "image_dice.png"}
    assert recorded == folders
    assert b"0.0" in folders["results.csv"]


def test_of_trained_runs_too(add_run, tmp_path, finished, results):
    runs = tmp_path / "trained"
    for overrides in (["noise.alpha=0.5", "loss=tloss"], ["noise.alpha=0.5", "loss=mae"]):
        folder = finished(*overrides)
        shutil.copytree(folder, runs / folder.name)
    pack(None, [runs], tmp_path / "record")
    texts = []
    for source in (runs, tmp_path / "record"):
        out = tmp_path / f"of-{source.name}.csv"
        assert main(["report", "--runs", str(source), "--images", "none", "-o", str(out)]) == 0
        texts.append(out.read_bytes())
    assert without_calls(texts[0]) == without_calls(texts[1])


def without_calls(page):
    """A report without the commands on it, which name the source of the runs."""
    found = re.sub(rb'<pre [^>]*class="commands">.*?</pre>', b"", page, flags=re.S)
    assert found != page
    return found


def test_a_report_of_a_record_is_that_of_its_folders(sweep, record, tmp_path):
    pages = []
    for source in (sweep, record):
        page = tmp_path / f"{source.name}.html"
        words = ["report", "mine", "--runs", str(source), "--images", "none", "-o", str(page)]
        assert main(words) == 0
        pages.append(without_calls(page.read_bytes()))
    assert pages[0] == pages[1]


def test_the_frames_are_equal(sweep, record):
    folders, recorded = load_runs(sweep), load_runs(record)
    pd.testing.assert_frame_equal(recorded, folders, check_like=True, check_exact=True)
    several = load_runs([sweep, record])
    pd.testing.assert_frame_equal(several, folders, check_like=True, check_exact=True)
    assert load_runs(str(record), loss="gce", alpha=0.5)["seed"].to_list() == [0, 1]


def test_halves_that_are_merged_are_the_whole(add_run, sweep, record, tmp_path, results):
    for at, path in enumerate(sorted(sweep.iterdir())):
        shutil.copytree(path, tmp_path / f"half{at % 2}" / path.name)
    halves = [tmp_path / "half0", tmp_path / "half1"]
    for half in halves:
        pack("mine", [half], tmp_path / f"{half.name}-record")
    parts = [tmp_path / "half0-record", tmp_path / "half1-record"]
    assert results(*parts) == results(record)
    both = tmp_path / "both"
    assert main(["runs", "merge", *map(str, parts), "-o", str(both)]) == 0
    assert results(both) == results(record) == results(halves[0], parts[1])
    assert run_ids(both) == run_ids(record)
    for kind in ("runs", "epochs", "thresholds", "images"):
        whole, merged = (
            pd.concat(pd.read_parquet(file) for file in (place / kind).iterdir()).astype(str)
            for place in (record, both)
        )
        rows = [{tuple(row[sorted(whole)]) for _, row in of.iterrows()} for of in (whole, merged)]
        assert rows[0] == rows[1] and len(whole) == len(merged)


def test_merging_copies_parts_once(sweep, record, tmp_path):
    target = tmp_path / "target"
    assert merge([record], target).files == 4
    assert contents(target)["record.json"] == contents(record)["record.json"]
    before = contents(target)
    assert merge([record, target], target).files == 0
    assert contents(target) == before
    with pytest.raises(FileNotFoundError, match="is not a record"):
        merge([sweep], target)


def test_other_numbers_are_named_and_the_first_source_wins(add_run, tmp_path, results, capsys):
    first, second = add_run("gce"), add_run("gce", place="elsewhere", shift=1)
    add_run("mae")
    pack("mine", [second.path.parent], tmp_path / "record")
    dice = [read_json(folder.metrics)["dice_image"] for folder in (first, second)]
    sources = [add_run.runs, tmp_path / "record"]
    for order in (sources, sources[::-1]):
        values = dice if order is sources else dice[::-1]
        own, said = results(*order)
        assert repr(values[0]).encode() in own["results.csv"]
        assert repr(values[1]).encode() not in own["results.csv"]
        assert "1 run has different numbers in another source" in said
        assert all(repr(value) in said for value in dice) and first.run_id in said
    words = ["table", "mine", "--runs", *map(str, sources), "--duplicates", "all"]
    assert main([*words, "--format", "csv"]) == 0
    output, said = capsys.readouterr()
    assert all(repr(value) in output for value in dice) and "other numbers" not in said
    assert str(sources[0]) in output and str(sources[1]) in output


def test_other_numbers_in_one_merged_record_are_rows_of_their_own(add_run, tmp_path, capsys):
    first, second = add_run("gce"), add_run("gce", place="elsewhere", shift=1)
    dice = [read_json(folder.metrics)["dice_image"] for folder in (first, second)]
    for folder in (first, second):
        pack("mine", [folder.path.parent], tmp_path / f"record-of-{folder.path.parent.name}")
    both = tmp_path / "both"
    parts = [str(tmp_path / f"record-of-{of.path.parent.name}") for of in (first, second)]
    assert main(["runs", "merge", *parts, "-o", str(both)]) == 0
    (row,) = load_runs(both).to_dict("records")
    (remark,) = Sources(both).remarks()
    assert f"{dice[0]} in {both} and {dice[1]} in {both}#2" in remark
    every = load_runs(Sources(both, duplicates="all"))
    assert [of["source"] for of in every["settings"]] == [str(both), f"{both}#2"]
    capsys.readouterr()
    words = ["table", "--runs", str(both), "--duplicates", "all", "--format", "csv"]
    assert main([*words, "--metric", "dice_image"]) == 0
    output = capsys.readouterr().out
    assert all(repr(value) in output for value in dice) and len(output.splitlines()) == 3
    assert row["dice_image"] == dice[0]


def test_experiments_of_all_sources_count(add_run, tmp_path):
    folder = add_run("gce")
    pack("mine", [add_run.runs], tmp_path / "record")
    folder.update_status(experiments=["other"])
    (row,) = load_runs([add_run.runs, tmp_path / "record"]).to_dict("records")
    assert set(row["experiments"]) == {"mine", "other"}


def test_without_runs_records_of_experiments_are_found(record, tmp_path, monkeypatch, capsys):
    place = tmp_path / "clone"
    shutil.copytree(record, place / "experiments" / "mine" / "record")
    (place / "experiments" / "other").mkdir()
    monkeypatch.chdir(place)
    assert main(["table", "mine"]) == 0
    output, said = capsys.readouterr()
    assert "| GCE" in output and "Wilcoxon" in output and said == ""
    assert main(["status"]) == 0
    assert "8 runs: 8 done" in capsys.readouterr().out
    assert main(["figures", "mine"]) == 0
    said = capsys.readouterr().err
    assert "No images, since they come from a record: synthetic-gce-a0-s0" in said
    assert "left out of examples, disagreement" in said


def test_without_an_experiment_only_own_runs_count(record, add_run, tmp_path, monkeypatch, capsys):
    place = tmp_path / "clone"
    shutil.copytree(record, place / "experiments" / "mine" / "record")
    monkeypatch.chdir(place)
    (place / "runs" / ".recorded").mkdir(parents=True)  # no run yet
    note = "runs/ has no runs: showing the records of experiments/\n"
    for command, shown in ((["status"], "8 runs: 8 done"), (["table", "--loss", "gce"], "| GCE")):
        assert main(command) == 0
        output, said = capsys.readouterr()
        assert shown in output and said == note
    for command in (["status", "mine"], ["table", "--runs", "experiments/mine/record"]):
        assert main(command) == 0
        assert capsys.readouterr().err == ""
    for command in ("table", "claims", "ranks", "report"):
        assert main([command]) == 1
        said = f"robustseg {command}: runs/ has no runs; name an experiment: mine\n"
        assert capsys.readouterr() == ("", said)
    own = add_run("nce").path
    shutil.copytree(own, place / "runs" / own.name)
    assert main(["status"]) == 0
    assert "1 run: 1 done" in capsys.readouterr().out
    assert main(["table"]) == 0
    output, said = capsys.readouterr()
    assert "| NCE" in output and "GCE" not in output and said == ""
    assert main(["table", "mine"]) == 0
    output = capsys.readouterr().out
    assert "| NCE" in output and "GCE" in output
    assert main(["table", "--loss", "gce"]) == 1
    assert "with --runs runs experiments/*/record" in capsys.readouterr().err
    assert main(["table", "--loss", "gce", "--runs", "runs", "experiments/mine/record"]) == 0


def test_a_recorded_run_is_done_unless_it_is_trained(add_run, sweep, record):
    first, second = sorted(path.name for path in sweep.iterdir())[:2]
    for name in (first, second):
        (sweep / name / "metrics.json").unlink()
    states = {state.run_id: state.state for state in Sources([sweep]).states()}
    assert [states[first], states[second]] == ["damaged", "damaged"]
    states = {state.run_id: state.state for state in Sources([sweep, record]).states()}
    assert set(states.values()) == {"done"} and len(states) == 8


def test_status_knows_all_experiments_of_a_run(add_run, tmp_path):
    """As tables do: it was packed again under a second one, or another source has that one."""
    folder = add_run("gce")
    pack("mine", [add_run.runs], tmp_path / "record")
    folder.update_status(experiments=["other"])
    pack("other", [add_run.runs], tmp_path / "record")
    folder.update_status(experiments=["third"])
    for sources in ([tmp_path / "record"], [add_run.runs, tmp_path / "record"]):
        (state,) = Sources(sources).states()
        (row,) = Sources(sources).rows()
        assert set(state.experiments) == set(row["experiments"]) >= {"mine", "other"}
    assert main(["status", "--experiment", "other", "--runs", str(tmp_path / "record")]) == 0


def test_of_two_folders_the_one_counts_in_which_a_run_is_finished(add_run, tmp_path):
    done, failed = add_run("gce"), add_run("gce", place="elsewhere")
    failed.mark_failed("OSError", "disk full")
    places = [failed.path.parent, done.path.parent]
    for order in (places, places[::-1]):
        (state,) = Sources(order).states()
        assert state.state == "done" and len(Sources(order).rows()) == 1
    done.update_status(state="running")
    assert [one.state for one in Sources(places).states()] == ["failed"]
    with hold(done.lock):
        assert [one.state for one in Sources(places).states()] == ["running"]


def test_an_experiment_may_stand_behind_the_sources(sweep, record, capsys):
    assert main(["table", "--runs", str(sweep), str(record), "mine"]) == 0
    assert main(["table", "--runs", str(sweep), "--runs", str(record), "mine"]) == 0
    assert main(["table", "--runs", str(sweep), str(record), "nosuch"]) == 1
    assert "none of the 8 finished runs has experiment=nosuch" in capsys.readouterr().err


# Image ids of data that are not public.


@pytest.fixture
def private(add_run):
    for loss in ("gce", "tloss"):
        for seed in (0, 1):
            add_run(loss, seed=seed, public=False)
    return add_run.runs


def test_ids_of_private_data_are_hashes(private, tmp_path):
    pack("mine", [private], tmp_path / "record")
    runs = Record(tmp_path / "record").runs()
    names = ["10", "9", "NA", "Z", "a", "b", "null", "ü"]
    assert all(
        list(dict.fromkeys(run.images()["id"])) == sorted(hashed_ids(names, "f" * 64))
        for run in runs
    )
    data = b"".join(contents(tmp_path / "record").values())
    assert b"f" * 64 not in data and {run.status["fingerprint"] for run in runs} != {"f" * 64}
    assert "hashes" in (tmp_path / "record" / "README.md").read_text()


def test_ids_are_plain_where_that_is_asked_for(private, tmp_path):
    words = ["runs", "pack", "mine", "--runs", str(private), "--image-ids"]
    assert main([*words, "-o", str(tmp_path / "record")]) == 0
    assert all("ü" in set(run.images()["id"]) for run in Record(tmp_path / "record").runs())


def test_hashed_ids_change_no_byte_of_the_results(private, tmp_path, results):
    pack("mine", [private], tmp_path / "hashed")
    pack("mine", [private], tmp_path / "plain", image_ids=True)
    folders = results(private)
    assert b"images" in folders[0]["results.csv"]  # tested, over them
    assert results(tmp_path / "hashed") == results(tmp_path / "plain") == folders


@pytest.mark.parametrize("image_ids", [True, False])
def test_folders_and_hashed_records_pair_their_images(private, tmp_path, results, image_ids):
    whole, said = results(private)
    for path in sorted(private.iterdir())[:2]:
        shutil.move(path, tmp_path / "elsewhere" / path.name)
    pack("mine", [tmp_path / "elsewhere"], tmp_path / "hashed")
    pack("mine", [private], tmp_path / "others", image_ids=image_ids)
    for other in (private, tmp_path / "others"):
        found, said = results(tmp_path / "hashed", other)
        assert (found, "No test" in said) == (whole, False)


def test_rows_with_hashed_ids_are_not_in_the_order_of_the_names(private, tmp_path):
    pack("mine", [private], tmp_path / "hashed")
    pack("mine", [private], tmp_path / "plain", image_ids=True)
    pack("mine", [tmp_path / "plain"], tmp_path / "copied")
    for record in ("hashed", "copied"):
        (file,) = (tmp_path / record / "images").iterdir()
        rows = pd.read_parquet(file).astype({"run_id": str, "id": str})
        for _, own in rows.groupby("run_id"):
            assert list(own["id"]) == sorted(own["id"])  # which says nothing of the names
            assert list(own["epoch"]) == [3, 4] * 8


def test_records_that_kept_the_order_of_the_names_pair_with_others(private, tmp_path, results):
    ends = ["low", "high"]
    whole = pd.read_csv(io.BytesIO(results(private)[0]["results.csv"])).drop(columns=ends)
    assert (whole["p"] < 1).any()
    for path in sorted(private.iterdir())[:2]:
        shutil.move(path, tmp_path / "elsewhere" / path.name)
    pack("mine", [tmp_path / "elsewhere"], tmp_path / "old")
    names = ["10", "9", "NA", "Z", "a", "b", "null", "ü"]
    place = dict(zip(hashed_ids(names, "f" * 64), range(8), strict=True))

    def as_before(table):
        rows = [table[name].to_pylist() for name in ("run_id", "id", "epoch")]
        keys = [(run, place[image], epoch) for run, image, epoch in zip(*rows, strict=True)]
        return table.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__)))

    replace(tmp_path / "old", "images", changed(tmp_path / "old", "images", as_before))
    (first, *_) = Record(tmp_path / "old").runs()
    assert list(dict.fromkeys(first.images()["id"])) == hashed_ids(names, "f" * 64)
    pack("mine", [private], tmp_path / "new")
    for other in (private, tmp_path / "new"):
        found, said = results(other, tmp_path / "old")
        assert "No test" not in said
        # Bootstrap draws go by the order of the images, all else by the pairs.
        found = pd.read_csv(io.BytesIO(found["results.csv"]))
        pd.testing.assert_frame_equal(found.drop(columns=ends), whole, check_exact=True)
    pack("mine", [tmp_path / "old"], tmp_path / "again")
    (first, *_) = Record(tmp_path / "again").runs()
    assert list(dict.fromkeys(first.images()["id"])) == sorted(place)


def test_without_a_fingerprint_ids_cannot_be_hashed(add_run, tmp_path):
    add_run("gce", public=False, fingerprint=None)
    (said,) = pack("mine", [add_run.runs], tmp_path / "record").left_out.values()
    assert "no fingerprint" in said and "--image-ids" in said
    assert pack("mine", [add_run.runs], tmp_path / "record", image_ids=True).added


def test_hashes_depend_on_the_data_and_the_name():
    one = hashed_ids(["a", "b"], "x")
    assert len({*one, *hashed_ids(["a", "b"], "y")}) == 4
    assert hashed_ids(["b", "a"], "x") == one[::-1]


def test_a_run_packed_without_images_says_so(add_run, tmp_path, capsys):
    for loss in ("gce", "tloss"):
        add_run(loss).images.unlink()
    words = ["runs", "pack", "mine", "--runs", str(add_run.runs), "-o", str(tmp_path / "record")]
    assert main(words) == 0
    assert "Packed without" in capsys.readouterr().err
    assert main(["table", "mine", "--runs", str(tmp_path / "record")]) == 0
    assert f"No test over images: {tmp_path / 'record'} has no images" in capsys.readouterr().err


def test_a_changed_part_is_another_question(add_run, tmp_path):
    add_run("gce")
    pack("mine", [add_run.runs], tmp_path / "record")
    (first,) = load_runs(tmp_path / "record")["run_id"]
    before = Images(tmp_path / "record").identity(first)
    sums = {part.sha256 for packing in read_index(tmp_path / "record") for part in packing.parts}
    assert set(before[1:]) == sums and np.all([len(one) == 64 for one in sums])


@pytest.mark.parametrize("command", ["predict", "suspects", "export"])
def test_what_needs_weights_says_that_a_record_has_none(
    record, tmp_path, monkeypatch, capsys, command
):
    place = tmp_path / "clone"
    shutil.copytree(record, place / "experiments" / "mine" / "record")
    monkeypatch.chdir(place)
    (run_id, *_) = sorted(run_ids(record))
    more = {"predict": ["x.png", "-o", "out"], "export": ["-o", "x.onnx"], "suspects": []}[command]
    (place / "x.png").write_bytes(b"")
    for run, said in {
        f"runs/{run_id}": "numbers are in experiments/mine/record",
        f"experiments/mine/record/{run_id}": "a record has neither weights nor pictures",
        "experiments/mine/record": "is a record, which has no weights",
    }.items():
        assert main([command, run, *more]) == 1
        assert said in capsys.readouterr().err


def test_a_filter_may_name_a_source(add_run, capsys):
    first, second = add_run("gce"), add_run("gce", place="elsewhere", shift=1)
    sources = [str(folder.path.parent) for folder in (first, second)]
    dice = [read_json(folder.metrics)["dice_image"] for folder in (first, second)]
    words = ["table", "--runs", *sources, "--where", f"source={sources[1]}"]
    every = [*words, "--duplicates", "all", "--format", "csv", "--metric", "dice_image"]
    assert main(every) == 0
    output = capsys.readouterr().out
    assert repr(dice[1]) in output and repr(dice[0]) not in output
    assert main(words) == 2
    assert "no run has a setting 'source': those have" in capsys.readouterr().err


def test_each_source_keeps_all_of_its_runs(add_run, tmp_path, capsys):
    """Also those that are equal in another; else its means are over a part of them."""
    folders = [add_run("gce", seed=seed) for seed in (0, 1)]
    other = [add_run("gce", place="elsewhere", seed=seed, shift=seed) for seed in (0, 1)]
    pack("mine", [other[0].path.parent], tmp_path / "record")
    sources = [add_run.runs, other[0].path.parent, tmp_path / "record"]
    runs = load_runs(Sources(sources, duplicates="all"))
    of = [own["source"] for own in runs["settings"]]
    seeds = zip(of, runs["seed"], strict=True)
    assert sorted(seeds) == sorted((str(source), seed) for source in sources for seed in (0, 1))
    assert len(set(runs["run_id"])) == 6
    words = ["table", "--runs", *map(str, sources), "--duplicates", "all", "--format", "json"]
    assert main([*words, "--metric", "dice_image"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["runs"] for row in rows] == [2, 2, 2]
    means = {row["source"]: row["mean"] for row in rows}
    for source, of in zip(sources, (folders, other, other), strict=True):
        dice = [read_json(folder.metrics)["dice_image"] for folder in of]
        assert means[str(source)] == pytest.approx(np.mean(dice))


def test_equal_sources_count_once_also_where_all_are_shown(add_run, tmp_path):
    add_run("gce")
    pack("mine", [add_run.runs], tmp_path / "record")
    (row,) = load_runs(Sources([add_run.runs, tmp_path / "record"], "all")).to_dict("records")
    assert "source" not in row["settings"]


def test_the_command_that_a_report_recommends_is_one(add_run, tmp_path, capsys):
    first, second = add_run("gce"), add_run("gce", place="else where", shift=1)
    sources = [str(folder.path.parent) for folder in (first, second)]
    page = str(tmp_path / "report.html")
    assert main(["report", "--runs", *sources, "--images", "none", "-o", page]) == 0
    said = capsys.readouterr().err
    command, *words = shlex.split(re.search(r"`([^`]+)` shows both", said)[1])
    assert command == "robustseg" and main(words) == 0
    shown = capsys.readouterr().out
    assert all(source in shown for source in sources)
