"""A run in Weights & Biases; the same whether it is logged live or from its finished folder."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import wandb

from robustseg import IGNORED
from robustseg.dashboards.card import RunCard
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.runs.folder import RunFolder
from robustseg.runs.pictures import read_examples

Mode = Literal["online", "offline", "disabled"]
_START_S = 300  # that wandb has to start where no network is asked; it gives itself 30 and 90
_MASKS = ("clean", "noisy", "predicted")
# Columns of images.csv in the table of test images.
_SCORES = tuple(dict.fromkeys(m.column for m in CATALOGUE.values() if m.column))


def start(run: RunCard, mode: Mode, project: str, entity: str | None, save_dir: str) -> wandb.Run:
    """A wandb run of its own, with the run's id, group, tags and configuration.

    Args:
        run: what to show.
        mode: offline (nothing leaves this machine until `robustseg wandb sync`), online or
            disabled.
        project: of wandb.
        entity: user or team; None for the default.
        save_dir: folder below which wandb keeps its files.
    """
    Path(save_dir).mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WANDB_X_SERVICE_WAIT", str(_START_S))  # its own process
    settings = wandb.Settings(
        silent=True,
        console="off",
        host="",
        program="robustseg",  # else the path of train.py
        x_disable_meta=True,  # holds the command line, and with it paths.runs, dataset.root, …
        x_disable_machine_info=True,  # host and user; without it there is no load, either
        x_disable_stats=True,
        disable_git=True,  # status.json has the commit of each attempt
    )
    if mode == "offline":
        settings.init_timeout = _START_S
    experiment = wandb.init(
        project=project,
        entity=entity,
        dir=save_dir,
        id=run.run_id,
        name=run.name,
        group=run.group,
        tags=run.tags,
        job_type="train",
        config=run.settings,
        mode=mode,
        resume="allow",
        settings=settings,
    )
    experiment.define_metric("epoch")
    experiment.define_metric("*", step_metric="epoch")
    return experiment


def log_epoch(run: wandb.Run, epoch: int, row: Mapping[str, float]) -> None:
    """Log a row of epochs.csv; like there, what is undefined (NaN) is left out.

    wandb's own step is the epoch too: a resumed run continues after the steps of its first part,
    and wandb passes over the epochs between the last checkpoint and the kill, which are made again.
    """
    defined = {key: value for key, value in row.items() if not math.isnan(value)}
    run.log({**defined, "epoch": epoch}, step=epoch, commit=True)


def log_results(run: wandb.Run, folder: RunFolder, pictures: bool) -> None:
    """Log what a finished run leaves beside its curves.

    The summary takes the numbers of metrics.json under their names; noise.csv and images.csv
    become artifacts; `examples/test`, `examples/train` and the table `predictions` show
    examples.npz, at most ten images a key (wandb takes 108).

    Args:
        run: to log to.
        folder: of the finished run.
        pictures: whether the images may be shown.
    """
    metrics = folder.read_metrics(folder.read_status())
    if pictures:
        run.log({**_pictures(folder), "epoch": metrics["epochs"]})
    for kind, path in (("noise", folder.manifest), ("images", folder.images)):
        artifact = wandb.Artifact(f"{run.id}-{kind}", type=kind)
        with artifact.new_file(path.name, mode="wb") as file:
            file.write(folder.read(path))
        run.log_artifact(artifact)
    log_summary(run, metrics)


def log_summary(run: wandb.Run, metrics: Mapping[str, Any]) -> None:
    """Log the numbers of metrics.json, under their names."""
    run.summary.update(
        {k: v for k, v in metrics.items() if v is not None and k not in ("run", "settings")}
    )


def finish(run: wandb.Run, error: str | None) -> None:
    """End the run, as failed if there is an error; only the error's type is logged."""
    run.summary.update({"failed": int(error is not None), "error": error or ""})
    run.finish(exit_code=int(error is not None))


def _pictures(folder: RunFolder) -> dict[str, Any]:
    """Images of examples.npz with their clean, noisy and predicted masks, and their table."""
    arrays = read_examples(folder.examples)
    rows = folder.read_rows(folder.images)
    last = max(row["epoch"] for row in rows)
    scores = {row["id"]: row for row in rows if row["epoch"] == last}
    panels: dict[str, list[wandb.Image]] = {"examples/test": [], "examples/train": []}
    table: dict[str, list[Any]] = {}
    for at, (name, role) in enumerate(zip(arrays["id"], arrays["role"], strict=True)):
        picture = _picture(arrays, at)
        of_training = role.startswith("train")
        panels["examples/train" if of_training else "examples/test"].append(picture)
        if name in table:
            table[name][1] += f", {role}"  # a fixed image may be the worst as well
        elif not of_training:
            numbers = [scores[name].get(score) for score in _SCORES]
            table[name] = [str(name), str(role), _picture(arrays, at), *numbers]
    columns: list[str | int] = ["id", "role", "image", *_SCORES]
    return {**panels, "predictions": wandb.Table(columns, list(table.values()))}


def _labels(mask: np.ndarray) -> np.ndarray:
    """A label map whose ignored pixels are background."""
    return np.where(mask == IGNORED, 0, mask).astype(np.uint8)


def _picture(arrays: Mapping[str, np.ndarray], at: int) -> wandb.Image:
    image = arrays["image"][at]
    classes = arrays["classes"] if "classes" in arrays else ["foreground"]
    names = {0: "background", **{k: str(name) for k, name in enumerate(classes, 1)}}
    masks: dict[str, Any] = {
        kind: {"mask_data": _labels(arrays[kind][at]), "class_labels": names} for kind in _MASKS
    }
    return wandb.Image(
        image[..., 0] if image.shape[-1] == 1 else image,
        masks=masks,
        caption=f"{arrays['role'][at]} {arrays['id'][at]}",
    )
