"""Figures of images: test images, training images and their masks, a row per loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from robustseg import IGNORED
from robustseg.results.figures.lines import hardest, heading, settings, styles_of
from robustseg.results.figures.run_files import Source, read_each
from robustseg.results.figures.style import class_colors, escaped, name_row
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources
from robustseg.runs.pictures import read_examples

_OUTLINES = {"clean": "#00e5ff", "noisy": "#ffd400", "predicted": "#ff2d78"}
_DASHES: dict[str, LineStyleType] = {"clean": "-", "noisy": (0, (1, 1)), "predicted": (0, (4, 1.2))}
_NAMES = {"clean": "clean mask", "noisy": "mask given in training", "predicted": "prediction"}
_CELL = 1.5  # inches
_TESTED, _TRAINING = 3, 4  # images per row, at most

Arrays = dict[str, np.ndarray]
Choice = Callable[[Mapping[str, Arrays]], dict[str, list[int]]]  # places of images, by run id


def examples(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Test images and training images, one row per loss, the same images in each.

    Of the hardest noise setting's runs, the first seed of each loss; of the images that all of
    these keep. Runs that keep none in common, being of other data, show their own.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without examples.npz.

    Raises:
        Unreadable: one that is there.
    """
    return _figure(runs, source, _common)


def disagreement(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Training images on which a network agrees least with the noisy mask it was given.

    One row per loss, of the hardest noise setting's runs; of those images that a run keeps. A
    robust network disagrees where the mask is wrong; one that has memorised disagrees nowhere.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without noise, or without examples.npz.

    Raises:
        Unreadable: one that is there.
    """

    def choose(kept: Mapping[str, Arrays]) -> dict[str, list[int]]:
        return {name: _least(arrays) for name, arrays in kept.items()}

    noisy = runs[runs["alpha"] > 0]
    return None if noisy.empty else _figure(noisy, source, choose)


def _common(kept: Mapping[str, Arrays]) -> dict[str, list[int]]:
    """The places of images that all keep, in each; of few test images, or none, its own."""
    chosen: dict[str, list[int]] = {name: [] for name in kept}
    for training, count in ((False, _TESTED), (True, _TRAINING)):
        places = {name: _places(arrays, training) for name, arrays in kept.items()}
        first = next(iter(places.values()))
        ids = [one for one in first if all(one in of for of in places.values())][:count]
        for name, of in places.items():
            chosen[name] += [of[one] for one in ids or [*of][:count]]
    return chosen


def _places(arrays: Arrays, training: bool) -> dict[str, int]:
    """Where each image is, fixed ones first."""
    own = np.flatnonzero(_training(arrays["role"]) == training)
    own = own[np.argsort(~np.isin(arrays["role"][own], ("fixed", "train")), kind="stable")]
    places: dict[str, int] = {}
    for at in own:
        places.setdefault(str(arrays["id"][at]), int(at))
    return places


def _least(arrays: Arrays) -> list[int]:
    """The training images that agree least with their given masks."""
    training = map(int, np.flatnonzero(_training(arrays["role"])))
    return sorted(training, key=lambda at: _agreement(arrays, at, "noisy"))[:_TRAINING]


def _figure(runs: pd.DataFrame, source: Source, choose: Choice) -> Figure | None:
    if runs.empty:
        return None
    chosen = hardest(runs).sort_values("seed")
    sources = Sources.of(source)
    chosen = chosen[[_examples(sources.find(name)) is not None for name in chosen["run_id"]]]
    if chosen.empty:
        return None
    first = chosen.groupby("line").first()["run_id"]
    lines = [name for name in styles_of(runs) if name in first.index]
    kept = read_each(first[lines], sources, "examples", lambda run: _kept(_examples(run)))
    places = choose(kept)
    colors = class_colors(one for of in kept.values() for one in _classes(of))
    columns = max(map(len, places.values()))
    # Titles have three lines, and the heading one more.
    figure = Figure(figsize=(_CELL * columns, (_CELL + 0.5) * len(lines) + 0.9))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(lines), columns, squeeze=False)
    for row, name in zip(axes, lines, strict=True):
        arrays, shown = kept[first[name]], places[first[name]]
        for cell in row:
            cell.axis("off")
        for at, cell in zip(shown, row, strict=False):
            _draw(cell, arrays, at, colors)
        name_row(row[0], name)
    figure.suptitle(heading(*settings(chosen)[-1]), fontsize=10)
    _add_legend(figure, {name: color for name, color in colors.items() if name})
    return figure


def _add_legend(figure: Figure, colors: Mapping[str, str]) -> None:
    """What dashes mean, and colours: of kinds of masks, or of classes where there are several."""
    named = [("white" if colors else _OUTLINES[key], _DASHES[key], _NAMES[key]) for key in _NAMES]
    named += [(color, "-", escaped(name)) for name, color in colors.items()]
    handles = [Line2D([], [], color=color, linestyle=dash) for color, dash, _ in named]
    for handle in handles:
        handle.set(linewidth=2)
    figure.legend(
        handles, [name for *_, name in named], loc="outside lower center", ncols=3, fontsize=8,
        facecolor="0.35", labelcolor="white", edgecolor="none",
    )  # fmt: skip


def _classes(arrays: Arrays) -> list[str]:
    """Names of the foreground classes; one without a name where masks are binary."""
    return [str(name) for name in arrays["classes"]] if "classes" in arrays else [""]


def _examples(run: Run) -> Path | None:
    """Its examples.npz; None if there is none, as in a record."""
    there = run.folder is not None and run.folder.examples.exists()
    return run.folder.examples if run.folder is not None and there else None


def _kept(path: Path | None) -> Arrays:
    """The images of an examples.npz."""
    assert path is not None
    arrays = read_examples(path)
    shape = arrays["image"].shape
    masks = [arrays[name].shape for name in _OUTLINES]
    if len(shape) != 4 or any(mask != shape[:3] for mask in masks):
        raise ValueError("images and masks differ in size")
    return arrays


def _training(roles: np.ndarray) -> np.ndarray:
    return np.char.startswith(roles.astype(str), "train")


def _agreement(arrays: Arrays, at: int, name: str) -> float:
    """Dice of a prediction against the clean or the given mask, at the size that is stored.

    Of several classes the mean over those that occur.
    """
    counted, found = arrays[name][at] != IGNORED, []
    for value, _ in enumerate(_classes(arrays), 1):
        target, predicted = arrays[name][at] == value, (arrays["predicted"][at] == value) & counted
        total = int(target.sum() + predicted.sum())
        found += [2 * int((target & predicted).sum()) / total] if total else []
    return sum(found) / len(found) if found else 1.0


def _draw(cell: Axes, arrays: Arrays, at: int, colors: Mapping[str, str]) -> None:
    image = arrays["image"][at]
    cell.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
    role = str(arrays["role"][at])
    training = role.startswith("train")
    for name in ("clean", "noisy", "predicted") if training else ("clean", "predicted"):
        for value, label in enumerate(_classes(arrays), 1):
            mask = (arrays[name][at] == value).astype(float)
            _outline(cell, mask, colors[label] if label else _OUTLINES[name], _DASHES[name])
    title = f"test\nDice {arrays['dice'][at]:.2f}"  # narrow, for the columns of a journal
    if training:
        given, clean = (_agreement(arrays, at, name) for name in ("noisy", "clean"))
        title = f"training\ngiven {given:.2f}\nclean {clean:.2f}"
    cell.set_title(title, fontsize=8)
    cell.set_xlim(-0.5, image.shape[1] - 0.5)
    cell.set_ylim(image.shape[0] - 0.5, -0.5)


def _outline(cell: Axes, mask: np.ndarray, color: str, dash: LineStyleType) -> None:
    if mask.any():
        grid = [np.arange(-1, size + 1) for size in mask.shape[::-1]]
        cell.contour(*grid, np.pad(mask, 1), levels=[0.5], colors="black", linewidths=2)
        cell.contour(
            *grid, np.pad(mask, 1), levels=[0.5], colors=color, linewidths=1.2, linestyles=[dash]
        )
