"""A run in TensorBoard."""

from pytorch_lightning.loggers import TensorBoardLogger

from robustseg.dashboards.card import RunCard


def make_tensorboard_logger(run: RunCard, save_dir: str) -> TensorBoardLogger:
    """Event files in save_dir/<group>/<run id>; a resumed run continues in the same folder."""
    return TensorBoardLogger(save_dir, name=run.group, version=run.run_id)
