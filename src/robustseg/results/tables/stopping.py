"""The test Dice at the evaluation that a rule picks; see `robustseg.results.tables.rules`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustseg.errors import DataError
from robustseg.records.layout import DamagedRecord, NotKept
from robustseg.results.sources import Sources
from robustseg.results.tables.rules import RULES, metric_of, regret_of
from robustseg.runs.files import trouble

if TYPE_CHECKING:
    import pandas as pd

SCORE = "test_dice_image"
WINDOW = 3  # evaluations over which `label_wave` smooths
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
    the first local minimum of s: s has fallen to it and rises after it. Without one, that is the
    last evaluation. (The original looks at every epoch.)

    Args:
        epochs: rows of epochs.csv with an evaluation.

    Returns:
        Its position; None if the run has recorded no changes.
    """
    changed = _changes(epochs)
    return None if changed is None else first_minimum(changed) + 1


def first_minimum(values: ArrayLike, window: int = WINDOW) -> int:
    """The position of the first local minimum after smoothing; without one the last position.

    Args:
        values: (n,), n ≥ 1.
        window: how many values, the latest included, a smoothed one is the mean of. Neither the
            first nor the last smoothed value is a minimum; of several equal ones the middle is.

    Example:
        >>> first_minimum([5, 4, 3, 2, 3, 4, 5])
        4
    """
    from scipy.signal import find_peaks

    values = np.asarray(values, float)
    minima, _ = find_peaks(-_smoothed(values, window))
    return int(minima[0]) + window - 1 if len(minima) else len(values) - 1


def rises_at_once(epochs: pd.DataFrame) -> bool:
    """Whether what `label_wave` looks at rises from its first value on."""
    changed = _changes(epochs)
    if changed is None:
        return False
    smoothed = _smoothed(changed, WINDOW)
    return len(smoothed) > 1 and bool(smoothed[1] > smoothed[0])


def _changes(epochs: pd.DataFrame) -> NDArray[np.float64] | None:
    """The changes since the evaluation before, from the second evaluation on."""
    changed = _column(epochs, "train_changed")[1:]
    return None if np.isnan(changed).any() or not len(changed) else changed


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Means of each value and those before it, where there are enough, without rounding errors."""
    if len(values) < window:
        return np.empty(0)
    return np.convolve(values, np.full(window, 1 / window), "valid").round(12)


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
        DataError: those of a run are missing or damaged, or tell no test Dice; it names the file.
    """
    curves = {}
    for run_id in runs["run_id"]:
        run = sources.find(run_id)
        try:
            curves[run_id] = run.epochs()
        except (DamagedRecord, NotKept) as error:
            raise DataError(str(error)) from error
        except (OSError, ValueError) as error:
            raise DataError(f"{run.place('epochs')} {trouble(error)}") from error
        if SCORE not in curves[run_id]:
            raise DataError(f"{run.place('epochs')} is damaged: no column {SCORE}")
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
        ``label-wave`` may have missed the first minimum, and whether none has what ``noisy-val``
        needs.
    """
    columns: dict[str, list[float]] = {}
    for _, run in runs.iterrows():
        found = selected(curves[run["run_id"]], run.get("evaluations"), rules)
        for name, value in found.items():
            columns.setdefault(name, []).append(value)
    chosen = runs.assign(**columns)
    chosen.attrs["remarks"] = [*runs.attrs.get("remarks", ())]
    held_out = columns.get(metric_of("noisy-val"), ())
    if "noisy-val" in rules and all(map(math.isnan, held_out)):
        chosen.attrs["remarks"].append(
            "noisy-val: no run has recorded the Dice of held-out masks, which needs a validation "
            "split; where the data have none, train with dataset.val_fraction=0.2."
        )
    early = sum(rises_at_once(evaluated(curves[run_id])) for run_id in runs["run_id"])
    if "label-wave" in rules and early:
        chosen.attrs["remarks"].append(
            f"label-wave: in {early} of {len(runs)} runs the share of changed predictions rises at "
            f"once, from evaluation {WINDOW + 1}, the first that can be judged: a minimum before "
            "it may be missed, and a later one picked; a smaller evaluation.every would show it."
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
