"""Label maps of several classes, from training to every command that follows."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from sklearn.metrics import f1_score

from robustseg.cli.main import main
from robustseg.configuration.checks import resolve
from robustseg.data.prepare import prepare
from robustseg.errors import ConfigError
from robustseg.finished.load import load_run
from robustseg.metrics import summarise_last
from robustseg.runs.files import read_csv
from robustseg.runs.folder import RunFolder
from robustseg.runs.verify import verify
from robustseg.training.build import build_module, rehearse
from tests.conftest import ROOT
from tests.integration.conftest import kill_after
from tests.label_maps import LABEL_MAPS, NAMES, LabelMaps

SETTINGS = (
    *(*LABEL_MAPS, "noise.alpha=0.5", "noise.beta=0.7", "experiment_name=maps"),
    "trainer.precision=32-true",
)
LOSSES = sorted(path.stem for path in (ROOT / "conf" / "loss").glob("*.yaml"))
REGULARIZERS = sorted(path.stem for path in (ROOT / "conf" / "regularizer").glob("*.yaml"))
CLASSES = NAMES[1:]


@pytest.fixture
def trained(finished):
    return finished("loss=gce", *SETTINGS)


def command(*words):
    return main([*map(str, words)])


def test_numbers_of_a_run_are_those_of_its_rows(trained):
    rows = read_csv(trained / "images.csv")
    assert len(rows) == 2 * 5
    numbers = json.loads((trained / "metrics.json").read_text())
    for name, value in summarise_last({k: [row[k] for row in rows] for k in rows[0]}, 2).items():
        if not np.isnan(value):
            assert numbers[name] == value
    for name in CLASSES:
        assert {f"average_precision/{name}", f"calibration_error/{name}"} <= set(numbers)
    assert "calibration_error_top" in numbers
    assert "dice_image_oracle" not in numbers
    assert not (trained / "thresholds.csv").exists()
    assert verify(RunFolder(trained)).state == "verified"
    manifest = read_csv(trained / "noise.csv")
    assert [row["class"] for row in manifest] == [*CLASSES] * 10
    assert numbers["noise"]["noisy"] == 5
    assert sum(numbers["noise"]["counts"].values()) == 10 * len(CLASSES)


def test_the_masks_trained_on_are_corrupted_class_by_class(tiny):
    settings = resolve(tiny(*LABEL_MAPS, "noise=missed", "noise.alpha=1", "noise.beta=0.5"))
    source = instantiate(settings.dataset.source.arguments())
    model = instantiate(settings.noise.model.arguments())
    cache = Path(settings.paths.cache)
    data = prepare(source, cache, settings.dataset, settings.noise, model)
    assert data.classes == CLASSES
    for value in (1, 2):
        before = (data.train.masks == value).sum(axis=(1, 2))
        after = (data.noisy == value).sum(axis=(1, 2))
        assert before.any()
        np.testing.assert_allclose(after, before / 2, atol=1)
        assert not ((data.noisy == value) & (data.train.masks != value)).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_takes_a_step(tiny, loss):
    module = build_module(resolve(tiny(f"loss={loss}", *LABEL_MAPS)), 3, has_ignored=True)
    _step(module)


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_every_regularizer_takes_a_step(tiny, regularizer):
    settings = resolve(tiny("loss=ce", f"regularizer={regularizer}", *LABEL_MAPS))
    _step(build_module(settings, 3))


def _step(module):
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 16, 16, 3), generator=rng, dtype=torch.uint8)
    masks = torch.randint(0, 3, (4, 16, 16), generator=rng, dtype=torch.uint8)
    masks[0] = 0
    loss = module.training_step((images, masks), 0)
    assert torch.isfinite(loss)
    loss.backward()
    gradients = [p.grad for p in module.network.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)


def test_a_killed_run_ends_in_the_numbers_of_one_that_is_not(
    tiny, tmp_path, forked, in_process, finished, results
):
    overrides = ("loss=gce", *SETTINGS, "trainer.max_epochs=8")
    undisturbed = finished(*overrides)
    cfg, rng = tiny(*overrides), random.Random(0)
    folder = RunFolder(tmp_path / "runs" / undisturbed.name)
    for epochs in (1, 4):
        kill_after(epochs, forked, cfg, folder, rng)
    assert in_process(cfg) == 0
    assert results(folder.path) == results(undisturbed)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["noise=legacy", *LABEL_MAPS], "noise=legacy is for binary masks only"),
        (["noise=confuse"], "noise=confuse is for label maps: set dataset.classes"),
        (
            ["noise=confuse", *LABEL_MAPS[:-1], "dataset.classes=[background,left]"],
            "needs two or more foreground classes",
        ),
    ],
)
def test_noise_that_does_not_fit_the_masks_is_refused_at_once(tiny, overrides, message):
    with pytest.raises(ConfigError, match=message):
        rehearse(resolve(tiny(*overrides)), 3)


@pytest.mark.parametrize(
    "names", ["[background]", "[background,a,a]", "[background,a/b]", "[background,a.b]", "[a,' ']"]
)
def test_names_of_classes_that_cannot_be_are_refused(tiny, names):
    with pytest.raises(ConfigError, match=r"dataset\.classes"):
        resolve(tiny(f"dataset.classes={names}"))


def test_a_table_by_class_of_folders_and_of_their_record(trained, tmp_path, capsys):
    runs, record = trained.parent, tmp_path / "record"
    assert command("runs", "pack", "maps", "--runs", runs, "-o", record) == 0
    capsys.readouterr()
    tables = []
    for source in (runs, record):
        assert command("table", "maps", "--runs", source, "--by", "class", "--ci") == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]
    head = tables[0].splitlines()[0].split("|")
    assert [cell.strip() for cell in head[2:5]] == [
        "dice_image",
        "dice_image/left",
        "dice_image/right",
    ]


def test_numbers_of_label_maps_stand_beside_no_published_ones(finished, tmp_path, capsys):
    run = finished("loss=gce", *SETTINGS, "dataset.name=shenzhen", "noise.alpha=0.7")
    assert command("table", "--runs", run.parent) == 0
    assert "GCE" in (table := capsys.readouterr().out)
    assert "published" not in table
    binary = finished("loss=gce", "dataset.name=shenzhen", "noise.alpha=0.7", "noise.beta=0.7")
    assert command("table", "--runs", binary.parent) == 0
    assert "| published" in capsys.readouterr().out


def test_by_class_is_refused_where_there_is_one(finished, capsys):
    runs = finished("loss=gce").parent
    assert command("table", "--runs", runs, "--by", "class") == 2
    assert "one class of foreground only" in capsys.readouterr().err


def test_predictions_are_label_maps_at_the_images_own_size(trained, tmp_path):
    source = LabelMaps(32, 1, 1)
    image, _ = source.read(source.records()[0])
    (tmp_path / "in").mkdir()
    Image.fromarray(image).resize((50, 40)).save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    words = ["-o", out, "--class-probabilities", "--overlay", "--device", "cpu"]
    assert command("predict", trained, tmp_path / "in", *words) == 0
    labels = Image.open(out / "masks" / "a.png")
    assert (labels.mode, labels.size) == ("P", (50, 40))
    found = np.asarray(labels)
    assert set(np.unique(found)) <= {0, 1, 2}
    levels = [np.asarray(Image.open(out / "probabilities" / n / "a.png")) for n in CLASSES]
    rest = 65535 - sum(level.astype(int) for level in levels)
    sure = np.sort([rest, *levels], axis=0)
    clear = sure[-1] - sure[-2] > 4  # not a tie but for rounding
    np.testing.assert_array_equal(found[clear], np.argmax([rest, *levels], axis=0)[clear])
    with open(out / "predictions.csv") as file:
        (row,) = csv.DictReader(file)
    assert float(row["foreground/left"]) == pytest.approx((found == 1).mean())
    assert command("predict", trained, tmp_path / "in", "-o", tmp_path, "--threshold", "0.3") == 2


def test_evaluation_is_that_of_the_masks_predicted(trained, tmp_path, capsys):
    data = [word for word in LABEL_MAPS if word != LABEL_MAPS[0]]
    size = ["dataset.source.train=1", "dataset.source.test=6", "dataset.source.seed=5"]
    words = ["dataset=synthetic", *data, *size, "-o", tmp_path, "--device", "cpu"]
    assert command("evaluate", trained, *words) == 0
    numbers = json.loads((tmp_path / "metrics.json").read_text())
    run = load_run(trained, device="cpu")
    source = LabelMaps(32, 1, 6, 5)
    pairs = [source.read(record) for record in source.records() if record.split == "test"]
    images = torch.from_numpy(np.stack([image for image, _ in pairs]))
    with torch.inference_mode():
        predicted = run.predictor(images).argmax(1).numpy()
    truth = np.stack([labels for _, labels in pairs])
    each = f1_score(truth.ravel(), predicted.ravel(), labels=[1, 2], average=None)
    assert [numbers[f"dice_pooled/{name}"] for name in CLASSES] == pytest.approx(each)
    capsys.readouterr()
    assert command("evaluate", trained, "dataset=synthetic", "--device", "cpu") == 1
    assert "has binary masks. Set dataset.classes=" in capsys.readouterr().err


def test_onnx_gives_the_probability_of_each_class(trained, tmp_path):
    path = tmp_path / "net.onnx"
    assert command("export", trained, "-o", path, "--threshold", "0.3") == 2
    assert command("export", trained, "-o", path) == 0
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["labels"]) == {"0": "background", "1": "left", "2": "right"}
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    (found,) = session.run(None, {"image": images})
    with torch.inference_mode():
        logits = load_run(trained, device="cpu").predictor(torch.from_numpy(images))
    np.testing.assert_allclose(found, logits.softmax(1).numpy(), atol=1e-4)


def test_suspects_are_classes_of_images(trained, cache, tmp_path, capsys):
    sheet, rows = tmp_path / "sheet.png", tmp_path / "rows.csv"
    words = [f"paths.cache={cache}", "--trust", "-o", rows, "--sheet", sheet]
    assert command("suspects", trained, *words) == 0
    found = read_csv(rows)
    assert len(found) == 10 * len(CLASSES)
    assert {row["class"] for row in found} == set(CLASSES)
    doubt = [row["doubt (mean squared residual)"] for row in found]
    assert doubt == sorted(doubt, reverse=True)
    noise = {(row["id"], row["class"]): row["type"] for row in read_csv(trained / "noise.csv")}
    assert all(row["noise"] == noise[row["id"], row["class"]] for row in found)
    assert sheet.stat().st_size
    assert command("suspects", trained, f"paths.cache={cache}", "--trust", "--compare") == 2


def test_figures_and_report_show_classes(trained, tmp_path, capsys):
    runs = trained.parent
    assert command("figures", "maps", "--runs", runs, "--out", tmp_path) == 0
    capsys.readouterr()
    assert (tmp_path / "maps" / "examples.png").exists()
    assert not (tmp_path / "maps" / "thresholds.png").exists()
    legend = (tmp_path / "maps" / "examples.svg").read_text()
    assert all(f"<!-- {name} -->" in legend for name in CLASSES)
    page = tmp_path / "report.html"
    assert command("report", "maps", "--runs", runs, "-o", page) == 0
    assert "dice_image/right" in page.read_text()
