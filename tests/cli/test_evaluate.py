"""robustseg evaluate: a finished run on other data."""

import csv
import json
import re
import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from robustseg.cli.main import main
from robustseg.data.synthetic import Synthetic
from robustseg.runs.files import write_csv

OWN = ["dataset=synthetic", "dataset.source.train=10", "dataset.source.test=5"]


@pytest.fixture(autouse=True)
def cached(cache, monkeypatch):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(cache))


def rows(file):
    with open(file, newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture
def clinic(tmp_path):
    """A folder of images and masks without a split."""
    for name in ("images", "masks"):
        (tmp_path / "clinic" / name).mkdir(parents=True)
    for at in range(6):
        rng = np.random.default_rng(at)
        image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        mask = np.zeros((40, 50), np.uint8)
        mask[10:30, 5 : 10 + 5 * at] = 255
        Image.fromarray(image).save(tmp_path / "clinic" / "images" / f"{at}.png")
        Image.fromarray(mask).save(tmp_path / "clinic" / "masks" / f"{at}.png")
    return tmp_path / "clinic"


def test_on_its_own_test_set_a_run_gets_its_own_rows(noisy_run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["evaluate", str(noisy_run), *OWN, "-o", str(out), "--device", "cpu"]) == 0
    trained = [row for row in rows(noisy_run / "images.csv") if row.pop("epoch") == "4"]
    found = rows(out / "images.csv")
    assert {row.pop("split") for row in found} == {"test"}
    assert found == trained
    metrics = json.loads((out / "metrics.json").read_text())
    mean = np.mean([float(row["dice"]) for row in trained])
    assert metrics["dice_image"] == pytest.approx(mean)
    assert metrics["run_id"] == noisy_run.name
    text = capsys.readouterr().out
    assert f"{metrics['dice_image']:.4f}" in text and "own test" in text


def test_on_a_folder_of_images(noisy_run, clinic, tmp_path, capsys):
    arguments = ["evaluate", str(noisy_run), "dataset=folder", f"dataset.root={clinic}"]
    out = str(tmp_path / "out")
    assert main([*arguments, "--split", "all", "-o", out, "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["test_images"] == 6 and printed["dataset"]["image_size"] == 32
    found = rows(tmp_path / "out" / "images.csv")
    assert {row["id"] for row in found} == set("012345")
    pixels = [sum(int(row[name]) for name in ("tp", "fp", "fn", "tn")) for row in found]
    assert pixels == [32 * 32] * 6
    for split in ("train", "test"):
        main([*arguments, "--split", split, "--format", "json"])
        part = json.loads(capsys.readouterr().out)["test_images"]
        assert part == sum(row["split"] == split for row in found)


def test_a_drawn_split_of_new_images_is_said_to_be_a_part(noisy_run, clinic, caplog):
    arguments = ["evaluate", str(noisy_run), "dataset=folder", f"dataset.root={clinic}"]
    assert main(arguments) == 0
    assert "only 1 of 6 images of folder are scored" in caplog.text
    assert "Add --split all" in caplog.text
    caplog.clear()
    assert main([*arguments, "--split", "all"]) == 0
    lines = [f"{at},{'train' if at < 3 else 'test'}\n" for at in range(6)]
    (clinic / "split.csv").write_text("".join(["id,split\n", *lines]))
    assert main(arguments) == 0
    assert main(["evaluate", str(noisy_run), *OWN]) == 0  # it was trained on the rest
    assert "are scored" not in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        ["evaluate", "dataset=folder", "dataset.root=x", "--split", "all"],
        ["suspects", "dataset.root=x"],
        ["predict", "dataset.root=x", "photos"],
    ],
)
def test_a_run_that_is_forgotten_is_told(call, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(call)
    said = f"RUN is missing: write robustseg {call[0]} runs/RUN {call[1]}"
    assert said in capsys.readouterr().err


def test_the_part_is_named_and_an_empty_one_is_not_scored(noisy_run, clinic, caplog, capsys):
    arguments = ["evaluate", str(noisy_run), "dataset=folder", f"dataset.root={clinic}"]
    assert main([*arguments, "--split", "train"]) == 0
    assert "only 4 of 6 images of folder are scored, the train part of a random" in caplog.text
    caplog.clear()
    only(3)(clinic)
    assert main([*arguments, "--split", "val"]) == 1
    assert "there are no images in this split" in capsys.readouterr().err
    assert not caplog.text


def all_in(split, clinic):
    lines = [f"{at},{split}\n" for at in range(6)]
    (clinic / "split.csv").write_text("".join(["id,split\n", *lines]))


def only_folders(clinic):
    (clinic / "test").mkdir()
    for kind in ("images", "masks"):
        (clinic / kind).rename(clinic / "test" / kind)


def only(count):
    def delete(clinic):
        for at in range(count, 6):
            for kind in ("images", "masks"):
                (clinic / kind / f"{at}.png").unlink()

    return delete


@pytest.mark.parametrize(
    ("change", "split", "count"),
    [
        (partial(all_in, "test"), "all", 6),
        (partial(all_in, "test"), "test", 6),
        (partial(all_in, "train"), "all", 6),
        (only_folders, "test", 6),
        (only(1), "all", 1),
        (only(2), "all", 2),
    ],
)
def test_what_could_not_be_trained_on_is_scored(noisy_run, clinic, capsys, change, split, count):
    change(clinic)
    arguments = ["evaluate", str(noisy_run), "dataset=folder", f"dataset.root={clinic}"]
    assert main([*arguments, "--split", split, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_images"] == count


def test_a_split_without_images_is_not_scored(noisy_run, clinic, capsys):
    all_in("train", clinic)
    assert main(["evaluate", str(noisy_run), "dataset=folder", f"dataset.root={clinic}"]) == 1
    assert "no images in this split: choose another with --split" in capsys.readouterr().err


def test_columns_stand_below_each_other_however_long_a_name_is(finished, capsys):
    overrides = ["dataset=synthetic_chest_classes", "dataset.source.train=10"]
    run = finished("dataset=synthetic_chest_classes", "noise.alpha=0.5", "loss=ce")
    assert main(["evaluate", str(run), *overrides, "dataset.source.test=5"]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert any(line.startswith("false_positive_pixels_empty/right lung ") for line in lines)
    ends = {re.match(r".*?  +(–|[\d.]+)", line).end(1) for line in lines[1:]}
    assert ends == {re.match(r" +\S+ \(5\)", lines[0]).end()}
    assert {len(line) for line in lines if "–" not in line} == {len(lines[0])}


def test_what_the_column_of_the_own_test_is(noisy_run, capsys):
    assert main(["evaluate", str(noisy_run), *OWN]) == 0
    printed = capsys.readouterr().out
    own = {line.split()[0]: line.split()[-1] for line in printed.splitlines() if line.strip()}
    evaluated = [row for row in rows(noisy_run / "epochs.csv") if row["test_dice_image"]]
    mean = np.mean([float(row["test_dice_image"]) for row in evaluated[-2:]])
    assert own["dice_image"] == f"{mean:.4f}"
    assert "own test: mean over the last 2 evaluations" in printed


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "dataset=folder dataset.root="),
        (["dataset=synthetic_chest"], "takes RGB images, and those of synthetic_chest are grey"),
        (["dataset=folder", "dataset.root=nowhere"], "nowhere: no such folder"),
        (["dataset=syntetic"], "did you mean dataset=synthetic"),
        ([*OWN, "--split", "val"], "choose another with --split"),
        ([*OWN, "dataset.image_size=64"], "takes images of 32 pixels"),
        ([*OWN, "noise.alpha=0.9"], "noise.alpha=0.9: evaluate takes only dataset and paths.cache"),
    ],
)
def test_a_mistake_is_told_in_a_line_with_the_remedy(noisy_run, overrides, said, capsys):
    assert main(["evaluate", str(noisy_run), *overrides]) in (1, 2)
    output = capsys.readouterr().err
    assert said in output
    assert "Traceback" not in output


def test_a_network_that_predicts_no_numbers_is_not_scored(nan_run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["evaluate", str(nan_run), *OWN, "-o", str(out), "--device", "cpu"]) == 1
    output = capsys.readouterr()
    assert f"{nan_run.name}: the network's output is NaN on 5 of 5 images" in output.err
    assert (output.err.count("\n"), output.out, out.exists()) == (1, "", False)


def test_the_runs_own_files_are_not_overwritten(noisy_run, capsys):
    before = (noisy_run / "metrics.json").read_bytes(), (noisy_run / "images.csv").read_bytes()
    assert main(["evaluate", str(noisy_run), *OWN, "-o", str(noisy_run)]) == 1
    assert "nothing was written" in capsys.readouterr().err
    after = (noisy_run / "metrics.json").read_bytes(), (noisy_run / "images.csv").read_bytes()
    assert before == after


def as_files(source, folder, names=str):
    """Writes what a source draws as a folder of images and masks; `names` makes ids of ids."""
    for record in source.records():
        image, mask = source.read(record)
        for kind, array in (("images", image), ("masks", mask * 255)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.squeeze()).save(folder / kind / f"{names(record.id)}.png")
    return folder


def scored(run, folder, tmp_path, *options):
    out = tmp_path / f"out{len(options)}"
    call = ["evaluate", str(run), "dataset=folder", f"dataset.root={folder}", "--split", "all"]
    assert main([*call, "-o", str(out), *options]) == 0
    return {row["id"] for row in rows(out / "images.csv")}, json.loads(
        (out / "metrics.json").read_text()
    )


def test_training_images_are_told_and_can_be_left_out(noisy_run, tmp_path, caplog):
    source = Synthetic("dermoscopy", size=32, train=10, test=5)
    folder = as_files(source, tmp_path / "data", lambda name: name.replace("synthetic", "x"))
    scores, metrics = scored(noisy_run, folder, tmp_path)
    assert len(scores) == 15 and metrics["training_images"] == 10
    told = f"10 of 15 are training images of {noisy_run.name} (by their pixels)"
    assert told in caplog.text and "--without-training leaves them out" in caplog.text
    caplog.clear()
    scores, metrics = scored(noisy_run, folder, tmp_path, "--without-training")
    assert scores == {f"x_test_{k:04d}" for k in range(5)}
    assert metrics["training_images"] == 0 and metrics["test_images"] == 5
    assert f"{told}: left out" in caplog.text


def test_where_all_are_training_images_none_is_left(noisy_run, capsys):
    call = ["evaluate", str(noisy_run), *OWN, "--split", "train", "--without-training"]
    assert main([*call, "--device", "cpu"]) == 1
    assert f"all 10 images are training images of {noisy_run.name}" in capsys.readouterr().err


def test_other_images_of_the_same_ids_are_no_training_images(noisy_run, tmp_path, caplog):
    folder = as_files(Synthetic("dermoscopy", size=32, train=10, test=5, seed=9), tmp_path / "data")
    scores, _ = scored(noisy_run, folder, tmp_path, "--without-training")
    assert len(scores) == 15
    assert "10 of 15 have the id of a training image" in caplog.text
    assert "are training images" not in caplog.text


def test_runs_that_keep_no_checksums_are_compared_by_id(noisy_run, tmp_path, caplog):
    old = tmp_path / "old" / noisy_run.name
    shutil.copytree(noisy_run, old)
    kept = [{k: row[k] for k in ("id", "split", "case")} for row in rows(old / "split.csv")]
    write_csv(old / "split.csv", kept)
    folder = as_files(Synthetic("dermoscopy", size=32, train=10, test=5), tmp_path / "data")
    scores, _ = scored(old, folder, tmp_path, "--without-training")
    assert scores == {f"synthetic_test_{k:04d}" for k in range(5)}
    assert "10 of 15 are training images" in caplog.text and "by their ids" in caplog.text
