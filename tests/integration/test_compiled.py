"""Compiled runs have the bits of a fresh process, whatever this one did before."""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from robustseg.errors import RunFailed
from robustseg.models import PlainUNet
from robustseg.training import compiled
from robustseg.training.run import run
from tests.conftest import ROOT, TINY
from tests.integration.conftest import bits

OVERRIDES = [
    "trainer.compile=true",
    "model._target_=tests.integration.test_compiled.Dropping",
    "noise.alpha=0.5",
    "evaluation.batch_size=4",  # of 5 images: a full batch and a smaller one
    "seed=1",
]


class Dropping(PlainUNet):
    """A network that draws random numbers in training."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits, some of which are dropped."""
        return torch.nn.functional.dropout(super().forward(images), 0.1, self.training)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_later_run_of_a_process_has_the_bits_of_a_fresh_one(tiny, cache, tmp_path):
    """After a run that diverged, one in another precision and one with another seed."""
    elsewhere, compiled_before = f"paths.runs={tmp_path}/before", counters["stats"]["unique_graphs"]
    with pytest.raises(RunFailed, match="training loss is nan"):
        run(tiny(*OVERRIDES, elsewhere, "loss=mse", "optimizer=sgd", "optimizer.lr=1e30"))
    assert not compiled._kept
    run(tiny(*OVERRIDES, elsewhere, "trainer.channels_last=false", "trainer.precision=32-true"))
    run(tiny(*OVERRIDES, elsewhere, "trainer.channels_last=true", "seed=2"))
    after = counters["stats"]["unique_graphs"]
    assert after > compiled_before
    run(tiny(*OVERRIDES, "trainer.channels_last=true"))
    assert counters["stats"]["unique_graphs"] == after
    places = [f"paths.runs={tmp_path}/fresh", f"paths.logs={tmp_path}", f"paths.cache={cache}"]
    subprocess.run(
        [sys.executable, "train.py", *TINY, *OVERRIDES, "trainer.channels_last=true", *places],
        cwd=ROOT,
        env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": f"{tmp_path}/compiled"},
        check=True,
    )
    (fresh,) = (tmp_path / "fresh").iterdir()
    assert bits(tmp_path / "runs" / fresh.name) == bits(fresh)
