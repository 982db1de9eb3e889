"""How far a run is: a bar on a terminal, one line an epoch elsewhere."""

import logging
import sys
from typing import Any

import pytorch_lightning as pl
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from robustseg.training.recorder import Recorder

_log = logging.getLogger(__name__)


def make_progress(kind: str, recorder: Recorder, epochs: int) -> list[pl.Callback]:
    """The callback for ``auto``, ``bar``, ``lines`` or ``none``."""
    if kind == "auto":
        kind = "bar" if sys.stdout.isatty() else "lines"
    kinds: dict[str, list[pl.Callback]] = {
        "bar": [Bar(recorder, epochs)],
        "lines": [Lines(recorder, epochs)],
        "none": [],
    }
    return kinds[kind]


def describe(row: dict[str, Any]) -> str:
    """The numbers of an epoch that one watches."""
    parts = [f"loss {row['train_loss']:.4g}"]
    if "nu" in row:
        parts.append(f"ν {row['nu']:.3g}")
    if "test_dice_image" in row:
        image, pooled = row["test_dice_image"], row["test_dice_pooled"]
        noisy, clean = row["train_dice_noisy"], row["train_dice_clean"]
        parts.append(f"test Dice {image:.3f} (pooled {pooled:.3f})")
        parts.append(f"train Dice {noisy:.3f} given, {clean:.3f} clean")
    return "  ".join(parts)


class Lines(pl.callbacks.Checkpoint):
    """One line an epoch; a `Checkpoint` only so that it comes after the recorder."""

    def __init__(self, recorder: Recorder, epochs: int) -> None:
        self.recorder = recorder
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the epoch's row."""
        row = self.recorder.epochs[-1]
        _log.info("  epoch %d/%d  %s", row["epoch"], self.epochs, describe(row))


class Bar(pl.Callback):
    """One bar for the whole run, with the last epoch's numbers and the time that is left."""

    def __init__(self, recorder: Recorder, epochs: int) -> None:
        self.recorder = recorder
        self.epochs = epochs

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the bar."""
        self.batches = int(trainer.num_training_batches)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
        )
        self.task = self.bar.add_task("", total=self.epochs * self.batches, epoch="", numbers="")
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *args: Any
    ) -> None:
        """Move it."""
        rows = self.recorder.epochs
        measured = [row for row in rows if "test_dice_image" in row]
        self.bar.update(
            self.task,
            completed=trainer.global_step,
            epoch=f"{len(rows) + 1}/{self.epochs}",
            numbers=describe(measured[-1]) if measured else "",
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the finished bar."""
        self.bar.stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the bar where it was."""
        if hasattr(self, "bar"):
            self.bar.stop()
