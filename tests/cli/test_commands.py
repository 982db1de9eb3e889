"""robustseg data and noise, as a user calls them."""

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hydra.errors import InstantiationException
from PIL import Image

from robustseg.cli.main import main

SMALL = ["dataset.image_size=32", "dataset.source.train=10", "dataset.source.test=4"]
DATA, GOLDEN = os.environ.get("ROBUSTSEG_DATA"), os.environ.get("ROBUSTSEG_GOLDEN")


@pytest.fixture(autouse=True)
def cached(cache, monkeypatch):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(cache))


def read(folder):
    with open(folder / "noise.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    masks = {file.stem: np.asarray(Image.open(file)) for file in folder.glob("*.png")}
    return rows, masks


@pytest.mark.parametrize(("split", "count"), [("train", 10), ("test", 4), ("all", 14)])
def test_export_writes_each_mask_and_what_was_done_to_it(tmp_path, split, count):
    command = ["noise", "export", str(tmp_path), "--split", split]
    assert main([*command, *SMALL, "noise.alpha=0.5", "noise.beta=0.7"]) == 0
    rows, masks = read(tmp_path)
    assert len(rows) == len(masks) == count
    assert sum(row["type"] != "clean" for row in rows) == count // 2
    for row in rows:
        mask = (masks[row["id"]] == 255).astype(np.uint8)
        assert hashlib.sha256(mask.tobytes()).hexdigest() == row["sha256"]
        assert mask.sum() == int(row["area_noisy"])


def test_export_of_label_maps_has_a_row_a_class(tmp_path):
    drawn = ["dataset=synthetic_chest_classes", *SMALL, "noise.alpha=0.5", "noise.beta=0.5"]
    assert main(["noise", "export", str(tmp_path), *drawn]) == 0
    rows, masks = read(tmp_path)
    assert len(masks) == 10
    assert [row["class"] for row in rows] == ["left lung", "right lung", "heart"] * 10
    noisy = {row["id"] for row in rows if row["type"] != "clean"}
    assert len(noisy) == 5
    for at, row in enumerate(rows):
        labels = masks[row["id"]]
        assert set(np.unique(labels)) <= {0, 1, 2, 3}
        assert (labels == at % 3 + 1).sum() == int(row["area_noisy"])
        assert (float(row["dice"]) < 1) <= (row["id"] in noisy)


def test_export_of_masks_of_one_name_in_subfolders(tmp_path):
    for number in range(10):
        for kind, value in (("images", 90), ("masks", 255)):
            folder = tmp_path / "mine" / kind / f"p{number}"
            folder.mkdir(parents=True)
            picture = np.zeros((32, 32), np.uint8)
            picture[4 : 12 + number, 4:20] = value
            Image.fromarray(picture).save(folder / "scan.png")
    own = ["dataset=folder", f"dataset.root={tmp_path}/mine", "dataset.source.recursive=true"]
    out = tmp_path / "out"
    assert main(["noise", "export", str(out), "--split", "all", *own, "noise.alpha=0.5"]) == 0
    rows, masks = read(out)
    assert set(masks) == {f"p{number}_scan" for number in range(10)} == {r["id"] for r in rows}


def test_a_check_of_a_fold_says_what_it_uses(capsys):
    given = [*SMALL, "dataset.folds=7", "dataset.fold=2"]
    assert main(["data", "check", *given]) == 0
    assert "a run uses 12 train, 2 test" in capsys.readouterr().out


def test_export_is_what_a_run_trains_on(tmp_path, tiny, only_run):
    from robustseg.training.run import run

    run(tiny("noise.alpha=0.5", "trainer.max_epochs=1"))
    main(["noise", "export", str(tmp_path / "out"), *SMALL, "noise.alpha=0.5"])
    exported, _ = read(tmp_path / "out")
    with open(only_run() / "noise.csv", newline="") as file:
        trained = list(csv.DictReader(file))
    assert [row["sha256"] for row in exported] == [row["sha256"] for row in trained]


def test_export_overwrites_no_masks_but_its_own(tmp_path, capsys):
    make_folder(tmp_path / "mine")
    masks = tmp_path / "mine" / "masks"
    before = {file.name: file.read_bytes() for file in masks.iterdir()}
    own = ["dataset=folder", f"dataset.root={tmp_path / 'mine'}", "dataset.image_size=16"]
    assert main(["noise", "export", str(masks), *own, "noise.alpha=1"]) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in masks.iterdir()} == before
    for _ in range(2):
        assert main(["noise", "export", str(tmp_path / "out"), *own, "noise.alpha=1"]) == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("noise preview", "on a contact sheet: the image with"),
        ("noise preview", "PNG file (default: noise.png)"),
        ("runs verify", "each of which is verified (default: runs; if it has none,"),
        ("table", "latex needs the package booktabs (default: md)"),
        ("claims", "latex needs the package booktabs (default: md)"),
        ("ranks", "latex needs the package booktabs (default: md)"),
    ],
)
def test_help_says_what_is_needed_and_what_is_the_default(call, said, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([*call.split(), "--help"])
    assert said in " ".join(capsys.readouterr().out.split())


def test_preview_draws_a_sheet(tmp_path, capsys):
    sheet = tmp_path / "sheets" / "sheet.png"
    assert (
        main(["noise", "preview", *SMALL, "noise.alpha=1", "-o", str(sheet), "--count", "6"]) == 0
    )
    assert Image.open(sheet).size[0] > 500
    assert "6 noisy masks of 10" in capsys.readouterr().out
    assert main(["noise", "preview", *SMALL, "-o", str(sheet)]) == 1
    assert "noise.alpha" in capsys.readouterr().err


def make_folder(root: Path) -> None:
    for name, values in (("images", 255), ("masks", 1)):
        (root / name).mkdir(parents=True)
        for at in range(10):
            rng = np.random.default_rng(at)
            shape = (24, 24, 3) if name == "images" else (24, 24)
            picture = rng.integers(0, values + 1, shape, dtype=np.uint8)
            Image.fromarray(picture * (255 if values == 1 else 1)).save(root / name / f"{at}.png")


def test_check_reports_and_exits_with_1_on_damage(tmp_path, capsys):
    make_folder(tmp_path)
    arguments = ["data", "check", "dataset=folder", f"dataset.root={tmp_path}"]
    assert main([*arguments, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert sum(report["images"].values()) == 10
    (tmp_path / "images" / "3.png").write_bytes(b"no picture")
    assert main(arguments) == 1
    assert "3.png" in capsys.readouterr().out


def test_check_counts_what_a_run_would_use(tmp_path, capsys):
    make_folder(tmp_path)
    check = ["data", "check", "dataset=folder", f"dataset.root={tmp_path}", "dataset.train_size=3"]
    assert main([*check, "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["used"] == {
        "train": 3,
        **{split: report["images"][split] for split in ("val", "test")},
    }
    assert main(check) == 0
    assert "a run uses 3 train" in capsys.readouterr().out
    assert main([*check[:-1], "dataset.train_size=99"]) == 1
    assert "train_size=99" in capsys.readouterr().err
    assert main([*check[:-1], "dataset.val_fraction=0.2"]) == 1
    assert "has a validation split of its own" in capsys.readouterr().err


def test_a_check_holds_out_what_a_run_would(capsys):
    assert main(["data", "check", *SMALL, "dataset.val_fraction=0.25"]) == 0
    assert "a run uses 8 train, 2 val, 4 test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "arguments", "said"),
    [
        (2, ["data", "check", "dataset=isic"], "did you mean dataset=isic2017"),
        (2, ["data", "check", "dataset=isic2017"], "dataset.root is not set"),
        (2, ["noise", "export", "out", "noise.alhpa=1"], "did you mean noise.alpha"),
        (2, ["noise", "export", "out", "+noise.model.maximum_angle=1"], "did you mean max_angle"),
        (2, ["data", "download", "isic"], "isic2017"),
        (2, ["data", "check", "dataset=synthetic", "dataset.image_size=8"], "choose 16 to 2048"),
        (2, ["noise", "preview", "noise=markov", "noise.model.theta2=7"], "0 < theta2 <= 1"),
    ],
)
def test_a_mistake_is_told_in_a_line_with_the_remedy(code, arguments, said, capsys):
    assert main(arguments) == code
    output = "".join(capsys.readouterr())
    assert said in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data", "check", "dataset.image_size=8"], "dataset.source.size=8: choose 16 to 2048"),
        (
            ["data", "check", "dataset=folder", "dataset.root=x", "dataset.source.channels=2"],
            "channels must be 1 (grey) or 3 (RGB), got 2",
        ),
        (["noise", "preview", *SMALL, "noise=markov", "noise.model.theta2=7"], "0 < theta2 <= 1"),
    ],
)
def test_what_a_constructor_refuses_is_told_in_one_line(arguments, said, capsys):
    assert main(arguments) in (1, 2)
    output = capsys.readouterr()
    assert output.err.startswith(f"robustseg {arguments[0]} {arguments[1]}: ")
    assert said in output.err
    assert (output.err.count("\n"), output.out) == (1, "")


def test_a_fault_in_a_constructor_keeps_its_traceback(monkeypatch):
    def faulty(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("robustseg.data.synthetic.Synthetic.__init__", faulty)
    with pytest.raises(InstantiationException, match="ZeroDivisionError"):
        main(["data", "check"])


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["table", "--sort", "3"])
    assert exit_.value.code == 2
    assert "unrecognized arguments: --sort" in capsys.readouterr().err


@pytest.mark.skipif(not (DATA and GOLDEN), reason="ROBUSTSEG_DATA and ROBUSTSEG_GOLDEN not set")
@pytest.mark.parametrize(
    ("arguments", "golden", "suffix"),
    [
        (
            ["dataset=isic2017", f"dataset.root={DATA}/isic2017",
             "noise.alpha=0.7", "noise.beta=0.7"],
            "noise_isic2017_a0.7_b0.7.csv",
            "_segmentation",
        ),
        (
            ["--split", "all", "dataset=shenzhen", f"dataset.root={DATA}/shenzhen",
             "noise.alpha=0.5", "noise.beta=0.5"],
            "noise_shenzhen_a0.5_b0.5.csv",
            "_mask",
        ),
    ],
)  # fmt: skip
def test_export_gives_the_public_codes_masks(tmp_path, arguments, golden, suffix):
    assert main(["noise", "export", str(tmp_path), "noise=legacy", *arguments]) == 0
    rows, masks = read(tmp_path)
    types = {row["id"]: row["type"] for row in rows}
    with open(Path(GOLDEN) / golden, newline="") as file:
        expected = list(csv.DictReader(file))
    assert len(expected) == len(masks)
    for row in expected:
        mask = (masks[row["id"] + suffix] == 255).astype(np.uint8)
        assert types[row["id"]] == row["type"]
        assert hashlib.sha256(mask.tobytes()).hexdigest()[:16] == row["sha256_16"]
