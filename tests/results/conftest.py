import pytest

from robustseg.runs.files import write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA

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
ONLY_NOISY = {"noise": "morphological", "beta": 0.5, "noise_seed": 0}


@pytest.fixture
def add_run(tmp_path):
    """Write the files of a run that tables read, as the program writes them."""

    def add(loss, alpha=0.0, numbers=0.8, *, settings=None, experiments=(), name=None, **labels):
        noise = ONLY_NOISY if alpha else dict.fromkeys(ONLY_NOISY)
        run = {**LABELS, **noise, "loss": loss, "alpha": alpha, **labels}
        if not isinstance(numbers, dict):
            numbers = {"dice_image": numbers, "dice_pooled": numbers + 0.01}
        run_id = name or f"run{len(list((tmp_path / 'runs').glob('*'))):05d}"
        folder = RunFolder(tmp_path / "runs" / run_id)
        metrics = {
            **numbers,
            "epochs": 30,
            "noise": {"reached": None, "noisy": 5},
            "run": {"run_id": run_id, **run},
            "settings": {"trainer": {"max_epochs": 30.0}, "seed": run["seed"], **(settings or {})},
        }
        write_json(folder.metrics, metrics)
        status = {"schema": SCHEMA, "state": "done", "experiments": list(experiments)}
        write_json(folder.status, status)
        return folder

    add.runs = tmp_path / "runs"
    return add
