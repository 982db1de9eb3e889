"""The logger with which Lightning logs a run to Weights & Biases."""

from collections.abc import Mapping

from pytorch_lightning.loggers import WandbLogger

from robustseg.dashboards.card import RunCard
from robustseg.dashboards.wandb_run import Mode, log_epoch, start


class EpochLogger(WandbLogger):
    """Lightning's wandb logger with the epoch as the step of every curve."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log the numbers of an epoch."""
        assert step is not None
        log_epoch(self.experiment, step, metrics)


def make_wandb_logger(
    run: RunCard, mode: Mode, project: str, entity: str | None, save_dir: str
) -> EpochLogger:
    """A wandb run of its own: see `robustseg.dashboards.wandb_run.start`."""
    return EpochLogger(experiment=start(run, mode, project, entity, save_dir))
