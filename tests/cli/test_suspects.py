"""robustseg suspects, as a user calls it."""

import csv
import shutil

import pytest
import yaml
from PIL import Image

from robustseg.cli.main import main
from tests.conftest import within, without_checksums


@pytest.fixture(autouse=True)
def cached(cache, monkeypatch):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(cache))


def test_of_a_run_with_noise(noisy_run, tmp_path, capsys):
    out, sheet = tmp_path / "suspects.csv", tmp_path / "sheets" / "sheet.png"
    arguments = ["suspects", str(noisy_run), "--top", "3", "-o", str(out), "--sheet", str(sheet)]
    assert main([*arguments, "--count", "6"]) == 0
    text = capsys.readouterr().out
    assert "by T-Loss weight" in text and "auroc" in text
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    with open(noisy_run / "noise.csv", newline="") as file:
        manifest = {row["id"]: row["type"] for row in csv.DictReader(file)}
    assert {row["id"]: row["noise"] for row in rows} == manifest
    doubts = [float(row["doubt (T-Loss weight)"]) for row in rows]
    assert doubts == sorted(doubts, reverse=True)
    assert [row["id"] in text for row in rows[:3]] == [True] * 3
    assert Image.open(sheet).size[0] > 500
    assert main([*arguments[:-2], "--by", "dice"]) == 0
    assert "by 1 - Dice" in capsys.readouterr().out
    with open(out, newline="") as file:
        doubts = [float(row["doubt (1 - Dice)"]) for row in csv.DictReader(file)]
    assert doubts == sorted(doubts, reverse=True) != [doubts[0]] * 10


def test_no_other_file_is_overwritten(noisy_run, tmp_path, capsys):
    images = tmp_path / "images.csv"
    shutil.copy(noisy_run / "images.csv", images)
    assert main(["suspects", str(noisy_run), "-o", str(images)]) == 1
    assert f"{images} exists and is not a list of suspects" in capsys.readouterr().err
    assert images.read_bytes() == (noisy_run / "images.csv").read_bytes()
    with pytest.raises(SystemExit, match="2"):
        main(["suspects", str(noisy_run), "-o", str(tmp_path / "suspects.txt")])


def test_drawn_images_lie_nowhere(noisy_run, tmp_path, capsys):
    assert main(["suspects", str(noisy_run), f"dataset.root={tmp_path}"]) == 2
    assert "are synthetic and have no folder; leave it out" in capsys.readouterr().err


def test_of_a_clean_run_there_is_nothing_to_find(grey_run, capsys):
    assert main(["suspects", str(grey_run)]) == 0
    text = capsys.readouterr().out
    assert "10 training masks, by mean squared residual" in text
    assert "auroc" not in text


def test_other_masks_than_the_run_was_trained_on_are_refused(noisy_run, tmp_path, capsys):
    sent = without_checksums(shutil.copytree(noisy_run, tmp_path / "sent"))
    config = yaml.safe_load((sent / "config.yaml").read_text())
    config["noise"]["seed"] = 1
    (sent / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["suspects", str(sent)]) == 1
    assert "noise.csv differs" in capsys.readouterr().err


def test_a_pattern_that_would_try_for_ever_is_cut_off(noisy_run, tmp_path, capsys, monkeypatch):
    """A pattern in somebody else's run folder: without the limit, 60 letters take years."""
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("L", (8, 8), 255).save(tmp_path / "data" / name / f"{'a' * 60}!.png")
    sent = without_checksums(shutil.copytree(noisy_run, tmp_path / "sent"))
    config = yaml.safe_load((sent / "config.yaml").read_text())
    config["dataset"] |= {"root": str(tmp_path / "data")}
    config["dataset"]["source"] = {
        "_target_": "robustseg.data.Folder",
        "root": str(tmp_path / "data"),
        "group_pattern": "^(a|aa)+$",
    }
    (sent / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr("robustseg.data.sources.folder._PATTERN_S", 0.1)
    with within(60):
        assert main(["suspects", str(sent)]) == 2
    assert "group_pattern '^(a|aa)+$' takes more than 0.1 s on 'aaaa" in capsys.readouterr().err


def test_only_the_place_of_the_data_can_be_overridden(noisy_run, capsys):
    assert main(["suspects", str(noisy_run), "noise.alpha=0"]) == 2
    assert "takes only dataset.root and paths.cache" in capsys.readouterr().err


def test_images_that_have_moved(finished, tmp_path, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    export = ["noise", "export", str(here / "masks"), "--split", "all"]
    small = ["dataset.image_size=32", "dataset.source.train=10", "dataset.source.test=4"]
    assert main([*export, *small]) == 0
    (here / "masks" / "noise.csv").unlink()
    shutil.copytree(here / "masks", here / "images")
    run = finished("dataset=folder", f"dataset.root={here}")
    shutil.move(here, there)
    capsys.readouterr()
    assert main(["suspects", str(run)]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert main(["suspects", str(run), f"dataset.root={there}"]) == 0
    assert "training masks, by T-Loss weight" in capsys.readouterr().out
    for file in (there / "images").iterdir():
        Image.eval(Image.open(file), lambda value: 255 - value).save(file)
    assert main(["suspects", str(run), f"dataset.root={there}"]) == 1
    said = capsys.readouterr().err
    assert f"10 training images at {there}, such as " in said and "split.csv" in said


def test_a_network_that_predicts_no_numbers_believes_nothing(nan_run, capsys):
    assert main(["suspects", str(nan_run), "--device", "cpu"]) == 1
    output = capsys.readouterr()
    assert f"{nan_run.name}: the network's output is NaN" in output.err
    assert (output.err.count("\n"), output.out) == (1, "")
