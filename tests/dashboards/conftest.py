"""Miniature runs that log offline, read back with wandb's own command."""

import functools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from robustseg.training.run import run
from tests.conftest import CONF, TINY

WANDB = ["logger=wandb", "logger.mode=offline"]
LOSSES = ("tloss", "gce", "mae")


@functools.cache
def inspect(file, *options):
    """What `wandb leet inspect` prints of a run, as bytes."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *options, "--json", str(file)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def files(logs):
    return sorted(logs.glob("**/wandb/offline-run-*/*.wandb"))


def summaries(logs):
    """Every offline run below the logs, as wandb reads it."""
    return [json.loads(inspect(file, "--summary")) for file in files(logs)]


def records(file):
    """All that is logged of a run, record by record."""
    return [json.loads(line) for line in inspect(file).splitlines()]


@pytest.fixture(scope="session", autouse=True)
def staging(tmp_path_factory):
    """Where wandb keeps the files of artifacts; not in the home of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_DATA_DIR", str(tmp_path_factory.mktemp("staging")))
        yield


@dataclass(frozen=True)
class Swept:
    """The places of a sweep of three runs in one process, and its runs as wandb reads them."""

    runs: Path
    logs: Path
    found: dict

    def file(self, loss):
        (file,) = (f for f in files(self.logs) if f"-{loss}-" in f.name)
        return file


@pytest.fixture(scope="session")
def swept(tmp_path_factory, cache):
    """A sweep over three losses, logged offline."""
    place = tmp_path_factory.mktemp("swept")
    common = [*TINY, *WANDB, "experiment_name=mini", "noise.alpha=0.5", "trainer.max_epochs=2"]
    common += [f"paths.runs={place}/runs", f"paths.logs={place}/logs", f"paths.cache={cache}"]
    for loss in LOSSES:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", [*common, f"loss={loss}"])
        run(cfg)
    found = {one["config"]["loss"]["name"]: one for one in summaries(place / "logs")}
    return Swept(place / "runs", place / "logs", found)
