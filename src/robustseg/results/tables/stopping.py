"""The test Dice at the evaluation that a rule picks; see `robustseg.results.tables.rules`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustseg.records.layout import DamagedRecord, NotKept
from robustseg.results.sources import Sources
from robustseg.results.tables.rules import RULES, metric_of, regret_of
from robustseg.runs.files import trouble

if TYPE_CHECKING:
    import pandas as pd

SCORE = "test_dice_image"
WINDOW = 3  # evaluations over which `label_wave` smooths
_ROUNDING = 1e-12  # of the smoothing; shares of pixels differ by more
ORACLE = "dice_image_best_oracle"


def noisy_val(epochs: pd.DataFrame) -> int | None:
    """The evaluation with the best Dice on noisy held-out masks, at ½; the first of equal ones.

    Args:
        epochs: rows of epochs.csv with an evaluation.

    Returns:
        Its position; None if the run has recorded no such Dice.
    """
    scores = _column(epochs, "heldout_dice_noisy")
    return None if np.isnan(scores).all() else int(np.nanargmax(scores))


def label_wave(epochs: pd.DataFrame) -> int | None:
    """The evaluation that Label Wave stops at (Yuan et al., arXiv 2502.07551), which sees no mask.

    c_t is the share of pixels of a fixed training sample whose prediction at ½ is not that of the
    evaluation before, s_t = (c_t + c_{t−1} + c_{t−2})/3, so that only the past counts. It stops at
    the first t with s_t < s_{t+1}: s has fallen, or has not risen, until there. If s never rises,
    that is the last evaluation. (The original does so every epoch.)

    Args:
        epochs: rows of epochs.csv with an evaluation.

    Returns:
        Its position; None if the run has recorded no changes.
    """
    changed = _column(epochs, "train_changed")
    if np.isnan(changed[1:]).any() or len(changed) < 2:
        return None
    return first_minimum(changed[1:]) + 1


def first_minimum(values: ArrayLike, window: int = WINDOW) -> int:
    """The position of the first value below the next, after smoothing; else the last position.

    Args:
        values: (n,), n ≥ 1.
        window: how many values, the latest included, a smoothed one is the mean of; positions
            with fewer are passed over.

    Example:
        >>> first_minimum([5, 4, 3, 2, 3, 4, 5])
        4
    """
    values = np.asarray(values, float)
    if len(values) < window + 1:
        return len(values) - 1
    smoothed = np.convolve(values, np.full(window, 1 / window), "valid")
    rises = np.flatnonzero(np.diff(smoothed) > _ROUNDING)
    return int(rises[0] if len(rises) else len(smoothed) - 1) + window - 1


_PICKS: dict[str, Callable[[pd.DataFrame], int | None]] = {
    "noisy-val": noisy_val,
    "label-wave": label_wave,
}


def read_curves(runs: pd.DataFrame, sources: Sources) -> dict[str, pd.DataFrame]:
    """Rows of epochs.csv by run id.

    Args:
        runs: as `load_runs` returns them.
        sources: of the runs.

    Raises:
        ValueError: those of a run are missing or damaged, or tell no test Dice; it names the file.
    """
    curves = {}
    for run_id in runs["run_id"]:
        run = sources.find(run_id)
        try:
            curves[run_id] = run.epochs()
        except (DamagedRecord, NotKept) as error:
            raise ValueError(str(error)) from error
        except (OSError, ValueError) as error:
            raise ValueError(f"{run.place('epochs')} {trouble(error)}") from error
        if SCORE not in curves[run_id]:
            raise ValueError(f"{run.place('epochs')} is damaged: no column {SCORE}")
    return curves


def add_selected(
    runs: pd.DataFrame, curves: Mapping[str, pd.DataFrame], rules: Sequence[str]
) -> pd.DataFrame:
    """Add to each run the test Dice at the evaluation that each rule picks, and its regret.

    Args:
        runs: as `load_runs` returns them.
        curves: their rows of epochs.csv, by run id.
        rules: some of `RULES`.

    Returns:
        The runs with columns `metric_of` and `regret_of` each rule: ``last`` averages the reported
        evaluations, as ``dice_image`` does; the others pick one. The regret is what is lacking to
        `ORACLE`, the best single evaluation on the clean test masks, which no rule can see. NaN
        where a run has not recorded what a rule needs. ``attrs["remarks"]`` says in how many runs
        ``label-wave`` stops as early as it can.
    """
    columns: dict[str, list[float]] = {}
    for _, run in runs.iterrows():
        found = selected(curves[run["run_id"]], run.get("evaluations"), rules)
        for name, value in found.items():
            columns.setdefault(name, []).append(value)
    chosen = runs.assign(**columns)
    chosen.attrs["remarks"] = [*runs.attrs.get("remarks", ())]
    early = sum(label_wave(evaluated(curves[run_id])) == WINDOW for run_id in runs["run_id"])
    if "label-wave" in rules and early:
        chosen.attrs["remarks"].append(
            f"label-wave stops at the first evaluation it can judge, number {WINDOW + 1}, in "
            f"{early} of {len(runs)} runs: it has seen no fall, and the minimum may lie before; "
            "a smaller evaluation.every would tell."
        )
    return chosen


def selected(
    epochs: pd.DataFrame, reported: Any, rules: Sequence[str] = RULES
) -> Mapping[str, float]:
    """The numbers that `add_selected` adds to one run.

    Args:
        epochs: its epochs.csv.
        reported: how many evaluations its final numbers are the mean of.
        rules: some of `RULES`.
    """
    rows = evaluated(epochs)
    scores = rows[SCORE].to_numpy(float)
    best = float(scores.max()) if len(scores) else math.nan
    numbers: dict[str, float] = {}
    for rule in rules:
        if rule == "last":
            known = len(scores) > 0 and reported is not None and reported == reported
            value = float(scores[-int(reported) :].mean()) if known else math.nan
        else:
            at = _PICKS[rule](rows) if len(scores) else None
            value = math.nan if at is None else float(scores[at])
        numbers |= {metric_of(rule): value, regret_of(rule): best - value}
    return {**numbers, ORACLE: best}


def evaluated(epochs: pd.DataFrame) -> pd.DataFrame:
    """The rows of epochs.csv with an evaluation."""
    return epochs[epochs[SCORE].notna()].reset_index(drop=True)


def _column(epochs: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in epochs:
        return np.full(len(epochs), math.nan)
    return epochs[name].to_numpy(float)
