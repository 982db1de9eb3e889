"""Figures of images: worst, median and best test images, and training images with noisy masks."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

_OUTLINES = {"clean": "#00e5ff", "noisy": "#ffd400", "predicted": "#ff2d78"}
_CELL = 1.5  # inches


def examples(runs: pd.DataFrame, folder: Path) -> Figure:
    """The examples of the hardest noise setting's runs, one row a loss (its first seed).

    Worst, median and best test image, and training images that were given noisy masks, with the
    outlines of the clean, the given and the predicted mask.

    Args:
        runs: finished runs, as `load_runs` gives them.
        folder: of the runs.
    """
    order = runs.assign(beta=runs["beta"].fillna(0)).sort_values(["alpha", "beta", "seed"])
    hardest = order[(order["alpha"] == order["alpha"].max())]
    hardest = hardest[hardest["beta"] == hardest["beta"].max()]
    rows = list(hardest.groupby("loss").first()["run_id"].items())
    figure = Figure(figsize=(_CELL * 7, (_CELL + 0.3) * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots(len(rows), 7, squeeze=False)
    for line, (loss, run_id) in zip(axes, rows, strict=True):
        with np.load(folder / run_id / "examples.npz") as file:
            arrays = {name: file[name] for name in file.files}
        chosen = [
            *(int(np.flatnonzero(arrays["role"] == r)[0]) for r in ("worst", "median", "best")),
            *np.flatnonzero(arrays["role"] == "train")[:4],
        ]
        for cell in line:
            cell.axis("off")
        for cell, at in zip(line, chosen, strict=False):
            _draw(cell, arrays, int(at))
        line[0].set_title(f"{loss}\n{line[0].get_title()}", fontsize=8)
    alpha, beta = hardest[["alpha", "beta"]].iloc[0]
    figure.suptitle(f"α = {alpha:g}, β = {beta:g}", fontsize=10)
    handles = [Line2D([], [], color=color) for color in _OUTLINES.values()]
    names = ["clean mask", "mask given in training", "prediction"]
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _draw(cell: Axes, arrays: dict[str, np.ndarray], at: int) -> None:
    image = arrays["image"][at]
    cell.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
    training = arrays["role"][at] == "train"
    for name in ("clean", "noisy", "predicted") if training else ("clean", "predicted"):
        mask = np.pad((arrays[name][at] == 1).astype(float), 1)
        if mask.any():
            grid = [np.arange(-1, size + 1) for size in image.shape[1::-1]]
            cell.contour(*grid, mask, levels=[0.5], colors="black", linewidths=1.8)
            cell.contour(*grid, mask, levels=[0.5], colors=_OUTLINES[name], linewidths=1)
    role = "training" if training else f"{arrays['role'][at]}: Dice {arrays['dice'][at]:.2f}"
    cell.set_title(role, fontsize=8)
    cell.set_xlim(-0.5, image.shape[1] - 0.5)
    cell.set_ylim(image.shape[0] - 0.5, -0.5)
