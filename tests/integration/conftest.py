"""Runs in processes of their own, which can be killed."""

import multiprocessing

import pytest
import torch
from omegaconf import DictConfig

from robustseg.run import run
from robustseg.runs.folder import RunFolder


@pytest.fixture(scope="session")
def forked():
    """Starts processes that have imported everything but have computed nothing yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["robustseg.training", "robustseg.models.plain_unet"])
    return context.Process


@pytest.fixture
def in_process(forked):
    """A function that trains a run in a new process, and gives its exit code."""

    def train(cfg: DictConfig, before=None) -> int:
        process = forked(target=train_after, args=(cfg, before))
        process.start()
        process.join()
        return process.exitcode

    return train


def train_after(cfg, before):
    if before is not None:
        before()
    run(cfg)


@pytest.fixture(scope="session")
def results():
    """A function that gives what must be equal bit for bit."""
    return bits


def bits(folder):
    weights = torch.load(RunFolder(folder).weights, weights_only=True)
    tensors = {f"{part}.{k}": v for part, state in weights.items() for k, v in state.items()}
    return (
        (folder / "metrics.json").read_bytes(),
        (folder / "images.csv").read_bytes(),
        (folder / "noise.csv").read_bytes(),
        {name: tensor.numpy().tobytes() for name, tensor in tensors.items()},
    )
