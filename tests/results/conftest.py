import json
import shutil
from statistics import fmean

import pytest
from hydra import compose, initialize_config_dir

from robustseg.runs.files import write_csv, write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from tests.conftest import CONF, TINY

LABELS = {
    "dataset": "synthetic",
    "subset": "all",
    "batch_size": 16,
    "image_size": 64,
    "model": "nnunet_tiny",
    "domain": None,
    "regularizer": "none",
    "epsilon": 0,
    "seed": 0,
}
AREA = 10**9  # of the true and of the predicted mask, so that counts give any Dice
ONLY_NOISY = {"noise": "morphological", "beta": 0.5, "noise_seed": 0}


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    """What tables keep for the next time is kept below the test's own folder."""
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def add_run(tmp_path):
    """Write the files of a run that tables read, as the program writes them.

    With `images`, a Dice for each test image by its id, also images.csv, of two evaluations alike
    but for their order; the Dice of the run is then their mean.
    """

    def add(
        loss,
        alpha=0.0,
        numbers=0.8,
        *,
        images=None,
        settings=None,
        experiments=(),
        name=None,
        collapsed=None,
        **labels,
    ):
        noise = ONLY_NOISY if alpha else dict.fromkeys(ONLY_NOISY)
        run = {**LABELS, **noise, "loss": loss, "alpha": alpha, **labels}
        if images:
            dice = fmean(images.values())
            numbers = {"dice_image": dice, "dice_pooled": dice}
        if not isinstance(numbers, dict):
            numbers = {"dice_image": numbers, "dice_pooled": numbers + 0.01}
        run_id = name or f"run{len(list((tmp_path / 'runs').glob('*'))):05d}"
        folder = RunFolder(tmp_path / "runs" / run_id)
        metrics = {
            **numbers,
            "epochs": 30,
            "collapsed": collapsed,
            "noise": {"reached": None, "noisy": 5},
            "run": {"run_id": run_id, **run},
            **({"test_images": len(images), "evaluations": 2} if images else {}),
            "settings": {"trainer": {"max_epochs": 30.0}, "seed": run["seed"], **(settings or {})},
        }
        write_json(folder.metrics, metrics)
        status = {"schema": SCHEMA, "state": "done", "experiments": list(experiments)}
        write_json(folder.status, status)
        if images:
            write_csv(folder.images, rows_of(images))
        return folder

    add.runs = tmp_path / "runs"
    return add


def rows_of(images):
    """Rows of images.csv: the two evaluations' values have the ones given as their means."""
    values = list(images.items())
    first = [{"epoch": 1, "id": name, **counts_of(dice - 0.01)} for name, dice in values]
    second = [{"epoch": 2, "id": name, **counts_of(dice + 0.01)} for name, dice in values]
    return [*first, *reversed(second)]


def counts_of(dice):
    """Counts with a Dice, and the Dice that they have."""
    tp = round(dice * AREA)
    assert 0 <= tp <= AREA, dice
    return {"tp": tp, "fp": AREA - tp, "fn": AREA - tp, "tn": AREA, "dice": tp / AREA}


@pytest.fixture(scope="session")
def trained(tmp_path_factory, cache):
    """A folder with three miniature runs of the experiment "mine", as train.py leaves them."""
    from robustseg.training.run import run

    root = tmp_path_factory.mktemp("trained")
    places = [f"paths.runs={root}/runs", f"paths.logs={root}/logs", f"paths.cache={cache}"]
    noisy = ["trainer.max_epochs=2", "noise.alpha=0.5", "noise.beta=0.7", "experiment_name=mine"]
    for overrides in (["loss=tloss"], ["loss=gce"], ["noise.alpha=0"]):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("train", [*TINY, *places, *noisy, *overrides])
        run(config)
    return root / "runs"


@pytest.fixture(scope="session")
def hostile(trained, tmp_path_factory):
    """The trained runs beside failed and unfinished ones whose names and errors are markup."""
    folder = tmp_path_factory.mktemp("hostile") / "runs"
    shutil.copytree(trained, folder)
    noisy = next(path for path in folder.iterdir() if "-gce-" in path.name)
    for name, state in ((FAILED, "failed"), ("cut-off", "running")):
        shutil.copytree(noisy, folder / name)
        run = RunFolder(folder / name)
        run.metrics.unlink()
        labels = {**run.read_status()["run"], "loss": LOSS}
        run.update_status(state=state, run_id=name, run={**labels, "run_id": name})
    RunFolder(folder / FAILED).mark_failed("DataError", ERROR)
    for path in folder.iterdir():
        attempts = json.loads((path / "status.json").read_text())["attempts"]
        RunFolder(path).update_status(attempts=[{**one, "host": HOST} for one in attempts])
    return folder


@pytest.fixture(scope="session")
def report(hostile, tmp_path_factory):
    """The page of the hostile runs."""
    from robustseg.cli.main import main

    page = tmp_path_factory.mktemp("report") / "report.html"
    assert main(["report", "mine", "--runs", str(hostile), "-o", str(page)]) == 0
    return page


FAILED = "<img src=x onerror=alert(1)>"
LOSS = "</script><script>alert(1)</script>"
HOST = "secret-host"
ERROR = f"no mask in /home/jane/secret/masks on {HOST}: <b>look</b>\nsecond line"
