import numpy as np
import pytest

from robustseg.metrics.summary import dice, jaccard, summarise_last
from robustseg.records import pack
from robustseg.runs.files import write_csv, write_json, write_text
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA

PIXELS = 64 * 64


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    """What tables keep for the next time is kept below the test's own folder."""
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def add_run(tmp_path):
    """Write a finished run as train.py leaves it, with numbers that derive from its rows."""

    def add(loss, alpha=0.5, seed=0, *, place="runs", shift=0, public=True, ids=None, **changes):
        run_id = changes.pop("run_id", f"synthetic-{loss}-a{alpha:g}-s{seed}-{seed:08x}")
        experiments = changes.pop("experiments", ["mine"])
        new, fingerprint = changes.pop("new", True), changes.pop("fingerprint", "f" * 64)
        assert not changes, changes
        folder = RunFolder(tmp_path / place / run_id)
        names = ids or ["b", "NA", "a", "ü", "Z", "10", "9", "null"]
        rng = np.random.default_rng([*loss.encode(), round(alpha * 10), seed, shift])
        rows = [_image(rng, epoch, name, new) for epoch in (3, 4) for name in names]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        noisy = alpha > 0
        labels = {
            **{"run_id": run_id, "dataset": "synthetic", "subset": "all", "batch_size": 16},
            **{"image_size": 64, "model": "nnunet_tiny", "loss": loss, "domain": None},
            **{"regularizer": "none", "epsilon": 0, "alpha": alpha, "seed": seed},
            "noise": "morphological" if noisy else None,
            "beta": 0.7 if noisy else None,
            "noise_seed": 0 if noisy else None,
        }
        status = {
            **{"schema": SCHEMA, "run_id": run_id, "state": "done", "run": labels, "epochs": 4},
            **{"experiments": experiments, "threads": 1},
            **({"fingerprint": fingerprint} if fingerprint else {}),
            **{"processor": "a processor", "precision": "32-true", "commit": "abc"},
            **{"versions": {"torch": "2.9"}, "finished": "2026-01-02T03:04:05+0000"},
            "attempts": [{"started": "2026-01-02T03:00:00+0000", "host": "secret", "pid": 1}],
        }
        if new:
            cost = {
                "train_seconds": 1.5,
                "evaluation_seconds": 0.25,
                "processor_seconds": 1.625,
                "peak_memory_mb": 812.125,
            }
            status["cost"] = cost
        metrics = {
            **summarise_last(columns, 2),
            **{"train_loss": float(rng.random()), "epochs": 4, "steps": 8, "evaluations": 2},
            **({"nu": float(rng.random())} if loss == "tloss" else {}),
            **{"collapsed": None, "test_images": len(names), "train_images": 16},
            "noise": {
                **{"counts": {"clean": 8, "dilate": 8}, "dice": {"clean": 1.0, "dilate": 0.75}},
                **{"reached": None, "unreached": 0},
            },
            "run": labels,
            "settings": {"seed": float(seed), "loss": {"name": loss, "q": 0.7}, "list": [1.0, "x"]},
        }
        write_csv(folder.images, rows)
        write_csv(folder.epochs, [_epoch(rng, epoch, loss, new) for epoch in range(1, 5)])
        if new:
            shares = [round(0.05 * step, 2) for step in range(1, 20)]
            rows = [{"epoch": 4, "threshold": t, "test_dice_image": rng.random()} for t in shares]
            write_csv(folder.path / "thresholds.csv", rows)
        write_text(folder.config, f"dataset: {{public: {str(public).lower()}}}\n")
        write_json(folder.status, status)
        write_json(folder.metrics, metrics)
        return folder

    add.runs = tmp_path / "runs"
    return add


@pytest.fixture
def sweep(add_run):
    """The folder of a sweep of two losses, two shares of noise and two seeds."""
    for loss in ("gce", "tloss"):
        for alpha in (0.0, 0.5):
            for seed in (0, 1):
                add_run(loss, alpha, seed)
    return add_run.runs


@pytest.fixture
def record(sweep, tmp_path):
    """The record of the sweep."""
    pack("mine", [sweep], tmp_path / "record")
    return tmp_path / "record"


def contents(folder):
    """The bytes of all files below a folder but for the lock."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }


def _counts(rng):
    positive = int(rng.integers(0, PIXELS // 2))
    tp = int(rng.integers(0, positive + 1))
    fp = int(rng.integers(0, PIXELS - positive))
    return {"tp": tp, "fp": fp, "fn": positive - tp, "tn": PIXELS - positive - fp}


def _image(rng, epoch, name, new):
    counts = _counts(rng)
    row = {"epoch": epoch, "id": name, **counts}
    if new:
        positive = counts["tp"] + counts["fn"]
        tp, fp = int(rng.integers(0, positive + 1)), int(rng.integers(0, PIXELS - positive))
        row |= {"tp_tuned": tp, "fp_tuned": fp, "fn_tuned": positive - tp}
        row |= {"tn_tuned": PIXELS - positive - fp}
    outcome = counts["tp"], counts["fp"], counts["fn"]
    distance = float(np.float32(rng.random()))
    return {
        **row,
        "hd95": distance,
        "dice": float(dice(*outcome)),
        "jaccard": float(jaccard(*outcome)),
    }


def _epoch(rng, epoch, loss, new):
    row = {"epoch": epoch, "step": 2 * epoch, "lr": 0.001, "train_loss": rng.random()}
    row |= {f"train_dice_{name}": rng.random() for name in ("noisy", "clean", "clean/dilate")}
    row |= {"nu": rng.random()} if loss == "tloss" else {}
    row |= {"test_dice_image": rng.random()} if epoch > 1 else {}
    row |= {"heldout_dice_noisy": rng.random(), "train_changed": rng.random()} if new else {}
    return {**row, "seconds": 0.125}
