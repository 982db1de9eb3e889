"""What a threshold makes of a prediction: the same test images, a loss beside another."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from robustseg import IGNORED
from robustseg.errors import DataError
from robustseg.finished.load import load_run
from robustseg.metrics.evaluation import predict_logits
from robustseg.metrics.summary import dice
from robustseg.results.figures.lines import hardest, heading, settings
from robustseg.results.figures.run_files import Source, Unreadable, read_each
from robustseg.results.figures.style import name_row
from robustseg.results.load import of_label_maps
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources
from robustseg.runs.pictures import read_examples

_THRESHOLDS = (0.25, 0.5, 0.75)
_CELL = 1.5  # inches
_NAME = 12  # characters of a line of an image's name
_IMAGES = 2  # test images, the same for all runs on the same data


@dataclass(frozen=True)
class _Kept:
    """Test images that a run keeps: (n, H, W, C), with their ids and clean masks (n, H, W)."""

    ids: list[str]
    images: np.ndarray
    masks: np.ndarray


def threshold_masks(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Image, clean mask, probability and its masks at ¼, ½ and ¾, with their Dice.

    A row per test image and loss, of the hardest noise setting's runs with weights, first seed. The
    images are those that every examples.npz keeps; the network predicts them again.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without weights.

    Raises:
        Unreadable: an examples.npz that is there, or a network that cannot be loaded.
    """
    sources = Sources.of(source)
    chosen = _chosen(runs, sources)
    if chosen.empty:
        return None
    kept = read_each(chosen["run_id"], sources, "examples", _kept)
    probabilities, reasons = {}, {}
    for run_id, examples in kept.items():
        try:
            probabilities[run_id] = _predict(sources.find(run_id), examples)
        except DataError as error:
            reasons[run_id] = str(error)
    if reasons:
        raise Unreadable(reasons)
    rows = {
        line: (kept[run_id], probabilities[run_id])
        for line, run_id in zip(chosen["line"], chosen["run_id"], strict=True)
    }
    return _figure(rows, heading(*settings(chosen)[-1]))


def _chosen(runs: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    folders = [sources.find(run_id).folder for run_id in runs["run_id"]]
    there = [
        folder is not None and folder.weights.is_file() and folder.examples.is_file()
        for folder in folders
    ]
    # Label maps have no threshold: the most probable class is taken.
    kept = runs[np.array(there, bool) & ~of_label_maps(runs).to_numpy()]
    return kept if kept.empty else _first_seeds(hardest(kept))


def _first_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """The first seed of each line, in the order of the lines."""
    first = runs.sort_values("seed", kind="stable").groupby("line").head(1)
    return first.loc[[at for at in runs.index if at in first.index]]


def _kept(run: Run) -> _Kept:
    assert run.folder is not None
    kept = read_examples(run.folder.examples)
    at = np.flatnonzero(kept["role"] == "fixed")[:_IMAGES]
    return _Kept([str(name) for name in kept["id"][at]], kept["image"][at], kept["clean"][at])


def _predict(finished: Run, kept: _Kept) -> np.ndarray:
    """Probabilities (n, H, W).

    Raises:
        DataError: the run cannot be loaded, or keeps its images at another size.
    """
    assert finished.folder is not None
    run = load_run(finished.folder.path, device="cpu")
    if kept.images.shape[1:3] != (run.image_size, run.image_size):
        raise DataError(f"{run.folder.examples} keeps smaller images than its network takes")
    predicted = predict_logits(
        run.predictor, kept.images, batch_size=run.batch_size, precision=run.precision
    )
    probabilities = torch.cat([logits[:, 0].sigmoid() for _, logits in predicted])
    if probabilities.isnan().any():  # NaN would pass for background
        raise DataError(f"the output of {run.folder.run_id} on its examples is NaN")
    return probabilities.numpy()


def _figure(found: dict[str, tuple[_Kept, np.ndarray]], above: str) -> Figure:
    names = list(found)
    rows = [(at, name) for at in range(_IMAGES) for name in names if at < len(found[name][0].ids)]
    columns = 3 + len(_THRESHOLDS)
    figure = Figure(figsize=(_CELL * columns, (_CELL + 0.35) * len(rows) + 0.4))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (at, name) in zip(axes, rows, strict=True):
        one, probabilities = found[name]
        image, mask, probability = one.images[at], one.masks[at], probabilities[at]
        shown = [
            (
                image if image.shape[-1] == 3 else image[..., 0],
                255,
                textwrap.fill(one.ids[at], _NAME),
            )
        ]
        shown += [(mask == 1, 1, "clean mask"), (probability, 1, "probability")]
        for threshold in _THRESHOLDS:
            cut = probability > threshold
            shown.append((cut, 1, f"> {threshold:g}\nDice {_dice(cut, mask):.2f}"))
        for cell, (picture, highest, title) in zip(line, shown, strict=True):
            cell.imshow(picture, cmap="gray", vmin=0, vmax=highest)
            cell.set_title(title, fontsize=8)
            cell.set_xticks([])
            cell.set_yticks([])
            cell.spines[:].set_color("0.6")  # a white mask would be lost on white paper
        name_row(line[0], name)
    figure.suptitle(above, fontsize=10)
    return figure


def _dice(predicted: np.ndarray, mask: np.ndarray) -> float:
    """Dice over the pixels that count."""
    counted = mask != IGNORED
    true, found = (mask == 1) & counted, predicted & counted
    both = int((true & found).sum())
    return float(dice(both, int(found.sum()) - both, int(true.sum()) - both))
