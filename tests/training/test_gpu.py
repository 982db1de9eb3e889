"""What only a CUDA device can show; `make test-gpu` runs these, elsewhere they are skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import albumentations as A
import numpy as np
import pytest
import torch

from robustseg.configuration.checks import resolve
from robustseg.data.batches.augmented import training_batches
from robustseg.data.batches.on_device import DeviceBatches
from robustseg.finished.load import load_run
from robustseg.runs.files import read_csv
from robustseg.runs.folder import RunFolder
from robustseg.training.build import build_module
from robustseg.training.run import run
from tests.conftest import CONF, ROOT, TINY

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
LOSSES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
CUDA = torch.device("cuda")


def batch(ignored=False):
    drawn = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 32, 32, 3), generator=drawn, dtype=torch.uint8)
    masks = torch.randint(0, 2, (4, 32, 32), generator=drawn, dtype=torch.uint8)
    masks[0, 0, 0] = 255 if ignored else 1
    return images, masks


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_on_the_device_are_the_hosts_bit_for_bit(workers):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (21, 32, 32, 3), dtype=np.uint8)
    masks = rng.integers(0, 2, (21, 32, 32), dtype=np.uint8)
    transforms = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5), A.RandomGamma((50, 200), p=0.7)]
    how = {"transforms": transforms, "batch_size": 4, "seed": 3, "num_workers": workers}
    host = training_batches(images, masks, **how)
    device = DeviceBatches(images, masks, CUDA, **how)
    for (image, mask), (on_device, mask_on_device) in zip(host, device, strict=True):
        assert on_device.is_cuda
        assert torch.equal(image, on_device.cpu())
        assert torch.equal(mask, mask_on_device.cpu())
    device.close()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("ignored", [False, True])
def test_no_step_waits_for_the_device(tiny, name, ignored):
    """CUDA itself refuses to be waited for, from the drawn batch to the stepped optimiser."""
    built = build_module(resolve(tiny(f"loss={name}")), 3, ignored).to(CUDA)
    optimizer = built.configure_optimizers()
    images, masks = (part.pin_memory() for part in batch(ignored))

    def step():
        on_device = images.to(CUDA, non_blocking=True), masks.to(CUDA, non_blocking=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = built.training_step(on_device, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()  # what is set up once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(np.isfinite(built.take_losses()))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_twenty_replayed_steps_are_the_eager_ones(tiny, precision, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    images, masks = (part.to(CUDA) for part in batch())
    found = []
    for given in ("false", "true"):
        settings = resolve(tiny(f"trainer.cuda_graphs={given}", "trainer.accelerator=gpu"))
        module = build_module(settings, 3).to(CUDA)
        optimizer = module.configure_optimizers()
        for size in [4, 4, 2] * 6 + [4, 4]:
            with torch.autocast(
                "cuda", precision, enabled=precision != torch.float32, cache_enabled=False
            ):
                loss = module.training_step((images[:size], masks[:size]), 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append((module.take_losses(), module.network.state_dict()))
    (losses, state), (replayed, state_replayed) = found
    assert replayed == losses
    assert all(torch.equal(state[name], state_replayed[name]) for name in state)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_are_the_cpus(tiny, name):
    _, masks = batch()
    found = []
    for device in ("cpu", CUDA):
        loss = build_module(resolve(tiny(f"loss={name}")), 3).loss.to(device)
        logits = torch.linspace(-4, 4, masks.numel(), device=device).view(4, 1, 32, 32)
        logits.requires_grad_()
        value = loss(logits, masks.to(device).unsqueeze(1).float(), None)
        value.backward()
        found.append((value.detach().cpu(), logits.grad.cpu()))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["dataset.device=cuda"],
        ["optimizer.fused=true", "trainer.compile=true", "dataset.device=cuda"],
        ["optimizer.fused=true", "trainer.compile=graphs", "dataset.device=cuda"],
        ["trainer.cuda_graphs=true", "dataset.device=cuda"],
        ["trainer.precision=32-true", "dataset.num_workers=2"],
        ["trainer.precision=16-mixed"],
    ],
    ids=["default", "data", "compiled", "graphs", "replayed", "fp32", "fp16"],
)
def test_a_run_learns_what_it_learns_on_a_cpu(tiny, only_run, tmp_path, settings):
    grow = ["trainer.max_epochs=8", "dataset.source.train=40", "loss=ce"]
    run(tiny(*grow, *settings))
    gpu = only_run()
    status = json.loads((gpu / "status.json").read_text())
    assert status["state"] == "done"
    run(tiny(*grow, "trainer.accelerator=cpu", f"paths.runs={tmp_path}/cpu"))
    (cpu,) = (tmp_path / "cpu").iterdir()
    ours, theirs = (
        np.array([row["train_loss"] for row in read_csv(RunFolder(folder).epochs)])
        for folder in (gpu, cpu)
    )
    assert ours == pytest.approx(theirs, rel=0.02)
    assert ours[-1] < ours[0]


def test_images_on_the_device_change_no_number(tiny, tmp_path):
    """Equal batches; sums of 32 bits are added up in another order from run to run."""
    ends = []
    for device in ("cpu", "cuda"):
        where = [f"dataset.device={device}", f"paths.runs={tmp_path}/{device}"]
        run(tiny("trainer.precision=32-true", *where))
        (folder,) = (tmp_path / device).iterdir()
        ends.append((folder.name, read_csv(RunFolder(folder).epochs)[-1]["train_loss"]))
    assert ends[0][0] == ends[1][0]
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-3)


def sweep(tmp_path: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    places = [f"paths.{name}={tmp_path}/{name}" for name in ("runs", "logs", "cache")]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *TINY, *places, *overrides]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=250)


def test_runs_of_a_sweep_share_a_gpu(tmp_path):
    grid = ["loss=tloss,gce", "hydra/launcher=local", "hydra.launcher.jobs_per_gpu=2"]
    found = sweep(tmp_path, *grid, "dataset.device=cuda")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 runs, 2 at a time" in found.stdout
    for folder in (tmp_path / "runs").iterdir():
        status = json.loads((folder / "status.json").read_text())
        assert (status["state"], status["accelerator"]) == ("done", "gpu")


def test_a_network_trained_on_a_gpu_predicts_alike_on_both(tiny, only_run):
    run(tiny("trainer.precision=32-true"))
    images, _ = batch()
    cpu, gpu = (load_run(only_run(), device=device).predictor for device in ("cpu", "cuda"))
    torch.testing.assert_close(cpu(images), gpu(images.to(CUDA)).cpu(), rtol=1e-2, atol=1e-2)
