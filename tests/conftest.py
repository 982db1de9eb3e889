"""Miniature runs: real program, tiny data."""

import errno
import json
import os
import shutil
import signal
from contextlib import contextmanager
from functools import cache as cache_of
from functools import partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hypothesis import HealthCheck, settings
from omegaconf import DictConfig

from robustseg.errors import RunFailed
from robustseg.sweeps import interrupts

# A build server may start the tests with interrupts ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test measures time; on a build server every run tries the same examples.
SLOW = [HealthCheck.too_slow]
SLOW_WITH_FIXTURE = [*SLOW, HealthCheck.function_scoped_fixture]  # which serves all examples
settings.register_profile(
    "project",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=SLOW,
)
settings.load_profile("project")

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"


@pytest.fixture(autouse=True)
def no_interrupt_of_another_test():
    """What one test interrupts in this process would else interrupt the runs of the next."""
    yield
    interrupts._came.clear()


TINY = [
    "dataset.image_size=32",
    "dataset.batch_size=4",
    "dataset.source.train=10",
    "dataset.source.test=5",
    "model.features=[4,8]",
    "trainer.max_epochs=4",
    "trainer.checkpoint_every=0",
    "trainer.threads=1",
    "evaluation.last=2",
    "logger=none",
]


def without_checksums(folder: Path) -> Path:
    """Take them out of a run's status, as a sender may, and as runs of before are."""
    file = folder / "status.json"
    status = json.loads(file.read_text())
    for name in ("files", "checksum"):
        status.pop(name, None)
    file.write_text(json.dumps(status))
    return folder


@contextmanager
def within(seconds):
    """Fail what computes longer, in C too if it looks for signals; pytest ends what waits.

    Seconds of the processor: a machine with other work is not the reader's fault.
    """

    def late(*_):
        raise AssertionError(f"not over in {seconds} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.fixture(autouse=True)
def no_call_of_another_test():
    """A run notes the call that Hydra knows of; a test in one process leaves its own behind."""
    yield
    HydraConfig.instance().cfg = None


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def miniature(place: Path, cache: Path, *overrides: str) -> DictConfig:
    """The composed configuration of a miniature run, with its folders in a place."""
    cfg = composed_small(*(given for given in overrides if not given.startswith("paths."))).copy()
    paths = {"runs": f"{place}/runs", "logs": f"{place}/logs", "cache": f"{cache}"}
    for given in overrides:
        if given.startswith("paths."):
            key, _, paths[key] = given.removeprefix("paths.").partition("=")
    cfg.paths.update(paths)
    return cfg


@cache_of
def composed_small(*overrides: str) -> DictConfig:
    """The configuration without its folders: composed once, which takes longer than a copy."""
    small = TINY
    if any(override.startswith("model=") for override in overrides):
        small = [setting for setting in small if not setting.startswith("model.")]
    if "dataset=folder" in overrides:
        small = [setting for setting in small if not setting.startswith("dataset.source.")]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*small, *overrides])


@pytest.fixture
def tiny(tmp_path, cache):
    """A function from overrides to the composed configuration of a miniature run."""
    return partial(miniature, tmp_path, cache)


@pytest.fixture
def only_run(tmp_path):
    """A function that gives the folder of the only run there is."""

    def find() -> Path:
        (folder,) = [f for f in (tmp_path / "runs").iterdir() if not f.name.startswith(".")]
        return folder

    return find


@pytest.fixture(scope="session")
def finished(tmp_path_factory, cache):
    """A function from overrides to the folder of a finished miniature run, trained once."""
    folders: dict[tuple[str, ...], Path] = {}

    def train(*overrides: str) -> Path:
        if overrides not in folders:
            from robustseg.training.run import run

            place = tmp_path_factory.mktemp("finished")
            run(miniature(place, cache, *overrides))
            (folders[overrides],) = (place / "runs").iterdir()
        return folders[overrides]

    return train


@pytest.fixture(scope="session")
def failed(tmp_path_factory, cache):
    """A run that failed in its last epoch, with a checkpoint of the one before."""
    from robustseg.training import recorder
    from robustseg.training.run import run

    place, save = tmp_path_factory.mktemp("failed"), recorder.Recorder.save

    def dying(self, trainer):
        if len(self.epochs) == 4:
            raise MemoryError("injected")
        save(self, trainer)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(RunFailed, match="injected"):
        patched.setattr(recorder.Recorder, "save", dying)
        run(miniature(place, cache, "experiment_name=mine"))
    (folder,) = (place / "runs").iterdir()
    assert (folder / "checkpoints" / "last.ckpt").exists()
    return folder


@pytest.fixture
def copied(tmp_path):
    """A function that copies a run to the test's own folder of runs, or to another one there."""

    def copy(folder: Path, runs: str = "runs") -> Path:
        return Path(shutil.copytree(folder, tmp_path / runs / folder.name))

    return copy


@pytest.fixture(scope="session")
def noisy_run(finished):
    """A finished run in colour with the T-Loss and half of its masks wrong."""
    return finished("noise.alpha=0.5", "loss=tloss")


@pytest.fixture
def nan_run(noisy_run, tmp_path):
    """The same run with a weight that is not a number."""
    import torch

    broken = tmp_path / "broken" / noisy_run.name
    without_checksums(shutil.copytree(noisy_run, broken))
    file = broken / "checkpoints" / "weights.pt"
    weights = torch.load(file, weights_only=True)
    next(iter(weights["network"].values())).fill_(torch.nan)
    torch.save(weights, file)
    return broken


@pytest.fixture(scope="session")
def grey_run(finished):
    """A finished run in grey with another loss and clean masks."""
    return finished("dataset=synthetic_chest", "loss=mae")


@pytest.fixture
def refused(monkeypatch):
    """Let a method of Path, or os.open, fail for some paths as without permission."""

    def refuse(method, wanted, code=errno.EACCES):
        place, name = (os, "open") if method == "os.open" else (Path, method)
        real = getattr(place, name)

        def failing(path, *arguments, **named):
            if wanted(path):
                raise OSError(code, os.strerror(code), str(path))
            return real(path, *arguments, **named)

        monkeypatch.setattr(place, name, failing)

    return refuse
