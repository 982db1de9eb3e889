"""Whether networks learn the noise: Dice of training images against given and clean masks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustseg.results.figures.lines import (
    at_setting,
    averaged,
    heading,
    panels_of,
    settings,
    styles_of,
    without_labels,
)
from robustseg.results.figures.run_files import Source, read_epochs
from robustseg.results.figures.style import HIGH, LOW, Style, grid, hide, legend, tiles

_MARKED = 8  # markers per line, about
_SEVERAL = "several"  # the kind of a label map whose classes are wrong in different ways
_AGAINST = {"noisy": "--", "clean": "-"}


def memorisation(runs: pd.DataFrame, source: Source) -> Figure | None:
    """Dice of training images against the masks they were given and against the clean ones.

    One panel per noise setting, or, with more losses than a panel has room for, one per loss at the
    setting with the most and worst wrong masks; means over seeds. Where a curve against the given
    masks rises above the one against the clean masks, the network has learnt the noise. The dotted
    line is the Dice against the clean masks of a network that reproduces every given mask.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without a noisy run.

    Raises:
        Unreadable: an epochs.csv.
    """
    noisy = runs[runs["alpha"] > 0]
    if noisy.empty:
        return None
    curves = read_epochs(noisy["run_id"], source)
    panels, apart = panels_of(noisy)
    figure, axes = tiles(len(panels), "epoch", "Dice of training images", LOW if apart else HIGH)
    for axis, (title, part) in zip(axes, panels, strict=True):
        _draw({"": axis}, part, curves, styles_of(part))
        if apart:
            without_labels(axis)
        axis.axhline(
            _given_dice(part, ["clean", *_kinds(part)]), color="0.35", linestyle=":", linewidth=1.2
        )
        axis.set_title(title, fontsize=10)
    if apart:
        figure.suptitle(apart, fontsize=10)
    _key(axes[0], {":": "given masks' own Dice"})
    legend(figure, axes, () if apart else styles_of(noisy))
    return figure


def memorisation_by_type(runs: pd.DataFrame, source: Source) -> Figure | None:
    """The same by type of noise, with what full memorisation is expected to end at.

    A row per noise setting, a column per type; no panel for a type that a setting lacks. The dotted
    line is the given masks' own mean Dice against the clean ones, from the manifest; the
    dash-dotted one the value expected from β (`expected_floor`), which the manifest misses where β
    could not be reached. Label maps whose classes are wrong in different ways are "several"; the
    levels of their masks are those of single classes, and are not drawn.

    Args:
        runs: as `line_names` gives them.
        source: of the runs, as for `load_runs`.

    Returns:
        The figure; None without a run whose masks have several types of noise.

    Raises:
        Unreadable: an epochs.csv.
    """
    noisy = runs[runs["alpha"] > 0]
    if len(_kinds(noisy)) < 2:
        return None
    curves = read_epochs(noisy["run_id"], source)
    kinds = _kinds_of_curves(curves)
    of_classes = _SEVERAL in kinds
    found = settings(noisy)
    drawn = set()
    empty: list[Axes] = []
    figure, axes = grid(len(found), len(kinds), "epoch", "Dice of training images")
    for line, setting in zip(axes, found, strict=True):
        part = at_setting(noisy, *setting)
        by_suffix = {f"/{kind}": axis for kind, axis in zip(kinds, line, strict=True)}
        _draw(by_suffix, part, curves, styles_of(noisy))
        for axis, kind in zip(line, kinds, strict=True):
            if not any(len(curve.get_xdata()) for curve in axis.get_lines()):
                empty.append(axis)
                continue
            axis.set_title(f"{heading(*setting)}: {kind}", fontsize=9)
            if of_classes:
                continue
            levels = {":": _given_dice(part, [kind]), "-.": expected_floor(kind, setting[1])}
            for dash, level in levels.items():
                if level is not None:
                    axis.axhline(level, color="0.35", linestyle=dash, linewidth=1.2)
                    drawn.add(dash)
    hide(axes, empty)
    known = {":": "given masks' own Dice", "-.": "expected if memorised"}
    _key(axes[0, 0], {dash: words for dash, words in known.items() if dash in drawn})
    legend(figure, axes.flat, styles_of(noisy))
    return figure


def expected_floor(kind: str, beta: float) -> float | None:
    """Dice against the clean masks of a network that has memorised all masks of a type.

    With A the clean foreground: dilated to (1+β)A, 2/(2+β); eroded to (1−β)A, 2(1−β)/(2−β), 0 from
    β = 1 on; moved, so that the symmetric difference is βA, 1 − β/2. Source: the morphological
    noise of the T-Loss paper (Gonzalez-Jimenez et al., MICCAI 2023).

    Returns:
        None for other types of noise.
    """
    if kind == "dilate":
        return 2 / (2 + beta)
    if kind == "erode":
        return max(0.0, 2 * (1 - beta) / (2 - beta)) if beta < 2 else 0.0
    return max(0.0, 1 - beta / 2) if kind == "affine" else None


def _draw(
    axes: dict[str, Axes],
    part: pd.DataFrame,
    curves: dict[str, pd.DataFrame],
    known: dict[str, Style],
) -> None:
    """The curves of one noise setting; the columns of an axis end in its key."""
    for name, style in known.items():
        group = part[part["line"] == name]
        if group.empty:
            continue
        mean = averaged(curves[run_id] for run_id in group["run_id"])
        for (suffix, axis), (against, dash) in product(axes.items(), _AGAINST.items()):
            column = f"train_dice_{against}{suffix}"
            curve = mean[column].dropna() if column in mean else pd.Series(dtype=float)
            axis.plot(
                curve.index,
                curve,
                color=style.color,
                linestyle=dash,
                linewidth=1.3,
                marker=style.marker,
                markersize=3.5,
                markevery=max(1, len(curve) // _MARKED),
                label=name if against == "clean" else None,
            )


def _key(axis: Axes, constants: dict[str, str]) -> None:
    """Explain what the dashes mean."""
    for dash, label in {"-": "against clean masks", "--": "against given masks"}.items():
        axis.plot([], [], color="0.35", linestyle=dash, label=label)
    for dash, label in constants.items():
        axis.plot([], [], color="0.35", linestyle=dash, linewidth=1.2, label=label)


def _kinds(runs: pd.DataFrame) -> list[str]:
    """The types of noise of some runs."""
    names = [str(n) for n in runs.columns if str(n).startswith("noise.counts.")]
    kinds = [name.removeprefix("noise.counts.") for name in names if runs[name].fillna(0).any()]
    return [kind for kind in kinds if kind != "clean"]


def _kinds_of_curves(curves: Mapping[str, pd.DataFrame]) -> list[str]:
    """The types of noise that have curves of their own, "several" last."""
    kinds = {
        str(name).partition("/")[2]
        for curve in curves.values()
        for name in curve.columns
        if str(name).startswith("train_dice_noisy/") and curve[name].notna().any()
    }
    return sorted(kinds, key=lambda kind: (kind == _SEVERAL, kind))


def _given_dice(runs: pd.DataFrame, kinds: list[str]) -> float:
    """Mean Dice of the given masks against the clean ones, over masks of some types."""
    kinds = [kind for kind in kinds if f"noise.counts.{kind}" in runs]
    counts = runs[[f"noise.counts.{kind}" for kind in kinds]].fillna(0).to_numpy()
    dice = runs[[f"noise.dice.{kind}" for kind in kinds]].fillna(0).to_numpy()
    return float((counts * dice).sum() / counts.sum()) if counts.sum() else float("nan")
