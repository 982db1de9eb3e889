"""A run in Weights & Biases."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import wandb
from pytorch_lightning.loggers import WandbLogger

from robustseg.dashboards.logger import RunCard

Mode = Literal["online", "offline", "disabled"]
_LABELS = {0: "background", 1: "foreground"}


def make_logger(
    run: RunCard, mode: Mode, project: str, entity: str | None, save_dir: str
) -> WandbLogger:
    """A wandb run of its own, with the run's id, group, tags and configuration.

    Args:
        run: what to show.
        mode: offline (nothing leaves this machine until `wandb sync`), online or disabled.
        project: of wandb.
        entity: user or team; None for the default.
        save_dir: folder below which wandb keeps its files.
    """
    Path(save_dir).mkdir(parents=True, exist_ok=True)
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
        settings=wandb.Settings(silent=True, console="off"),
    )
    return WandbLogger(experiment=experiment)


def log_images(logger: WandbLogger, examples: Path) -> None:
    """Log the images of examples.npz with their clean, noisy and predicted masks."""
    with np.load(examples) as file:
        arrays = {name: file[name] for name in file.files}
    panels: dict[str, list[wandb.Image]] = {"test_images": [], "train_images": []}
    for at, role in enumerate(arrays["role"]):
        masks: dict[str, Any] = {
            kind: {"mask_data": (arrays[kind][at] == 1).astype(np.uint8), "class_labels": _LABELS}
            for kind in ("clean", "noisy", "predicted")
        }
        picture = wandb.Image(
            arrays["image"][at].squeeze(), masks=masks, caption=f"{role} {arrays['id'][at]}"
        )
        panels["train_images" if role.startswith("train") else "test_images"].append(picture)
    logger.experiment.log(panels)
