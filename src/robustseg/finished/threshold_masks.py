"""What a threshold makes of a prediction: the same test images, a loss beside another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from robustseg.data.sources.source import DataError
from robustseg.finished.load import load_run
from robustseg.metrics.evaluation import predict_logits
from robustseg.metrics.summary import dice
from robustseg.results.figures.look import looks
from robustseg.results.figures.selection import hardest, heading, settings
from robustseg.results.sources import Sources

_THRESHOLDS = (0.25, 0.5, 0.75)
_CELL = 1.5  # inches
_IMAGES = 2  # test images, the same for all runs on the same data


@dataclass(frozen=True)
class _Predicted:
    """Test images of a run: (n, H, W, C), their masks and probabilities (n, H, W)."""

    ids: tuple[str, ...]
    images: np.ndarray
    masks: np.ndarray
    probabilities: np.ndarray


def threshold_masks(runs: pd.DataFrame, sources: Sources) -> tuple[Figure | None, list[str]]:
    """Image, true mask, probability and its masks at ¼, ½ and ¾, with their Dice.

    A row a test image and loss, of the hardest noise setting's runs with weights, first seed. The
    images are those that every examples.npz keeps; the network predicts them anew.

    Args:
        runs: as `told_apart` gives them.
        sources: of the runs.

    Returns:
        The figure, None without weights; and which runs are left out, and why.
    """
    found: dict[str, _Predicted] = {}
    remarks = []
    chosen = _chosen(runs, sources)
    for _, run in chosen.iterrows():
        folder = sources.find(run["run_id"]).folder
        assert folder is not None
        try:
            found[run["line"]] = _predict(folder.path, folder.examples)
        except (DataError, OSError, ValueError, LookupError) as error:
            told = str(error) if isinstance(error, DataError) else f"{folder.path}: {error!r}"
            remarks.append(f"{told}; left out of threshold_masks.")
    return (_figure(found, heading(*settings(chosen)[-1])) if found else None), remarks


def _chosen(runs: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    folders = [sources.find(run_id).folder for run_id in runs["run_id"]]
    there = [
        folder is not None and folder.weights.is_file() and folder.examples.is_file()
        for folder in folders
    ]
    kept = runs[there]
    return kept if kept.empty else hardest(kept).sort_values("seed").groupby("line").head(1)


def _predict(path: Path, examples: Path) -> _Predicted:
    """Predict the test images that a run keeps.

    Raises:
        DataError: the run cannot be loaded, or keeps its images at another size.
        ValueError: examples.npz is damaged.
    """
    run = load_run(path, device="cpu")
    with np.load(examples) as file:
        at = np.flatnonzero(file["role"] == "fixed")[:_IMAGES]
        images, masks, ids = file["image"][at], file["clean"][at], file["id"][at]
    if images.shape[1:3] != (run.image_size, run.image_size):
        raise DataError(f"{examples} keeps smaller images than the network takes")
    predicted = predict_logits(
        run.predictor, images, batch_size=run.batch_size, precision=run.precision
    )
    probabilities = torch.cat([logits[:, 0].sigmoid() for _, logits in predicted])
    if probabilities.isnan().any():  # NaN would pass for background
        raise DataError(f"the output of {run.folder.run_id} on its examples is NaN")
    return _Predicted(tuple(map(str, ids)), images, masks, probabilities.numpy())


def _figure(found: dict[str, _Predicted], above: str) -> Figure:
    names = list(looks(found))
    rows = [(at, name) for at in range(_IMAGES) for name in names if at < len(found[name].ids)]
    columns = 3 + len(_THRESHOLDS)
    figure = Figure(figsize=(_CELL * columns, (_CELL + 0.25) * len(rows) + 0.4))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (at, name) in zip(axes, rows, strict=True):
        one = found[name]
        image, mask, probability = one.images[at], one.masks[at], one.probabilities[at]
        shown = [(image if image.shape[-1] == 3 else image[..., 0], 255, one.ids[at])]
        shown += [(mask == 1, 1, "clean mask"), (probability, 1, "probability")]
        for threshold in _THRESHOLDS:
            cut = probability > threshold
            shown.append((cut, 1, f"> {threshold:g}: Dice {_dice(cut, mask):.2f}"))
        for cell, (picture, highest, title) in zip(line, shown, strict=True):
            cell.imshow(picture, cmap="gray", vmin=0, vmax=highest)
            cell.set_title(title, fontsize=8)
            cell.axis("off")
        line[0].text(
            -0.08, 0.5, name, transform=line[0].transAxes, rotation=90, ha="right", va="center",
            fontsize=9,
        )  # fmt: skip
    figure.suptitle(above, fontsize=10)
    return figure


def _dice(predicted: np.ndarray, mask: np.ndarray) -> float:
    """Dice over the pixels that count."""
    counted = mask != 255
    true, found = (mask == 1) & counted, predicted & counted
    both = int((true & found).sum())
    return float(dice(both, int(found.sum()) - both, int(true.sum()) - both))
