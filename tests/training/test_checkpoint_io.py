"""Checkpoints are written where they are to be."""

import errno
import os
import tempfile

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from robustseg.training.checkpoint_io import DirectCheckpointIO
from robustseg.training.run import run


def test_a_run_needs_no_temporary_folder(tiny, only_run, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    run(tiny("trainer.max_epochs=1"))  # the cache of images has temporary files of its own
    monkeypatch.setattr(tempfile, "mkstemp", full)
    run(tiny("trainer.max_epochs=1", "force=true"))
    assert (only_run() / "metrics.json").exists()


def test_the_bytes_are_those_of_lightning(tmp_path):
    state = {"epoch": 3, "state_dict": {"w": torch.arange(5.0)}}
    TorchCheckpointIO().save_checkpoint(state, tmp_path / "a")
    DirectCheckpointIO().save_checkpoint(state, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
