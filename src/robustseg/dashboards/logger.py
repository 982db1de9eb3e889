"""Loggers of a run: made, given pictures, and ended."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from pytorch_lightning.loggers import Logger, WandbLogger

from robustseg.runs.identity import Identity, labels


@dataclass(frozen=True)
class RunCard:
    """What a dashboard shows of a run.

    Attributes:
        run_id: stable, so that a resumed run goes on in the same place.
        name: readable, without the hash.
        group: the experiment, or the data set.
        tags: data set, loss, noise, regulariser.
        settings: what determines the result; no path, no host.
    """

    run_id: str
    name: str
    group: str
    tags: list[str]
    settings: dict[str, Any] = field(default_factory=dict)


def make_loggers(config: dict[str, Any], identity: Identity) -> list[Logger]:
    """The logger that `logger=…` asks for, in a list; empty for `logger=none`."""
    if "_target_" not in config["logger"]:
        return []
    arguments = {k: v for k, v in config["logger"].items() if k not in ("name", "images")}
    return [instantiate(arguments, _partial_=True)(run=_card(config, identity))]


def _card(config: dict[str, Any], identity: Identity) -> RunCard:
    label = labels(config, identity.run_id)
    tags = [label["dataset"], label["loss"]]
    if label["noise"]:
        tags += [label["noise"], f"alpha={label['alpha']:g}", f"beta={label['beta']:g}"]
    else:
        tags.append("clean")
    if label["regularizer"] != "none":
        tags.append(label["regularizer"])
    return RunCard(
        run_id=identity.run_id,
        name=identity.run_id.rpartition("-")[0],
        group=config["experiment_name"] or label["dataset"],
        tags=tags,
        settings=identity.settings,
    )


def log_examples(loggers: list[Logger], config: dict[str, Any], examples: Path) -> None:
    """Log a few pictures, if the data may be shown: see `logger.images`."""
    wanted = config["logger"]["images"]
    if wanted == "auto":
        wanted = config["dataset"]["public"]
    for logger in loggers if wanted else []:
        if isinstance(logger, WandbLogger):
            from robustseg.dashboards.wandb_run import log_images

            log_images(logger, examples)


def finish(loggers: list[Logger], failed: bool) -> None:
    """End every logger's run, so that the next job of a sweep starts one of its own."""
    for logger in loggers:
        logger.finalize("failed" if failed else "success")
        if isinstance(logger, WandbLogger):
            import wandb

            wandb.finish(exit_code=int(failed))
