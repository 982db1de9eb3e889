"""How little a trained network believes each of the masks it was trained on."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from robustseg import IGNORED
from robustseg.errors import ConfigError, DataError, NotInstalled
from robustseg.finished.load import FinishedRun
from robustseg.losses import TLoss
from robustseg.losses.reduction import count_pixels
from robustseg.losses.tloss import squared_residuals
from robustseg.metrics.evaluation import predict_logits
from robustseg.metrics.segmentation import SegmentationMetrics, confusion, predicted_labels
from robustseg.metrics.summary import dice

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
    own, loss = _own_method(run, need_own)
    if compare:
        _check_comparable(run)
    parts: list[tuple[np.ndarray, ...]] = []
    predicted = []
    for place, logits in _predicted(run, images):
        given = torch.from_numpy(np.array(masks[place])).unsqueeze(1)
        predicted.append(predicted_labels(logits).numpy())
        if run.classes:
            parts.append((_residuals(logits, given), _scores(logits, given, run.classes)))
        else:
            parts.append(_of_masks(loss, logits, given, compare))
    doubt, agreement, *quality = map(np.concatenate, zip(*parts, strict=True))
    methods = {own: doubt} if own else {}
    methods[DICE] = 1 - agreement
    if compare:
        methods["cleanlab"] = -quality[0]
    names = run.classes or ("",)
    at = np.repeat(np.arange(len(images)), len(names))
    return Beliefs(methods, agreement, np.concatenate(predicted), at, [*names] * len(images))


def _own_method(run: FinishedRun, needed: bool) -> tuple[str | None, TLoss | None]:
    """What the run's own loss doubts masks by, and that loss if it is a T-Loss; None: left out."""
    try:
        loss = None if run.classes else _t_loss(run)
    except DataError as error:
        if needed:
            raise
        _log.warning("without the weight of the run's own loss: %s", error)
        return None, None
    return "mean squared residual" if loss is None else "T-Loss weight", loss


def _check_comparable(run: FinishedRun) -> None:
    """Raises unless cleanlab can score the run's masks."""
    if run.classes:
        raise ConfigError(
            f"--compare: {run.folder.run_id} has several classes, and cleanlab scores whole images"
        )
    if find_spec("cleanlab") is None:
        raise NotInstalled("--compare needs cleanlab: pip install cleanlab")


def _predicted(run: FinishedRun, images: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """The logits of each batch, on the CPU, and its place."""
    batches = predict_logits(
        run.predictor, images, batch_size=run.batch_size, precision=run.precision
    )
    for place, logits in batches:
        if logits.isnan().any():  # NaN would pass for background
            raise DataError(
                f"{run.folder.run_id}: the network's output is NaN on its training images, so "
                "masks cannot be ranked: use another run"
            )
        yield place, logits.cpu()


def _of_masks(
    loss: TLoss | None, logits: Tensor, given: Tensor, compare: bool
) -> tuple[np.ndarray, ...]:
    """Own doubt and Dice of the binary masks of a batch, and if asked for cleanlab's quality."""
    target = (given == 1).to(logits.dtype)
    doubt = _doubt(loss, logits, target, given == IGNORED)
    scores = dice(*confusion(logits, given)[:, :3].T.numpy())
    return (doubt, scores, _label_quality(logits, given)) if compare else (doubt, scores)


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
