"""The benchmarks run in miniature; no test looks at how fast anything is."""

import csv
import runpy
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"
NETWORK = ["model.features=[4,8]", "logger=none", "trainer.threads=1", "trainer.accelerator=cpu"]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A function that runs a benchmark and returns the rows of its CSV."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def call(name: str, *arguments: str) -> list[dict[str, str]]:
        out = tmp_path / f"{name}.csv"
        monkeypatch.setattr(sys, "argv", [name, "--out", str(out), *arguments])
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        with out.open(newline="") as file:
            return list(csv.DictReader(file))

    return call


def test_epoch(bench):
    sizes = ["--images=8", "--side=16", "--epochs=1", "--turns=1"]
    rows = bench("bench_epoch", *sizes, *NETWORK, "dataset.batch_size=4")
    assert [row["what"] for row in rows if row["ratio"]] == [
        "robustseg / user, 32-true",
        "robustseg / user, bf16-mixed",
    ]
    assert len([row for row in rows if row["images_per_s"]]) == 5


def test_data_alone(bench):
    sizes = ["--images=8", "--sides", "16", "--epochs=1", "--turns=1", "--parts", "alone"]
    rows = bench("bench_data", *NETWORK, *sizes)
    assert [row["what"] for row in rows] == ["16×16, 0 workers", "16×16, 2 workers"]
    assert all(float(row["images_per_s"]) > 0 for row in rows)


@pytest.mark.slow
def test_no_division_of_the_processors_is_skipped_as_a_finished_run(bench, caplog):
    caplog.set_level("INFO")
    sizes = ["--images=4", "--epochs=1", "--turns=1", "--parts", "training"]
    small = [*NETWORK[:2], "dataset.image_size=16", "trainer.accelerator=cpu"]
    rows = bench("bench_data", *small, "dataset.batch_size=4", *sizes)
    assert {row["what"] for row in rows} >= {"1 workers, 1 threads", "2 workers, 2 threads"}
    assert "Dice" in caplog.text
    assert "skipped" not in caplog.text


def test_the_evaluations_agree_and_a_wrong_number_is_told(bench, monkeypatch):
    rows = bench("bench_evaluation", "--images=4", "--side=64", "--turns=1")
    assert [row["what"] for row in rows] == ["counts", "pooled", "hd95", "network"]
    module = runpy.run_path(str(FOLDER / "bench_evaluation.py"))
    with pytest.raises(AssertionError, match="dice"):
        module["check"]({"dice": np.array([0.5])}, {"dice": np.array([0.6])})


def test_profile(bench):
    sizes = ["--sides", "16", "--images=8", "--epochs=1", "--top=3"]
    rows = bench("profile_epoch", *sizes, *NETWORK, "dataset.batch_size=4")
    named = {row["what"] for row in rows if row["kind"] == "phase"}
    assert {"all", "augmentation", "forward", "loss", "backward", "optimiser"} <= named
    shares = [float(row["share"]) for row in rows if row["kind"] == "phase"]
    assert sum(shares[1:]) == pytest.approx(1)
    assert len([row for row in rows if row["kind"] == "operator"]) == 3


def test_a_moment_belongs_to_the_innermost_phase(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    module = runpy.run_path(str(FOLDER / "profile_epoch.py"))
    now = iter([0, 1, 3, 7, 15, 31])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    clock = module["Clock"]()
    inner = clock.timed(lambda: None, "inner")
    clock.timed(inner, "outer")()
    assert clock.stop() == {"outer": 2 + 8, "inner": 4, module["REST"]: 1 + 16}


def test_both_sides_read_the_same_images(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import user_pipeline

    from robustseg.data.cache import load
    from robustseg.data.sources.isic2017 import Isic2017

    user_pipeline.isic_folder(tmp_path / "drawn", None, 3, 64)
    # A part of a folder, as with --root.
    assert user_pipeline.isic_folder(tmp_path / "data", tmp_path / "drawn", 2, 64) == 2
    ours = load(Isic2017(str(tmp_path / "data")), 64, tmp_path / "cache").split("train")
    theirs = user_pipeline.DecodedEachTime(tmp_path / "data", 64)
    theirs.transform.transforms = theirs.transform.transforms[-2:]  # without augmentation
    for index, (image, mask) in enumerate(theirs):
        np.testing.assert_array_equal(mask[0].numpy(), ours.masks[index])
        pixels = (image.permute(1, 2, 0).numpy() + 1) * 127.5
        np.testing.assert_allclose(pixels, ours.images[index], atol=2)  # two JPEG decoders
        if index + 1 == len(theirs):
            break
    assert len(theirs) == len(ours) == 2


def test_packing_trains_the_same_runs_each_way(bench):
    small = [*NETWORK, "dataset.image_size=16", "dataset.source.train=4", "dataset.batch_size=4"]
    rows = bench("bench_packing", "--jobs", "2", "--runs=2", "--epochs=1", *small)
    assert [row["what"] for row in rows] == ["one after another", "2 at a time"]
    assert all(float(row["dice_difference"]) == 0 for row in rows)  # one thread each way
    assert float(rows[1]["dice_std_seeds"]) > 0


def test_plot(tmp_path, monkeypatch):
    out = tmp_path / "ratios.png"
    monkeypatch.setattr(sys, "argv", ["plot", "--out", str(out)])
    module = runpy.run_path(str(FOLDER / "plot.py"))
    module["main"]()
    assert out.read_bytes().startswith(b"\x89PNG")
    (epoch, bf16) = module["read"](FOLDER / "results")["epoch"]
    assert (epoch.goal, bf16.goal) == (2.0, None)
    monkeypatch.setattr(sys, "argv", ["plot", "--results", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        module["main"]()


def test_a_gpu_benchmark_says_that_there_is_no_gpu(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    runpy.run_path(str(FOLDER / "bench_gpu.py"), run_name="__main__")
    assert "no CUDA device" in capsys.readouterr().out
