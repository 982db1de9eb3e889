"""Figures over epochs and noise: memorisation, ν, Dice against the share of noisy masks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind; then dashes tell losses apart.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_WIDTH = 3.6  # inches a panel


def memorisation(runs: pd.DataFrame, folder: Path) -> Figure | None:
    """Dice of training images against the masks they were given and against the clean ones.

    One panel a noise setting; means over seeds. Where a curve against the given masks rises above
    the one against the clean masks, the network has learnt the noise. The dotted line is the Dice
    against the clean masks of a network that reproduces every given mask.

    Args:
        runs: finished runs, as `load_runs` gives them.
        folder: of the runs.

    Returns:
        The figure; None without a noisy run.
    """
    noisy = runs[runs["alpha"] > 0]
    if noisy.empty:
        return None
    settings = _settings(noisy)
    figure, axes = _panels(len(settings), "epoch", "Dice of training images")
    for axis, (alpha, beta) in zip(axes, settings, strict=True):
        part = noisy[(noisy["alpha"] == alpha) & (noisy["beta"] == beta)]
        for color, (loss, group) in _colored(part):
            curves = _epochs(group["run_id"], folder)
            given, clean = curves["train_dice_noisy"].dropna(), curves["train_dice_clean"].dropna()
            axis.plot(given.index, given, color=color, linestyle="--")
            axis.plot(clean.index, clean, color=color, label=loss)
        axis.axhline(_memorised(part), color="grey", linestyle=":", linewidth=1)
        axis.set_title(f"α = {alpha:g}, β = {beta:g}", fontsize=10)
    axes[0].plot([], [], color="grey", linestyle="--", label="against given masks")
    axes[0].plot([], [], color="grey", label="against clean masks")
    axes[0].plot([], [], color="grey", linestyle=":", label="if all noise is learnt")
    _legend(figure, axes[0])
    return figure


def nu(runs: pd.DataFrame, folder: Path) -> Figure | None:
    """The T-Loss's ν over epochs, a line a noise setting; None without a T-Loss run."""
    learnt = runs[runs["nu"].notna()] if "nu" in runs else runs[:0]
    if learnt.empty:
        return None
    figure, (axis,) = _panels(1, "epoch", "ν")
    learnt = learnt.assign(beta=learnt["beta"].fillna(0))
    for color, (alpha, beta) in zip(_cycle(), _settings(learnt), strict=False):
        group = learnt[(learnt["alpha"] == alpha) & (learnt["beta"] == beta)]
        curve = _epochs(group["run_id"], folder)["nu"].dropna()
        label = f"α = {alpha:g}, β = {beta:g}" if alpha else "clean"
        axis.plot(curve.index, curve, color=color, label=label)
    axis.set_yscale("log")
    axis.legend(frameon=False, fontsize=8)
    return figure


def dice_against_alpha(runs: pd.DataFrame, metric: str = "dice_image") -> Figure | None:
    """A metric against α, a panel for each β, a line a loss, mean and range over seeds.

    Returns:
        The figure; None with fewer than two values of α.
    """
    if runs["alpha"].nunique() < 2:
        return None
    strengths = sorted(runs["beta"].dropna().unique())
    figure, axes = _panels(len(strengths), "α, share of noisy masks", "Dice of test images")
    for axis, beta in zip(axes, strengths, strict=True):
        part = runs[(runs["beta"] == beta) | (runs["alpha"] == 0)]
        for color, (loss, group) in _colored(part):
            over = group.groupby("alpha")[metric]
            mean = over.mean()
            axis.plot(mean.index, mean, color=color, marker="o", markersize=4, label=loss)
            axis.fill_between(mean.index, over.min(), over.max(), color=color, alpha=0.15)
        axis.set_title(f"β = {beta:g}", fontsize=10)
    _legend(figure, axes[0])
    return figure


def _panels(count: int, x: str, y: str) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(max(_WIDTH * count, 5), 3.4), layout="constrained")
    axes = list(figure.subplots(1, count, sharey=True, squeeze=False)[0])
    for axis in axes:
        axis.set_xlabel(x)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel(y)
    return figure, axes


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    columns = int(figure.get_figwidth() / 1.6)
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=8
    )


def _cycle() -> Iterable[str]:
    while True:
        yield from _COLORS


def _colored(runs: pd.DataFrame) -> Iterable[tuple[str, tuple[str, pd.DataFrame]]]:
    """Runs by loss, with the loss's colour; T-Loss first."""
    losses = sorted(map(str, runs["loss"].unique()), key=lambda loss: (loss != "tloss", loss))
    return zip(_cycle(), [(loss, runs[runs["loss"] == loss]) for loss in losses], strict=False)


def _settings(runs: pd.DataFrame) -> list[tuple[float, float]]:
    """The noise settings (α, β) of some runs, in order."""
    pairs = runs[["alpha", "beta"]].drop_duplicates().to_numpy(float)
    return sorted((float(alpha), float(beta)) for alpha, beta in pairs)


def _epochs(run_ids: Iterable[str], folder: Path) -> pd.DataFrame:
    """epochs.csv of some runs, averaged over them, by epoch."""
    curves = pd.concat(pd.read_csv(folder / run_id / "epochs.csv") for run_id in run_ids)
    return curves.groupby("epoch").mean()


def _memorised(runs: pd.DataFrame) -> float:
    """Mean Dice of the given masks against the clean ones."""
    names = [str(name) for name in runs.columns]
    kinds = [n.removeprefix("noise.dice.") for n in names if n.startswith("noise.dice.")]
    counts = runs[[f"noise.counts.{kind}" for kind in kinds]].fillna(0).to_numpy()
    dice = runs[[f"noise.dice.{kind}" for kind in kinds]].fillna(0).to_numpy()
    return float((counts * dice).sum() / counts.sum())
