"""Figures of images: worst, median and best test images; training images and their masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from robustseg import IGNORED
from robustseg.results.figures.lines import hardest, heading, settings
from robustseg.results.figures.look import looks
from robustseg.results.figures.run_files import Source, read_each
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources

_OUTLINES = {"clean": "#00e5ff", "noisy": "#ffd400", "predicted": "#ff2d78"}
_DASHES: dict[str, LineStyleType] = {"clean": "-", "noisy": (0, (1, 1)), "predicted": (0, (4, 1.2))}
_NAMES = {"clean": "clean mask", "noisy": "mask given in training", "predicted": "prediction"}
_CELL = 1.5  # inches
_TRAINING = 4  # training images a row

Arrays = dict[str, np.ndarray]


def examples(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Worst, median and best test image and some training images, one row a loss.

    Of the hardest noise setting's runs, the first seed of each loss.

    Args:
        runs: as `told_apart` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without examples.npz.

    Raises:
        Unreadable: one that is there.
    """

    def choose(arrays: Arrays) -> list[int]:
        roles = arrays["role"]
        tested = [int(np.flatnonzero(roles == name)[0]) for name in ("worst", "median", "best")]
        return [*tested, *np.flatnonzero(_training(roles))[:_TRAINING]]

    return _figure(runs, source, choose, 3 + _TRAINING)


def disagreement(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Training images on which a network agrees least with the noisy mask it was given.

    One row a loss, of the hardest noise setting's runs; of those images that a run keeps. A robust
    network disagrees where the mask is wrong; one that has memorised disagrees nowhere.

    Args:
        runs: as `told_apart` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without noise, or without examples.npz.

    Raises:
        Unreadable: one that is there.
    """

    def choose(arrays: Arrays) -> list[int]:
        training = np.flatnonzero(_training(arrays["role"]))
        return sorted(map(int, training), key=lambda at: _agreement(arrays, at, "noisy"))[
            :_TRAINING
        ]

    noisy = runs[runs["alpha"] > 0]
    return None if noisy.empty else _figure(noisy, source, choose, _TRAINING)


def _figure(
    runs: pd.DataFrame, source: Source, choose: Callable[[Arrays], list[int]], columns: int
) -> Figure | None:
    if runs.empty:
        return None
    chosen = hardest(runs).sort_values("seed")
    sources = Sources.of(source)
    chosen = chosen[[_examples(sources.find(name)) is not None for name in chosen["run_id"]]]
    if chosen.empty:
        return None
    first = chosen.groupby("line").first()["run_id"]
    lines = [name for name in looks(first.index)]
    kept = read_each(first, sources, "examples", lambda run: _kept(_examples(run), choose, columns))
    figure = Figure(figsize=(_CELL * columns, (_CELL + 0.3) * len(lines) + 0.6))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(lines), columns, squeeze=False)
    for row, name in zip(axes, lines, strict=True):
        arrays = kept[first[name]]
        for cell in row:
            cell.axis("off")
        for at, cell in zip(range(len(arrays["role"])), row, strict=False):
            _draw(cell, arrays, at)
        # The name of the row stands left of it, where no title can run into it.
        row[0].text(
            -0.08, 0.5, name, transform=row[0].transAxes, rotation=90, ha="right", va="center",
            fontsize=9,
        )  # fmt: skip
    figure.suptitle(heading(*settings(chosen)[-1]), fontsize=10)
    handles = [Line2D([], [], color=_OUTLINES[key], linestyle=_DASHES[key]) for key in _NAMES]
    for handle in handles:
        handle.set(linewidth=2)
    figure.legend(
        handles, list(_NAMES.values()), loc="outside lower center", ncols=3, fontsize=8,
        facecolor="0.35", labelcolor="white", edgecolor="none",
    )  # fmt: skip
    return figure


def _examples(run: Run) -> Path | None:
    """Its examples.npz; None if there is none, as in a record."""
    there = run.folder is not None and run.folder.examples.exists()
    return run.folder.examples if run.folder is not None and there else None


def _kept(path: Path | None, choose: Callable[[Arrays], list[int]], columns: int) -> Arrays:
    """The chosen images of an examples.npz."""
    assert path is not None
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    shape = arrays["image"].shape
    masks = [arrays[name].shape for name in _OUTLINES]
    if len(shape) != 4 or any(mask != shape[:3] for mask in masks):
        raise ValueError("images and masks differ in size")
    at = np.array(choose(arrays)[:columns], int)
    return {key: arrays[key][at] for key in ("image", "role", "dice", *_OUTLINES)}


def _training(roles: np.ndarray) -> np.ndarray:
    return np.char.startswith(roles.astype(str), "train")


def _agreement(arrays: Arrays, at: int, name: str) -> float:
    """Dice of a prediction against the clean or the given mask, at the size that is stored."""
    target, counted = arrays[name][at] == 1, arrays[name][at] != IGNORED
    predicted = (arrays["predicted"][at] == 1) & counted
    total = int(target.sum() + predicted.sum())
    return 2 * int((target & predicted).sum()) / total if total else 1.0


def _draw(cell: Axes, arrays: Arrays, at: int) -> None:
    image = arrays["image"][at]
    cell.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
    role = str(arrays["role"][at])
    training = role.startswith("train")
    for name in ("clean", "noisy", "predicted") if training else ("clean", "predicted"):
        mask = np.pad((arrays[name][at] == 1).astype(float), 1)
        if mask.any():
            grid = [np.arange(-1, size + 1) for size in image.shape[1::-1]]
            cell.contour(*grid, mask, levels=[0.5], colors="black", linewidths=2)
            cell.contour(
                *grid, mask, levels=[0.5], colors=_OUTLINES[name], linewidths=1.2,
                linestyles=[_DASHES[name]],
            )  # fmt: skip
    title = f"{role}: Dice {arrays['dice'][at]:.2f}"
    if training:
        given, clean = (_agreement(arrays, at, name) for name in ("noisy", "clean"))
        title = f"training: given {given:.2f},\nclean {clean:.2f}"
    cell.set_title(title, fontsize=8)
    cell.set_xlim(-0.5, image.shape[1] - 0.5)
    cell.set_ylim(image.shape[0] - 0.5, -0.5)
