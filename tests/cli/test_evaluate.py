"""robustseg evaluate: a finished run on other data."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from robustseg.cli.main import main

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


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "dataset=folder dataset.root="),
        (["dataset=synthetic_chest"], "takes RGB images, and those of synthetic_chest are grey"),
        (["dataset=folder", "dataset.root=nowhere"], "nowhere: no such folder"),
        (["dataset=syntetic"], "did you mean dataset=synthetic"),
        ([*OWN, "--split", "val"], "choose another with --split"),
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
