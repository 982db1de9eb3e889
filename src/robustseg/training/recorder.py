"""Evaluates a network at epoch ends and keeps the record in the run folder."""

import logging
import math
import time
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import pytorch_lightning as pl

from robustseg.dashboards.logger import log_epoch, log_restored
from robustseg.data.prepare import RunData
from robustseg.errors import DamagedRun, NaNPredicted, TrainingDiverged
from robustseg.metrics import THRESHOLDS
from robustseg.runs.files import parse_csv, read_bytes, replacing, write_csv
from robustseg.runs.folder import RunFolder
from robustseg.runs.rows_hash import RowsHash
from robustseg.runs.sealed import seal
from robustseg.settings import EvaluationSettings
from robustseg.sweeps import interrupts, limit
from robustseg.training.evaluator import Evaluator
from robustseg.training.module import SegmentationModule
from robustseg.training.reported import evaluated_epochs

_log = logging.getLogger(__name__)
_REMEDY = "try a smaller optimizer.lr or trainer.gradient_clip_val=1"


class Recorder(pl.callbacks.Checkpoint):
    """After every epoch: evaluate if it is time, write the record, save.

    The checkpoint is the commit point: when a run resumes from one, newer rows are
    dropped and made again. Lightning calls callbacks of this base class last, after the schedule
    has been stepped.

    Args:
        folder: of the run.
        data: training and test images.
        evaluation: what is measured, and when.
        epochs: how many there will be.
        precision: as the trainer's.
        checkpoint_every: seconds at least between two checkpoints, but for the last before a time
            limit.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: RunData,
        evaluation: EvaluationSettings,
        *,
        epochs: int,
        precision: str,
        checkpoint_every: float,
    ) -> None:
        self.folder = folder
        self.data = data
        self.precision = precision
        self.evaluator = Evaluator(data, evaluation, precision)
        self.checkpoint_every = checkpoint_every
        self.evaluated = evaluated_epochs(epochs, evaluation)
        self.reported = set(self.evaluated[-evaluation.last :])
        self.epochs: list[dict[str, Any]] = []
        self.thresholds: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        self.hashes = {name: RowsHash() for name in ("epochs", "thresholds", "images")}
        self._saved = time.monotonic()
        self._begin, self._used = time.monotonic(), time.process_time()

    def state_dict(self) -> dict[str, Any]:
        """The commit: how many epochs of the record belong to the checkpoint, and their hashes."""
        return {
            "epochs": len(self.epochs),
            "predicted": self.evaluator.predicted,
            "hashes": {name: rows.of(getattr(self, name)) for name, rows in self.hashes.items()},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read back the rows that belong to the checkpoint.

        Raises:
            DamagedRun: they are not all there, or not as they were committed.
        """
        if "predicted" not in state_dict:
            raise DamagedRun("it was started by a version of robustseg that recorded less")
        done = state_dict["epochs"]
        self.evaluator.predicted = state_dict["predicted"]
        self.epochs = _rows(self.folder.epochs, done)
        evaluated = [epoch for epoch in self.evaluated if epoch <= done]
        curved = () if self.data.classes else evaluated  # label maps have no threshold
        self.thresholds = _rows(self.folder.thresholds, done) if curved else []
        reported = [epoch for epoch in sorted(self.reported) if epoch <= done]
        self.images = _rows(self.folder.images, done) if reported else []
        wanted = [(epoch, name) for epoch in reported for name in self.data.test.ids]
        curves = [(epoch, threshold) for epoch in curved for threshold in THRESHOLDS]
        if (
            [row["epoch"] for row in self.epochs] != list(range(1, done + 1))
            or [(row["epoch"], row["threshold"]) for row in self.thresholds] != curves
            or [(row["epoch"], row["id"]) for row in self.images] != wanted
        ):
            raise DamagedRun(
                f"epochs.csv, thresholds.csv or images.csv lacks rows of the first {done} epochs"
            )
        for name, digest in state_dict.get("hashes", {}).items():  # older checkpoints have none
            if self.hashes[name].of(getattr(self, name)) != digest:
                raise DamagedRun(f"the rows of {name}.csv are not those of the checkpoint")

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log again the restored epochs that a dashboard lacks."""
        log_restored(trainer.loggers, self.epochs)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; note the rate before the schedule is stepped."""
        self._begin, self._used = time.monotonic(), time.process_time()
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate, record, save."""
        assert isinstance(pl_module, SegmentationModule)
        epoch = len(self.epochs) + 1
        row: dict[str, Any] = {
            "epoch": epoch,
            "step": trainer.global_step,
            "lr": self._lr,
            "train_loss": self._mean_loss(trainer, pl_module.take_losses(), epoch),
        }
        if pl_module.nu is not None:
            row["nu"] = pl_module.nu
        if epoch in self.evaluated:
            row |= self._evaluate(pl_module, epoch)
        row["seconds"] = round(time.monotonic() - self._begin, 3)
        row["processor_seconds"] = round(time.process_time() - self._used, 3)
        self.epochs.append(row)
        log_epoch(trainer.loggers, row)
        self._write(trainer)

    def _mean_loss(self, trainer: pl.Trainer, losses: list[float], epoch: int) -> float:
        """Mean of an epoch's losses; the first non-numeric one is reported with its batch."""
        bad = next((at for at, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if bad is None:
            return fmean(losses)
        assert trainer.train_dataloader is not None
        batch = next(islice(iter(trainer.train_dataloader.sampler), bad, None))
        ids = ", ".join(self.data.train.ids[index] for _, index in batch)
        step = trainer.global_step - len(losses) + bad + 1
        raise TrainingDiverged(
            f"the training loss is {losses[bad]} in epoch {epoch} at step {step}, on the images "
            f"{ids}: {_REMEDY}"
        )

    def _evaluate(self, module: SegmentationModule, epoch: int) -> dict[str, float]:
        begin = time.monotonic()
        try:
            outcome = self.evaluator(
                module, reported=epoch in self.reported, last=epoch == self.evaluated[-1]
            )
        except NaNPredicted as error:
            # Only float16 has a narrower range than float32.
            wider = ", or trainer.precision=32-true" if self.precision == "16-mixed" else ""
            raise TrainingDiverged(
                f"{error} in the evaluation of epoch {epoch}: {_REMEDY}{wider}"
            ) from error
        self.thresholds += [{"epoch": epoch, **row} for row in outcome.thresholds]
        self.images += [{"epoch": epoch, **row} for row in outcome.images]
        return outcome.row | {"evaluation_seconds": round(time.monotonic() - begin, 3)}

    def _write(self, trainer: pl.Trainer) -> None:
        write_csv(self.folder.epochs, self.epochs)
        if self.epochs[-1]["epoch"] in self.evaluated and self.thresholds:
            write_csv(self.folder.thresholds, self.thresholds)
        if self.epochs[-1]["epoch"] in self.reported:
            write_csv(self.folder.images, self.images)
        due = time.monotonic() - self._saved >= self.checkpoint_every
        # Shortly before the time limit every epoch is saved, so that it costs one at most.
        if due or limit.is_within(self.checkpoint_every):
            self.save(trainer)
        interrupts.stop_if_lost()

    def save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint from which the run can resume."""
        with interrupts.later(), replacing(self.folder.checkpoint) as temporary:
            trainer.save_checkpoint(temporary)
            seal(temporary)
        self._saved = time.monotonic()


def _rows(path: Path, done: int) -> list[dict[str, Any]]:
    """The rows of a file up to an epoch."""
    try:
        data = read_bytes(path)
        if not data.endswith(b"\n"):
            raise DamagedRun(f"{path.name} is cut off")
        return [row for row in parse_csv(path, data) if row["epoch"] <= done]
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise DamagedRun(f"{path.name} cannot be read: {error!r}") from error
