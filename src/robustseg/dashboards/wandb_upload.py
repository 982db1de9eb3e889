"""Makes wandb runs of finished run folders."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from robustseg.dashboards import wandb_run
from robustseg.dashboards.card import make_card, may_show
from robustseg.runs.files import read_csv, read_json
from robustseg.runs.folder import RunFolder


def uploads(logs: Path) -> Path:
    """The folder of the runs that were made of folders."""
    return logs / "uploads"


def write_offline(
    folder: RunFolder,
    logs: Path,
    *,
    experiment: str,
    project: str,
    entity: str | None,
    images: str,
    again: bool,
) -> str:
    """Write an offline wandb run of a finished run: what it would have logged while it trained.

    It is made under a hidden name and then renamed, so that it is there as a whole or not at all.

    Args:
        folder: of the finished run.
        logs: folder of logs, as paths.logs.
        experiment: the group of the run.
        project: of wandb.
        entity: user or team; None for the default.
        images: whether to show pictures: auto (only of public data sets), always, never.
        again: also if the run was logged to wandb while it was trained.

    Returns:
        "written"; "logged" if it was logged while it was trained and is not wanted again;
        "there" if it was written before.
    """
    config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
    if not again and _logged(config["logger"]):
        return "logged"
    made = uploads(logs) / "wandb"
    if any(made.glob(f"offline-run-*-{folder.dashboard_id}")):
        return "there"
    made.mkdir(parents=True, exist_ok=True)
    wanted = images if images == "auto" else images == "always"
    pictures = may_show(wanted, config["dataset"]["public"])
    with tempfile.TemporaryDirectory(dir=logs, prefix=".upload-") as temporary:
        _log(folder, temporary, experiment, project, entity, pictures)
        (written,) = Path(temporary).glob("wandb/offline-run-*")
        shutil.move(written, made / written.name)
    return "written"


def _logged(logger: dict[str, Any]) -> bool:
    return logger["name"] == "wandb" and logger["mode"] != "disabled"


def _log(
    folder: RunFolder,
    save_dir: str,
    experiment: str,
    project: str,
    entity: str | None,
    pictures: bool,
) -> None:
    metrics = read_json(folder.metrics)
    card = make_card(folder.dashboard_id, metrics["run"], metrics["settings"], experiment)
    run = wandb_run.start(card, "offline", project, entity, save_dir, live=False)
    try:
        for row in read_csv(folder.epochs):
            wandb_run.log_epoch(run, row.pop("epoch"), row)
        wandb_run.log_results(run, folder, pictures)
    except BaseException as error:
        wandb_run.finish(run, type(error).__name__)
        raise
    wandb_run.finish(run, None)
