"""Loggers of a run: made, given its results, and ended."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hydra.utils import instantiate
from pytorch_lightning.loggers import Logger, WandbLogger

from robustseg.dashboards.card import make_card, may_show
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import Identity
from robustseg.runs.labels import labels
from robustseg.settings import Settings

_log = logging.getLogger(__name__)


@contextmanager
def open_loggers(
    settings: Settings, identity: Identity, folder: RunFolder
) -> Iterator[list[Logger]]:
    """The logger that `logger=…` asks for, in a list; empty for `logger=none`.

    It is ended with the block, so that the next job of a sweep starts one of its own, and as
    failed if the block raises.
    """
    loggers = _make_loggers(settings, identity, folder)
    try:
        yield loggers
    except BaseException as error:
        try:
            _finish(loggers, type(error).__name__)
        except Exception as other:  # the run's own error is the one to tell
            error.add_note(f"Nor could its dashboard be ended ({type(other).__name__}: {other}).")
        raise
    with _warned(identity.run_id):
        _finish(loggers, None)


def _make_loggers(settings: Settings, identity: Identity, folder: RunFolder) -> list[Logger]:
    if not settings.logger.is_built:
        return []
    card = make_card(
        folder.dashboard_id,
        labels(settings, identity.run_id),
        identity.settings,
        settings.experiment,
    )
    return [instantiate(settings.logger.arguments(), _partial_=True)(run=card)]


def log_epoch(loggers: Iterable[Logger], row: Mapping[str, Any]) -> None:
    """Log a row of epochs.csv."""
    numbers = {key: value for key, value in row.items() if value is not None and key != "epoch"}
    for logger in loggers:
        logger.log_metrics(numbers, step=row["epoch"])


def log_restored(loggers: Iterable[Logger], rows: Iterable[Mapping[str, Any]]) -> None:
    """Log again those epochs before the checkpoint that were not sent when the run was killed.

    Only wandb, online, says what it has; the others write files, which keep what was logged.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger) and not logger.experiment.offline:
            first = logger.experiment.starting_step
            for row in rows:
                if row["epoch"] >= first:
                    log_epoch([logger], row)


def log_results(loggers: list[Logger], settings: Settings, folder: RunFolder) -> None:
    """Log the final numbers, the record of every image and, if they may be shown, pictures."""
    pictures = may_show(settings.logger.images, settings.dataset.public)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            from robustseg.dashboards import wandb_run

            with _warned(folder.run_id):
                wandb_run.log_results(logger.experiment, folder, pictures)


@contextmanager
def _warned(run_id: str) -> Iterator[None]:
    """Make a warning of an error: a run whose results are kept is not undone by its dashboard."""
    try:
        yield
    except Exception as error:
        _log.warning(
            "%s is finished, but its dashboard did not get everything (%s: %s). "
            "Once that is mended: robustseg wandb upload EXPERIMENT --all",
            run_id,
            type(error).__name__,
            error,
        )


def _finish(loggers: list[Logger], error: str | None) -> None:
    for logger in loggers:
        logger.finalize("failed" if error else "success")
        if isinstance(logger, WandbLogger):
            from robustseg.dashboards import wandb_run

            wandb_run.finish(logger.experiment, error)
