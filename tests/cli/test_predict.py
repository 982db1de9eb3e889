"""robustseg predict: new images of every kind, at their own size."""

import csv
import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from robustseg.cli.main import main
from robustseg.errors import DataError
from robustseg.finished.load import load_run
from robustseg.finished.new_images import find_images, output_names
from robustseg.finished.predict import outlined
from tests.conftest import without_checksums


def picture(height, width, seed=0):
    """A bright blot on a dark ground, in colour."""
    rows, columns = np.mgrid[:height, :width]
    near = np.hypot(rows / height - 0.5, columns / width - 0.4) < 0.25
    noise = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    return (near[..., None] * 150 + noise).astype(np.uint8)


def predict(run, *arguments):
    return main(["predict", str(run), *map(str, arguments), "--device", "cpu"])


@pytest.fixture
def kinds(tmp_path):
    """A folder with an image of each kind, and their sizes as (height, width)."""
    folder = tmp_path / "in"
    folder.mkdir()
    colour = Image.fromarray(picture(50, 70))
    for mode in ("RGB", "RGBA", "L", "LA", "P", "CMYK"):
        colour.convert(mode).save(folder / f"{mode}.{'tif' if mode == 'CMYK' else 'png'}")
    deep = np.asarray(colour.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    colour.resize((32, 32)).save(folder / "same.png")
    colour.resize((9, 300)).save(folder / "narrow.bmp")
    colour.resize((1, 1)).save(folder / "pixel.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # asks for a quarter turn, which no reader of the project makes
    colour.save(folder / "turned.jpg", exif=exif)
    sizes = {file.stem: (50, 70) for file in folder.iterdir()}
    return folder, {**sizes, "same": (32, 32), "narrow": (300, 9), "pixel": (1, 1)}


@pytest.mark.parametrize("run", ["noisy_run", "grey_run"])
def test_every_kind_of_image_is_predicted_at_its_own_size(run, kinds, tmp_path, request):
    folder, sizes = kinds
    out = tmp_path / "out"
    assert predict(request.getfixturevalue(run), folder, "-o", out, "--batch-size", 4) == 0
    for name, size in sizes.items():
        mask = np.asarray(Image.open(out / "masks" / f"{name}.png"))
        deep = np.asarray(Image.open(out / "probabilities" / f"{name}.png"))
        assert (mask.dtype, deep.dtype) == (np.uint8, np.uint16)
        assert mask.shape == deep.shape == size
        assert set(np.unique(mask)) <= {0, 255}
        sure = np.abs(deep.astype(int) - 32767.5) > 1  # apart from what 16 bits round
        assert np.array_equal((mask == 255)[sure], (deep > 32767)[sure])
    assert not (out / "overlays").exists()
    with open(out / "predictions.csv", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert {name: (int(r["height"]), int(r["width"])) for name, r in rows.items()} == sizes
    foreground = np.asarray(Image.open(out / "masks" / "RGB.png")).mean() / 255
    assert float(rows["RGB"]["foreground"]) == pytest.approx(foreground)


def test_probabilities_are_those_of_the_network_resized_back(noisy_run, tmp_path):
    image = Image.fromarray(picture(96, 80))
    image.save(tmp_path / "a.png")
    assert predict(noisy_run, tmp_path / "a.png", "-o", tmp_path / "out") == 0
    run = load_run(noisy_run, device="cpu")
    small = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR))
    with torch.inference_mode():
        probability = run.predictor(torch.from_numpy(small.copy())[None]).sigmoid()
    wanted = functional.interpolate(probability, (96, 80), mode="bilinear")[0, 0].numpy()
    found = np.asarray(Image.open(tmp_path / "out" / "probabilities" / "a.png")) / 65535
    assert np.abs(found - wanted).max() < 1e-4
    assert np.ptp(wanted) > 0.01  # not constant, or nothing was compared


def test_masks_of_a_data_set_are_never_overwritten(noisy_run, tmp_path, capsys):
    mask, image = tmp_path / "mine/masks/a.png", tmp_path / "mine/images/a.png"
    for file in (mask, image):
        file.parent.mkdir(parents=True)
        Image.fromarray(picture(20, 20)).save(file)
    before = mask.read_bytes()
    assert predict(noisy_run, image.parent, "-o", tmp_path / "mine", "--force") == 1
    said = capsys.readouterr().err
    assert f"{mask} is not listed in" in said and "--force" not in said
    assert mask.read_bytes() == before
    assert not (tmp_path / "mine/probabilities").exists()
    other = tmp_path / "b.png"
    Image.fromarray(picture(20, 20)).save(other)
    assert predict(noisy_run, other, "-o", tmp_path / "mine") == 1  # nor mixed with other masks
    assert not (tmp_path / "mine/predictions.csv").exists()
    mask.unlink()
    for _ in range(2):  # its own output, the second time
        assert predict(noisy_run, image.parent, "-o", tmp_path / "mine", "--force") == 0


def test_force_leaves_nothing_of_the_earlier_call(noisy_run, tmp_path, capsys):
    out = tmp_path / "out"
    for name in "ab":
        Image.fromarray(picture(20, 20)).save(tmp_path / f"{name}.png")
    assert predict(noisy_run, tmp_path, "-o", out, "--overlay") == 0
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    assert predict(noisy_run, tmp_path, "-o", out, "--force") == 1
    left = {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()}
    assert left == {"predictions.csv", "masks/c.png", "probabilities/c.png"}


def test_an_interrupted_call_lists_what_it_wrote(noisy_run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for name in "abc":
        Image.fromarray(picture(20, 20)).save(tmp_path / f"{name}.png")

    def interrupted(found, *words):
        yield next(found)
        raise KeyboardInterrupt

    monkeypatch.setattr("robustseg.terminal.progress.track", interrupted)
    predict(noisy_run, tmp_path, "-o", out, "--batch-size", 1)
    rows = list(csv.DictReader((out / "predictions.csv").open(newline="")))
    assert [(row["id"], "interrupted" in row["error"]) for row in rows] == [
        ("a", False),
        ("b", True),
        ("c", True),
    ]
    monkeypatch.undo()
    assert predict(noisy_run, tmp_path, "-o", out, "--force") == 0
    assert {file.name for file in (out / "masks").iterdir()} == {"a.png", "b.png", "c.png"}


def test_outputs_of_an_earlier_call_are_no_images(noisy_run, tmp_path, capsys):
    Image.fromarray(picture(20, 20)).save(tmp_path / "a.png")
    pattern, out = f"{tmp_path}/**/*.png", tmp_path / "out"
    for _ in range(2):
        assert predict(noisy_run, pattern, "-o", out, "--force") == 0
    rows = list(csv.DictReader((out / "predictions.csv").open(newline="")))
    assert [row["id"] for row in rows] == ["a"]
    assert predict(noisy_run, out / "masks", "-o", out, "--force") == 1
    assert "all images are outputs of an earlier command" in capsys.readouterr().err


def test_what_is_passed_over_and_what_is_odd_is_said(noisy_run, tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    colour = Image.fromarray(picture(20, 30))
    colour.save(tmp_path / "turned.tif", exif=exif)
    colour.save(tmp_path / "pages.tif", save_all=True, append_images=[colour])
    for name in ("a.dcm", "b.dcm", "c.jfif", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere")
    assert predict(noisy_run, tmp_path, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().err
    for words in (
        f"{tmp_path}: 2 .dcm files are not read: convert",
        f"{tmp_path}: 1 .jfif file is not read: rename",
        f"{tmp_path}/lost.png: a link to nothing",
        f"{tmp_path}/turned.tif: an orientation tag, which is not applied",
        f"{tmp_path}/pages.tif: several pages, of which the first is predicted",
    ):
        assert f"robustseg predict: warning: {words}" in said
    assert "notes" not in said
    assert Image.open(tmp_path / "out/masks/turned.png").size == (30, 20)
    assert predict(noisy_run, tmp_path / "a.dcm", "-o", tmp_path / "other") == 1
    assert "a.dcm: .dcm files are not read: convert" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_an_error_of_one_image(noisy_run, tmp_path, capsys):
    Image.fromarray(picture(20, 20)).save(tmp_path / "a.png")
    shutil.copy(tmp_path / "a.png", os.fsencode(tmp_path) + b"/b\xff.png")
    assert predict(noisy_run, tmp_path, "-o", tmp_path / "out") == 1
    assert "b\\xff.png: its name is not UTF-8. Rename it" in capsys.readouterr().err
    rows = list(csv.DictReader((tmp_path / "out" / "predictions.csv").open(newline="")))
    assert [row["id"] for row in rows] == ["a", "b\\xff"]


def test_a_bad_file_is_told_and_the_others_go_on(noisy_run, tmp_path, capsys):
    for at in range(3):
        Image.fromarray(picture(20, 20, at)).save(tmp_path / f"{at}.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    cut = (tmp_path / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(cut[: len(cut) // 2])
    assert predict(noisy_run, tmp_path, "-o", tmp_path / "out", "--batch-size", 2) == 1
    output = capsys.readouterr()
    assert "3 of 5 images" in output.out
    bad, cut = output.err.splitlines()[-2:]
    assert bad.startswith(f"robustseg predict: {tmp_path / 'bad.png'}: ") and "cut.png" in cut
    assert "Traceback" not in output.err
    assert {f.stem for f in (tmp_path / "out" / "masks").iterdir()} == {"0", "1", "2"}
    rows = list(csv.DictReader((tmp_path / "out" / "predictions.csv").open(newline="")))
    assert [bool(row["error"]) for row in rows] == [False, False, False, True, True]


def test_what_is_no_number_is_no_background(nan_run, tmp_path, capsys):
    Image.fromarray(picture(20, 20)).save(tmp_path / "a.png")
    assert predict(nan_run, tmp_path / "a.png", "-o", tmp_path / "out") == 1
    assert f"a.png: the output of {nan_run.name} on it is NaN" in capsys.readouterr().err
    assert not list((tmp_path / "out" / "masks").iterdir())


def test_equal_names_of_several_folders_stay_apart(noisy_run, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(picture(20, 30 if name == "a" else 40)).save(tmp_path / name / "x.png")
    out = tmp_path / "out"
    assert predict(noisy_run, tmp_path / "a", tmp_path / "b" / "*.png", "-o", out) == 0
    widths = {name: Image.open(out / "masks" / name / "x.png").width for name in ("a", "b")}
    assert widths == {"a": 30, "b": 40}


def test_names_of_outputs(tmp_path):
    images = [tmp_path / name for name in ("a/x.png", "a/y.png", "b/c/X.png")]
    assert output_names(images[:2]) == ["x", "y"]
    assert output_names(images) == ["a/x", "a/y", "b/c/X"]
    with pytest.raises(DataError, match="would have the same output"):
        output_names([tmp_path / "x.png", tmp_path / "x.jpg"])


def test_nothing_is_overwritten_unasked(noisy_run, tmp_path, capsys):
    Image.fromarray(picture(20, 20)).save(tmp_path / "x.png")
    out = tmp_path / "out"
    assert predict(noisy_run, tmp_path / "x.png", "-o", out) == 0
    mask = out / "masks" / "x.png"
    mask.write_bytes(b"mine")
    assert predict(noisy_run, tmp_path / "x.png", "-o", out) == 1
    assert "--force" in capsys.readouterr().err
    assert mask.read_bytes() == b"mine"
    assert predict(noisy_run, tmp_path / "x.png", "-o", out, "--force") == 0
    assert mask.read_bytes() != b"mine"


def test_a_higher_threshold_gives_a_part_of_the_mask(noisy_run, tmp_path):
    Image.fromarray(picture(40, 40)).save(tmp_path / "x.png")
    predict(noisy_run, tmp_path / "x.png", "-o", tmp_path / "0")
    deep = np.asarray(Image.open(tmp_path / "0" / "probabilities" / "x.png")) / 65535
    masks = []
    for threshold in np.quantile(deep, [0.25, 0.75]).round(4):
        out = tmp_path / str(threshold)
        predict(noisy_run, tmp_path / "x.png", "-o", out, "--threshold", threshold)
        masks.append(np.asarray(Image.open(out / "masks" / "x.png")) == 255)
        sure = np.abs(deep - threshold) > 1e-4
        assert np.array_equal(masks[-1][sure], (deep > threshold)[sure])
    assert 0 < masks[1].sum() < masks[0].sum()


@pytest.mark.parametrize("words", [["--threshold", "1"], ["--batch-size", "0"]])
def test_an_option_out_of_range_is_refused(noisy_run, words, capsys):
    with pytest.raises(SystemExit) as exit_:
        predict(noisy_run, "x.png", "-o", "out", *words)
    assert exit_.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_images_are_found_by_file_folder_and_pattern(tmp_path):
    (tmp_path / "deeper").mkdir()
    names = ("b.png", "a.JPG", "[1].png", "notes.txt", ".hidden.png", "deeper/c.png")
    for name in names:
        (tmp_path / name).touch()

    def found(*words):
        images = find_images([str(tmp_path / word) for word in words])
        return [str(image.relative_to(tmp_path)) for image in images]

    assert found("") == ["[1].png", "a.JPG", "b.png"]
    assert found("b.png", "") == ["b.png", "[1].png", "a.JPG"]
    assert found("b.png", "deeper/../b.png") == ["b.png"]
    assert found("**/*.png") == ["[1].png", "b.png", "deeper/c.png"]
    assert found("[1].png") == ["[1].png"]
    for word in ("no.png", "*.tif"):
        with pytest.raises(DataError, match="no such file"):
            found(word)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image in it") as caught:
        found("empty")
    assert "**" not in str(caught.value)
    (tmp_path / "empty" / "sub").mkdir()
    (tmp_path / "b.png").rename(tmp_path / "empty" / "sub" / "b.png")
    with pytest.raises(DataError, match="no image in it") as caught:
        found("empty")
    pattern = shlex.split(str(caught.value))[-1]
    assert [path.name for path in find_images([pattern])] == ["b.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_outline_is_drawn_around_the_mask(channels):
    image = np.full((60, 80, channels), 90, np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    drawn = outlined(image, mask)
    assert drawn.shape == (60, 80, 3)
    changed = (drawn != 90).any(axis=2)
    assert changed[20, 30:50].all() and changed[20:40, 49].all()
    assert not changed[24:36, 34:46].any()  # inside
    assert not changed[:17].any() and not changed[:, 53:].any()  # outside
    assert not (outlined(image, mask & False) != 90).any()
    assert (image == 90).all()


def test_overlays_are_written_at_the_images_size(noisy_run, tmp_path):
    Image.fromarray(picture(50, 70)).convert("L").save(tmp_path / "x.png")
    assert predict(noisy_run, tmp_path / "x.png", "-o", tmp_path / "out", "--overlay") == 0
    overlay = Image.open(tmp_path / "out" / "overlays" / "x.png")
    assert (overlay.size, overlay.mode) == ((70, 50), "RGB")


def twelve_bits(path):
    deep = np.asarray(Image.fromarray(picture(50, 70)).convert("L")).astype(np.uint16) * 16
    deep[0, 0] = 4095
    Image.fromarray(deep).save(path)


def probabilities(out, *names):
    return [
        np.asarray(Image.open(out / "probabilities" / f"{name}.png")).astype(int) for name in names
    ]


def test_twelve_bits_are_read_as_the_run_reads_or_scaled(grey_run, tmp_path, capsys):
    twelve_bits(tmp_path / "deep.png")
    Image.fromarray(picture(50, 70)).convert("L").save(tmp_path / "plain.png")
    both = [tmp_path / "deep.png", tmp_path / "plain.png"]
    assert predict(grey_run, *both, "-o", tmp_path / "out") == 0
    error = capsys.readouterr().err
    assert "warning: the largest value of 1 image of 16 bits is 4095" in error
    assert "give 16 grey levels" in error and "add --image-bits 12 --force" in error
    assert predict(grey_run, *both, "-o", tmp_path / "scaled", "--image-bits", 12) == 0
    assert "warning" not in capsys.readouterr().err
    deep, plain = probabilities(tmp_path / "scaled", "deep", "plain")
    assert np.abs(deep - plain).max() < 2000  # of 65535; one pixel differs


def test_a_dark_image_has_the_grey_levels_that_training_gave_it(grey_run, tmp_path, capsys):
    """A set is judged by its largest value, in training and here."""
    rng = np.random.default_rng(0)
    dark = rng.integers(0, 9000, (50, 70)).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    Image.fromarray(7 * dark).save(tmp_path / "bright.png")
    Image.fromarray((dark >> 8).astype(np.uint8)).save(tmp_path / "trained.png")
    files = [tmp_path / f"{name}.png" for name in ("dark", "bright", "trained")]
    assert predict(grey_run, *files, "-o", tmp_path / "out") == 0
    assert "warning" not in capsys.readouterr().err
    dark, bright, trained = probabilities(tmp_path / "out", "dark", "bright", "trained")
    assert (dark == trained).all() and (dark != bright).any()


def test_the_bits_of_a_run_are_those_of_its_predictions(grey_run, tmp_path):
    run = tmp_path / grey_run.name
    shutil.copytree(grey_run, run)
    without_checksums(run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(
        config.replace("  source:\n", "  source:\n    image_bits: 12\n")
    )
    twelve_bits(tmp_path / "deep.png")
    assert predict(run, tmp_path / "deep.png", "-o", tmp_path / "out") == 0


def test_a_fifo_is_an_error_of_one_image(noisy_run, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.png")
    Image.fromarray(picture(50, 70)).save(tmp_path / "a.png")
    both = [tmp_path / "pipe.png", tmp_path / "a.png"]
    assert predict(noisy_run, *both, "-o", tmp_path / "out") == 1
    output = capsys.readouterr()
    assert "pipe.png: not a regular file" in output.err
    assert "1 of 2 images are predicted" in output.out


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("photos [v1]/*.png", "is written [[] in a pattern: '{}/photos [[]v1]/*.png'"),
        ("scans/*.dcm", ".dcm is not read: convert them to PNG"),
        ("scan.nii.gz", ".nii.gz is not read: save the slices as PNG"),
    ],
)
def test_a_pattern_that_finds_nothing_says_what_may_be_meant(tmp_path, word, said):
    with pytest.raises(DataError) as error:
        find_images([f"{tmp_path}/{word}"])
    assert said.format(tmp_path) in str(error.value)
    (tmp_path / "photos [v1]").mkdir()
    Image.fromarray(picture(5, 7)).save(tmp_path / "photos [v1]" / "a.png")
    assert find_images([f"{tmp_path}/photos [[]v1]/*.png"])


def test_predicting_loads_nothing_that_only_training_and_scoring_need(noisy_run, tmp_path):
    """What takes seconds: torchmetrics, and with it torchvision, matplotlib and scipy.signal."""
    Image.fromarray(picture(32, 32)).save(tmp_path / "a.png")
    heavy = {"torchmetrics", "pytorch_lightning", "torchvision", "matplotlib", "wandb", "scipy"}
    code = (
        "import sys; from robustseg.cli.main import main\n"
        f"assert main({['predict', str(noisy_run), str(tmp_path / 'a.png')]} + "
        f"['-o', {str(tmp_path / 'out')!r}, '--device', 'cpu']) == 0\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
