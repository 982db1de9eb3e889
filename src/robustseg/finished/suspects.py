"""How little a trained network believes each of the masks it was trained on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from robustseg import IGNORED
from robustseg.data.prepare import RunData, prepare
from robustseg.errors import ConfigError, DataError, NotInstalled
from robustseg.finished.evaluate import training_rows
from robustseg.finished.load import FinishedRun
from robustseg.losses import TLoss
from robustseg.losses.reduction import count_pixels
from robustseg.losses.tloss import squared_residuals
from robustseg.metrics.evaluation import predict_logits
from robustseg.metrics.segmentation import SegmentationMetrics, confusion, predicted_labels
from robustseg.metrics.summary import dice
from robustseg.runs.files import trouble

DICE = "1 - Dice"  # a method

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Beliefs:
    """n training masks as the network sees them; with several classes, each class of an image.

    Attributes:
        doubt: (n,) by method, higher where a mask is less believed. The first method is the run's
            own, unless it was left out; then `DICE`, of mask and prediction; "cleanlab" if it was
            asked for.
        dice: (n,) of the prediction against the mask given.
        predicted: (N, H, W) uint8, foreground 1, or k for the k-th class.
        at: (n,) places of the images among the N; several of one image where there are classes.
        classes: of each, the name of the class, or "" where masks are binary.
    """

    doubt: dict[str, np.ndarray]
    dice: np.ndarray
    predicted: np.ndarray
    at: np.ndarray
    classes: Sequence[str]

    @property
    def method(self) -> str:
        """The run's own method; `DICE` where it was left out."""
        return next(iter(self.doubt))

    def order(self, method: str) -> np.ndarray:
        """Positions of the masks, the least believed first."""
        return np.argsort(-self.doubt[method], kind="stable")


@dataclass(frozen=True)
class Detection:
    """How well a method finds wrong masks of a type among the right ones.

    Attributes:
        method: of scoring.
        type: of noise; "all" for every type together.
        noisy: how many there are.
        clean: how many right masks they are sought among.
        auroc: probability that a wrong mask is doubted more than a right one.
        precision: share of wrong masks among the first k, k being their number.
        chance: what the precision of a random order would be; that of the AUROC is ½.
    """

    method: str
    type: str
    noisy: int
    clean: int
    auroc: float
    precision: float
    chance: float


def training_data(run: FinishedRun, cache: Path) -> RunData:
    """The images and masks that a run was trained on, made again from its configuration.

    Args:
        run: the run; `dataset.root` in its configuration is where its images are now.
        cache: folder of decoded images.

    Raises:
        DataError: the data is not there, or its images or masks are not those that the run wrote
            down.
    """
    dataset, noise = run.settings.dataset, run.settings.noise
    data = prepare(run.build("dataset.source"), cache, dataset, noise, run.build("noise.model"))
    try:
        trained = [(row["id"], row["sha256"]) for row in run.folder.read_rows(run.folder.manifest)]
    except (OSError, ValueError) as error:
        raise DataError(f"{run.folder.manifest} {trouble(error)}") from error
    except KeyError as error:
        raise DataError(f"{run.folder.manifest} is damaged: no column {error}") from error
    if trained != [(row["id"], row["sha256"]) for row in data.manifest]:
        raise DataError(
            f"the masks at {dataset.root} are not those that {run.folder.run_id} was "
            f"trained on ({run.folder.manifest.name} differs). Give its data with dataset.root=…"
        )
    here = {row["id"]: row["pixels"] for row in data.split_rows() if row["split"] == "train"}
    other = [
        row["id"]
        for row in training_rows(run)
        if "pixels" in row and here.get(row["id"]) != str(row["pixels"])
    ]
    if other:
        raise DataError(
            f"{len(other)} training images at {dataset.root}, such as {other[0]}, are not those "
            f"that {run.folder.run_id} was trained on ({run.folder.split.name} has other "
            "checksums). Give its data with dataset.root=…"
        )
    return data


def beliefs(
    run: FinishedRun,
    images: np.ndarray,
    masks: np.ndarray,
    *,
    compare: bool = False,
    need_own: bool = True,
) -> Beliefs:
    """Score masks by the residuals r = y − p of the network's probabilities.

    With S = Σ r² over the D counted pixels of an image, a T-Loss weighs an image's residuals by
    w = (ν + D) / (ν e^-λ + S) in its gradient, with D by area if it is an `AreaTLoss`
    (`TLoss.weight`); of such a run the doubt is 1 / w, of any other S / D. An image without
    counted pixels is not doubted.

    Of label maps each class of an image is a mask to doubt, with the squared residual of the class
    over the pixels counted, whatever the loss: the T-Loss weighs an image, not a class.

    Args:
        run: whose network predicts.
        images: (N, H, W, C) uint8.
        masks: (N, H, W) uint8 with 0, 1 and 255 = ignored.
        compare: whether to add cleanlab's label quality score ("softmin"; Lad and Mueller,
            arXiv 2307.05080), negated, of the same probabilities.
        need_own: whether the run's own method has to be there; else it is left out, with a
            warning, where the loss cannot be built.

    Raises:
        NotInstalled: cleanlab is asked for and not installed.
        DataError: the network predicts NaN, or a loss with a ν is not a T-Loss of the package.
    """
    loss, has_own = None, True
    try:
        loss = None if run.classes else _t_loss(run)
    except DataError as error:
        if need_own:
            raise
        has_own = False
        _log.warning("without the weight of the run's own loss: %s", error)
    if compare and run.classes:
        raise ConfigError(
            f"--compare: {run.folder.run_id} has several classes, and cleanlab scores whole images"
        )
    if compare and find_spec("cleanlab") is None:
        raise NotInstalled("--compare needs cleanlab: pip install cleanlab")
    doubts, scores, quality, predicted = [], [], [], []
    batches = predict_logits(
        run.predictor, images, batch_size=run.batch_size, precision=run.precision
    )
    for place, on_device in batches:
        logits = on_device.cpu()
        if logits.isnan().any():  # NaN would pass for background
            raise DataError(
                f"{run.folder.run_id}: the network's output is NaN on its training images, so "
                "masks cannot be ranked: use another run"
            )
        given = torch.from_numpy(np.array(masks[place])).unsqueeze(1)
        predicted.append(predicted_labels(logits).numpy())
        if run.classes:
            doubts.append(_residuals(logits, given))
            scores.append(_scores(logits, given, run.classes))
            continue
        ignore = given == IGNORED
        target = (given == 1).to(logits.dtype)
        doubts.append(_doubt(loss, logits, target, ignore))
        scores.append(dice(*confusion(logits, given)[:, :3].T.numpy()))
        if compare:
            quality.append(_label_quality(logits, given))
    agreement = np.concatenate(scores)
    own = "mean squared residual" if loss is None else "T-Loss weight"
    methods = {own: np.concatenate(doubts)} if has_own else {}
    methods[DICE] = 1 - agreement
    if compare:
        methods["cleanlab"] = -np.concatenate(quality)
    names = run.classes or ("",)
    at = np.repeat(np.arange(len(images)), len(names))
    return Beliefs(methods, agreement, np.concatenate(predicted), at, [*names] * len(images))


def _residuals(logits: Tensor, given: Tensor) -> np.ndarray:
    """Mean squared residual of each image and foreground class, (B · classes,)."""
    probabilities = logits.double().softmax(dim=1)[:, 1:]
    values = torch.arange(1, logits.shape[1]).view(1, -1, 1, 1)
    known = given != IGNORED
    squares = ((given == values).double() - probabilities).square() * known
    pixels = known.flatten(1).sum(dim=1, keepdim=True).clamp(min=1)
    return (squares.flatten(2).sum(dim=2) / pixels).flatten().numpy()


def _scores(logits: Tensor, given: Tensor, classes: Sequence[str]) -> np.ndarray:
    """Dice of each image and class, (B · classes,); 1 where both masks are empty."""
    metric = SegmentationMetrics(classes=classes)
    metric.update(logits, given)
    rows = metric.rows()
    each = [dice(*(rows[f"{count}/{name}"] for count in ("tp", "fp", "fn"))) for name in classes]
    return np.stack(each, axis=1).ravel()


def _t_loss(run: FinishedRun) -> TLoss | None:
    """The run's loss as it was after training, if it is a T-Loss."""
    if run.nu is None:
        return None
    loss = run.build("loss")
    if not isinstance(loss, TLoss):
        raise DataError(
            f"{run.folder.config}: {type(loss).__name__} has a ν but is not a TLoss, so the "
            "weight that it gives an image is unknown. Derive it from robustseg.losses.TLoss, or "
            "rank by 1 - Dice: --by dice"
        )
    try:
        loss.load_state_dict(run.loss_state)
    except RuntimeError as error:  # it lists the names
        raise DataError(
            f"{run.folder.weights}: the parameters of the loss do not fit {type(loss).__name__}, "
            "so the weight that it gives an image is unknown: take the class that the run was "
            "trained with, or rank by 1 - Dice: --by dice"
        ) from error
    return loss


def _doubt(loss: TLoss | None, logits: Tensor, target: Tensor, ignore: Tensor) -> np.ndarray:
    """The run's own doubt of each mask of a batch (B,)."""
    squares = squared_residuals(logits, target, ignore).double()
    pixels = count_pixels(logits, ignore).double()
    if loss is None:
        doubt = squares / pixels
    else:
        doubt = 1 / loss.weight(squares, loss.dimensions(logits, target, ignore))
    return doubt.masked_fill(pixels == 0, 0).numpy()


def _label_quality(logits: Tensor, given: Tensor) -> np.ndarray:
    """Label quality by cleanlab (B,); an ignored pixel is taken as labelled like its prediction."""
    from cleanlab.segmentation.rank import get_label_quality_scores

    labels = torch.where(given == IGNORED, logits > 0, given == 1)[:, 0].long().numpy()
    foreground = logits.sigmoid()
    probabilities = torch.cat([1 - foreground, foreground], dim=1).numpy()
    scores, _ = get_label_quality_scores(labels, probabilities, verbose=False)
    return scores


def detections(found: Beliefs, manifest: Sequence[Mapping[str, Any]]) -> list[Detection]:
    """How well each method finds the masks that noise has changed; empty if there are none.

    A mask that its noise left as it was counts as right.
    """
    types = np.array([row["type"] for row in manifest])
    wrong = np.array([row["dice"] < 1 for row in manifest])
    if not wrong.any() or wrong.all():
        return []
    result = []
    for method, doubt in found.doubt.items():
        for kind in ("all", *sorted(set(types[wrong]))):
            chosen = wrong if kind == "all" else wrong & (types == kind)
            numbers = auroc(doubt[chosen], doubt[~wrong]), precision(doubt[chosen], doubt[~wrong])
            noisy, clean = int(chosen.sum()), int((~wrong).sum())
            chance = noisy / (noisy + clean)
            result.append(Detection(method, kind, noisy, clean, *numbers, chance))
    return result


def auroc(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Probability that a score of the first kind is above one of the second; a tie counts half."""
    return float(mannwhitneyu(noisy, clean).statistic) / (len(noisy) * len(clean))


def precision(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Share of the first kind among the k highest scores of both, k being the number of them.

    Ties at the k-th score count by their expected share.
    """
    k = len(noisy)
    threshold = np.sort(np.concatenate([noisy, clean]))[-k]
    above = [int((scores > threshold).sum()) for scores in (noisy, clean)]
    tied = [int((scores == threshold).sum()) for scores in (noisy, clean)]
    return (above[0] + (k - sum(above)) * tied[0] / sum(tied)) / k
