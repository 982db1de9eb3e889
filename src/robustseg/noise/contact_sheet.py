"""A sheet of images with the outlines of their masks: the clean and the noisy one, or others."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.typing import LineStyleType

from robustseg import CLASS_COLORS
from robustseg.noise.manifest import Row

CLEAN, NOISY, PREDICTED = "#00e5ff", "#ffd60a", "#ff2d78"
# a dark casing, so that lines are seen on skin, X-ray and stained tissue alike
CASING: list[AbstractPathEffect] = [withStroke(linewidth=2.2, foreground="#202020")]
_DASHES: LineStyleType = (0, (2, 1.2))
CELL = 2.1  # inches
LONGEST = 26  # characters of an id that fit over a cell


def contact_sheet(
    path: Path,
    images: np.ndarray,
    clean: np.ndarray,
    noisy: np.ndarray,
    manifest: Sequence[Row],
    *,
    title: str = "",
    columns: int = 6,
    classes: Sequence[str] = (),
) -> None:
    """Draws a contact sheet: each image with both outlines, and over it its type, Dice and id.

    Args:
        path: The PNG to write.
        images: uint8 (N, H, W, C), C 1 or 3.
        clean: uint8 (N, H, W) with 0, 1 and 255 = ignored (drawn as background).
        noisy: The same after the corruption.
        manifest: The rows of these N masks, one per mask, or per class of each label map.
        title: What the sheet shows.
        columns: Images in a row.
        classes: Names of the foreground classes of label maps: each has its colour, and the clean
            outline is dashed. None where masks are binary.
    """
    rows: dict[str, list[Row]] = {}
    for row in manifest:
        rows.setdefault(row["id"], []).append(row)
    if not len(images) == len(clean) == len(noisy) == len(rows) > 0:
        raise ValueError("a contact sheet needs as many images, masks and rows, and at least one")
    captions = [(_caption(of), name) for name, of in rows.items()]
    outlines = {"clean": (CLEAN, clean), "noisy": (NOISY, noisy)}
    if classes:
        outlines = {
            f"{name}, {kind}": (
                CLASS_COLORS[at % len(CLASS_COLORS)],
                (masks == at + 1).astype("u1"),
            )
            for at, name in enumerate(classes)
            for kind, masks in (("clean", clean), ("noisy", noisy))
        }
    dashed = {name for name in outlines if name.endswith(", clean")}
    outline_sheet(path, images, outlines, captions, title=title, columns=columns, dashed=dashed)


def _caption(rows: Sequence[Row]) -> str:
    """The types of noise of a mask, or of the classes of a label map, and each Dice."""
    types = dict.fromkeys(row["type"] for row in rows)
    return f"{', '.join(types)} · Dice {' '.join(format(row['dice'], '.2f') for row in rows)}"


def outline_sheet(
    path: Path,
    images: np.ndarray,
    outlines: Mapping[str, tuple[str, np.ndarray]],
    captions: Sequence[tuple[str, str]],
    *,
    title: str,
    columns: int = 6,
    dashed: Collection[str] = (),
) -> None:
    """Draws images with the outlines of masks of several kinds.

    Args:
        path: The PNG to write.
        images: uint8 (N, H, W, C), C 1 or 3.
        outlines: For each kind a colour and the masks, uint8 (N, H, W), foreground 1.
        captions: For each image a line of text and its id, which is cut where it is long.
        title: What the sheet shows.
        columns: Images in a row.
        dashed: Kinds that are drawn with dashes.
    """
    rows = math.ceil(len(images) / columns)
    figure = Figure(figsize=(CELL * columns, (CELL + 0.4) * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for cell in axes.flat:
        cell.axis("off")
    for at, (cell, image) in enumerate(zip(axes.flat, images, strict=False)):
        cell.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
        for kind, (color, masks) in outlines.items():
            _outline(cell, masks[at], color, _DASHES if kind in dashed else "solid")
        text, name = captions[at]
        name = name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]
        cell.set_title(f"{text}\n{name}", fontsize=7, pad=2, parse_math=False)
    lines = [
        Line2D([], [], color=color, path_effects=CASING, ls=_DASHES if kind in dashed else "-")
        for kind, (color, _) in outlines.items()
    ]
    across = min(len(lines), 2 * columns)
    figure.legend(lines, list(outlines), loc="outside lower center", ncols=across, frameon=False)
    figure.suptitle(title, fontsize=10, parse_math=False)
    figure.savefig(path, dpi=130)


def _outline(cell: Axes, mask: np.ndarray, color: str, dash: LineStyleType) -> None:
    """The outline of a mask; where it meets the frame, along the frame."""
    framed = np.pad((mask == 1).astype(float), 1)
    height, width = mask.shape
    if framed.any():
        grid = np.arange(-1, width + 1), np.arange(-1, height + 1)
        lines = cell.contour(
            *grid, framed, levels=[0.5], colors=color, linewidths=1.1, linestyles=[dash]
        )
        lines.set_path_effects(CASING)
    cell.set_xlim(-0.5, width - 0.5)
    cell.set_ylim(height - 0.5, -0.5)
