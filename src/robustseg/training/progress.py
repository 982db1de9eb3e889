"""How far a run is: a bar on a terminal, one line per epoch elsewhere."""

import logging
import sys
from typing import Any

import pytorch_lightning as pl
from rich.progress import BarColumn, TextColumn

from robustseg.terminal.bar import LineProgress, TimeLeft
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
    """The numbers of an epoch that one watches, for a line of any length."""
    parts = [f"loss {row['train_loss']:.4g}"]
    if "nu" in row:
        parts.append(f"ν {row['nu']:.3g}")
    if "test_dice_image" in row:
        image, pooled = row["test_dice_image"], row["test_dice_pooled"]
        noisy, clean = row["train_dice_noisy"], row["train_dice_clean"]
        parts.append(f"test Dice {image:.3f} (pooled {pooled:.3f})")
        parts.append(f"train Dice {noisy:.3f} given, {clean:.3f} clean")
    return "  ".join(parts)


def brief(rows: list[dict[str, Any]]) -> str:
    """The last loss, ν and test Dice, short enough to stand beside a bar."""
    if not rows:
        return ""
    parts = [f"loss {rows[-1]['train_loss']:.3g}"]
    if "nu" in rows[-1]:
        parts.append(f"ν {rows[-1]['nu']:.2g}")
    measured = [row["test_dice_image"] for row in rows if "test_dice_image" in row]
    if measured:
        parts.append(f"Dice {measured[-1]:.3f}")
    return "  ".join(parts)


class Lines(pl.callbacks.Checkpoint):
    """One line per epoch; a `Checkpoint` only so that it comes after the recorder."""

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
        batches = int(trainer.num_training_batches)
        self.bar = LineProgress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TimeLeft(),
            TextColumn("{task.fields[numbers]}"),
            expand=True,
            speed_estimate_period=600,  # several evaluations, which take longer than a step
        )
        self.task = self.bar.add_task(
            "", total=self.epochs * batches, completed=trainer.global_step, **self._fields()
        )
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *args: Any
    ) -> None:
        """Move it."""
        self.bar.update(self.task, completed=trainer.global_step, **self._fields())

    def _fields(self) -> dict[str, Any]:
        rows = self.recorder.epochs
        epoch = min(len(rows) + 1, self.epochs)
        return {"epoch": f"{epoch}/{self.epochs}", "numbers": brief(rows)}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the finished bar, with the last numbers."""
        self.bar.update(self.task, completed=trainer.global_step, **self._fields())
        self.bar.stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the bar where it was."""
        if hasattr(self, "bar"):
            self.bar.stop()
