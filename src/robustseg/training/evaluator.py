"""What is measured of a network at the end of an epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from robustseg import IGNORED
from robustseg.data.prepare import RunData
from robustseg.metrics import (
    THRESHOLDS,
    ThresholdCounts,
    best_threshold,
    score_thresholds,
    summarise,
)
from robustseg.metrics.by_class import pixels_counted
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.metrics.evaluation import evaluate, evaluate_fully, update_metrics
from robustseg.metrics.segmentation import predicted_labels
from robustseg.metrics.summary import COUNTS
from robustseg.settings import EvaluationSettings


@dataclass
class Evaluation:
    """The outcome of one evaluation.

    Attributes:
        row: columns of epochs.csv.
        thresholds: rows of thresholds.csv, without the epoch.
        images: rows of images.csv, without the epoch; empty unless the evaluation is reported.
    """

    row: dict[str, float] = field(default_factory=dict)
    thresholds: list[dict[str, float]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)


class Evaluator:
    """Scores a network on training, held-out and test images, in eval mode, not augmented.

    Args:
        data: of the run.
        settings: what is measured.
        precision: as the trainer's.
    """

    def __init__(self, data: RunData, settings: EvaluationSettings, precision: str) -> None:
        self.data = data
        self.settings = settings
        self._how: Any = {"batch_size": settings.batch_size, "precision": precision}
        self._classes: Any = {"classes": data.classes}
        count, sample = len(data.train), min(settings.train_sample, len(data.train))
        drawn = np.random.default_rng(count).choice(count, sample, replace=False)
        self._sampled = np.zeros(count, bool)
        self._sampled[drawn] = True
        # What was predicted on the sample at the last evaluation, a bit per pixel; None before it.
        self.predicted: Tensor | None = None

    def __call__(self, module: nn.Module, *, reported: bool, last: bool) -> Evaluation:
        """Evaluate once.

        Args:
            module: uint8 images (B, H, W, C) → logits (B, 1, H, W), or one per class.
            reported: whether images.csv keeps this evaluation.
            last: whether it is the run's last; memorisation is then measured on all images.

        Raises:
            NaNPredicted: the network's output is NaN.
        """
        outcome = Evaluation(self.memorisation(module, last))
        if self.data.classes:
            return self._of_label_maps(module, outcome, reported)
        noisy = self._heldout(module)
        if noisy is not None:
            tuned = best_threshold(noisy)
            outcome.row["heldout_dice_noisy"] = noisy[THRESHOLDS.index(0.5)]
            outcome.row["heldout_threshold"] = THRESHOLDS[tuned]
        counts = ThresholdCounts()
        columns, pooled = self._test(module, [(counts, self.data.test.masks)], reported)
        at = counts.compute()
        if reported and noisy is not None:
            columns |= {f"{name}_tuned": at[name][:, tuned] for name in COUNTS}
        self._keep(outcome, columns, pooled, reported)
        curves = {f"test_{name}": values for name, values in score_thresholds(at).items()}
        if noisy is not None:
            curves["heldout_dice_noisy"] = noisy
        outcome.thresholds = [
            {"threshold": threshold, **{name: values[k] for name, values in curves.items()}}
            for k, threshold in enumerate(THRESHOLDS)
        ]
        return outcome

    def _of_label_maps(self, module: nn.Module, outcome: Evaluation, reported: bool) -> Evaluation:
        """The same of several classes, which have no threshold: the largest probability decides."""
        heldout = self.data.heldout
        if heldout is not None and not (heldout.masks == IGNORED).all():
            (columns,) = evaluate(
                module, heldout.images, [heldout.masks], **self._how, **self._classes
            )
            outcome.row["heldout_dice_noisy"] = summarise(columns)["dice_image"]
        columns, pooled = self._test(module, [], reported)
        self._keep(outcome, columns, pooled, reported)
        return outcome

    def _keep(
        self,
        outcome: Evaluation,
        columns: dict[str, np.ndarray],
        pooled: dict[str, float],
        reported: bool,
    ) -> None:
        """Add what was found on the test images."""
        if reported:
            outcome.images = [
                {"id": name, **{key: values[i].item() for key, values in columns.items()}}
                for i, name in enumerate(self.data.test.ids)
            ]
        numbers = summarise(columns) | pooled
        outcome.row |= {
            f"test_{name}": value
            for metric in CATALOGUE.values()
            if metric.each_epoch
            for name, value in numbers.items()
            if name.partition("/")[0] == metric.name
        }

    def memorisation(self, module: nn.Module, everything: bool) -> dict[str, float]:
        """Mean Dice of training images against noisy and clean masks, by type of noise.

        As on the test images, one whose pixels are all ignored says nothing and is left out.
        `train_changed` is the share of the sample's pixels whose prediction is not that of the
        evaluation before.
        """
        train = self.data.train
        # A slice of a memory map stays on disk; an array of indices would copy all images.
        whole = everything or self._sampled.all()
        index = slice(None) if whole else np.flatnonzero(self._sampled)
        predictions = _Predictions(self._sampled[index])
        noisy, clean = evaluate(
            module,
            train.images[index],
            [self.data.noisy[index], train.masks[index]],
            also=[(predictions, train.masks[index])],
            **self._how,
            **self._classes,
        )
        # Noisy masks ignore the pixels that the clean ones ignore.
        counted = pixels_counted(clean) > 0
        types = self.data.types[index][counted]
        row = {}
        for name, columns in (("noisy", noisy), ("clean", clean)):
            dice = columns["dice"][counted]
            row[f"train_dice_{name}"] = _mean(dice)
            for kind in sorted(set(types) - {"clean"}):
                row[f"train_dice_{name}/{kind}"] = _mean(dice[types == kind])
        if (types == "clean").any() and (types != "clean").any():
            dice = clean["dice"][counted]
            row["train_dice_clean/untouched"] = _mean(dice[types == "clean"])
        return row | self._changed(predictions.compute())

    def _changed(self, predicted: np.ndarray) -> dict[str, float]:
        """The share of pixels predicted otherwise than at the last evaluation, (n, H, W) uint8."""
        kept = predicted if self.data.classes else np.packbits(predicted)
        before, self.predicted = self.predicted, torch.from_numpy(kept)
        if before is None:
            return {}
        if self.data.classes:
            changed = np.count_nonzero(kept != before.numpy())
        else:
            changed = np.bitwise_count(kept ^ before.numpy()).sum(dtype=np.int64)
        return {"train_changed": float(changed / predicted.size)}

    def _heldout(self, module: nn.Module) -> list[float] | None:
        """Mean Dice of held-out images against their noisy masks, one per threshold."""
        heldout = self.data.heldout
        if heldout is None or (heldout.masks == IGNORED).all():
            return None
        counts = ThresholdCounts()
        update_metrics(module, heldout.images, [(counts, heldout.masks)], **self._how)
        return score_thresholds(counts.compute())["dice_image"]

    def _test(
        self, module: nn.Module, also: Sequence[tuple[Metric, np.ndarray]], reported: bool
    ) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """The columns of images.csv, and what no image has by itself."""
        test, how = self.data.test, {"also": also, **self._how, **self._classes}
        if not reported:
            (columns,) = evaluate(module, test.images, [test.masks], **how)
            return columns, {}
        hd95 = self.settings.hd95
        columns, pooled = evaluate_fully(module, test.images, test.masks, hd95=hd95, **how)
        columns.pop("index")
        return columns, pooled


class _Predictions(Metric):
    """The label maps that are predicted for some of the images, (n, H, W) uint8 on the host.

    Args:
        kept: (N,) bool, of which of the images.
    """

    full_state_update = False
    labels: list[Tensor]

    def __init__(self, kept: np.ndarray) -> None:
        super().__init__(compute_on_cpu=True)  # each batch goes to the host: together they are big
        self.add_state("labels", default=[], dist_reduce_fx="cat")
        self.kept, self.seen = torch.from_numpy(kept), 0

    def update(self, logits: Tensor, target: Tensor) -> None:
        kept = self.kept[self.seen : self.seen + len(logits)]
        self.seen += len(logits)
        self.labels.append(predicted_labels(logits)[kept.to(logits.device)])

    def compute(self) -> np.ndarray:
        return dim_zero_cat(self.labels).numpy()


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else math.nan
