"""Makes wandb runs of finished run folders."""

import shutil
import tempfile
from pathlib import Path

from robustseg.dashboards import wandb_run
from robustseg.dashboards.card import make_card, may_show
from robustseg.results.one_run import Run
from robustseg.runs.config import read_settings
from robustseg.settings import LoggerSettings


def uploads(logs: Path, project: str, entity: str | None) -> Path:
    """The folder of the runs that were made of folders, for a project of a user or team."""
    return logs / "uploads" / (entity or "") / project


def write_offline(
    run: Run,
    logs: Path,
    *,
    experiment: str | None,
    project: str,
    entity: str | None,
    images: str,
    again: bool,
) -> str:
    """Write an offline wandb run of a finished run: what it would have logged while it trained.

    One of a record has its curves and numbers only.

    It is made under a hidden name and then renamed, so that it is there as a whole or not at all.

    Args:
        run: in a folder or a record.
        logs: folder of logs, as paths.logs.
        experiment: the group of the run; None: its data set, as while it trains.
        project: of wandb.
        entity: user or team; None for the default.
        images: whether to show pictures: auto (only of public data sets), always, never.
        again: also if the run was logged to wandb while it was trained.

    Returns:
        "written"; "logged" if it was logged while it was trained and is not wanted again;
        "there" if it was written before for this project.
    """
    pictures = False
    if run.folder is not None:
        settings = read_settings(run.folder.config)
        if not again and _logged(settings.logger):
            return "logged"
        wanted = images if images == "auto" else images == "always"
        pictures = may_show(wanted, settings.dataset.public)
    made = uploads(logs, project, entity) / "wandb"
    if any(made.glob(f"offline-run-*-{run.dashboard_id}")):
        return "there"
    made.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=logs, prefix=".upload-") as temporary:
        _log(run, temporary, experiment, project, entity, pictures)
        (written,) = Path(temporary).glob("wandb/offline-run-*")
        shutil.move(written, made / written.name)
    return "written"


def _logged(logger: LoggerSettings) -> bool:
    return logger.name == "wandb" and logger.get("mode") != "disabled"


def _log(
    finished: Run,
    save_dir: str,
    experiment: str | None,
    project: str,
    entity: str | None,
    pictures: bool,
) -> None:
    metrics = finished.metrics()
    card = make_card(finished.dashboard_id, metrics["run"], metrics["settings"], experiment)
    run = wandb_run.start(card, "offline", project, entity, save_dir)
    try:
        for row in finished.epoch_rows():
            wandb_run.log_epoch(run, row.pop("epoch"), row)
        if finished.folder is None:
            wandb_run.log_summary(run, metrics)
        else:
            wandb_run.log_results(run, finished.folder, pictures)
    except BaseException as error:
        wandb_run.finish(run, type(error).__name__)
        raise
    wandb_run.finish(run, None)
