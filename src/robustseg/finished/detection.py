"""How well doubts find the masks that noise has changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu

from robustseg.finished.suspects import Beliefs


@dataclass(frozen=True)
class Detection:
    """How well a method finds wrong masks of a type among the right ones.

    Attributes:
        method: of scoring.
        type: of noise; "all" for every type together.
        noisy: how many there are.
        clean: how many right masks they are sought among.
        auroc: probability that a wrong mask is doubted more than a right one.
        precision: share of wrong masks among the first k, k being their number.
        chance: what the precision of a random order would be; that of the AUROC is ½.
    """

    method: str
    type: str
    noisy: int
    clean: int
    auroc: float
    precision: float
    chance: float


def detections(found: Beliefs, manifest: Sequence[Mapping[str, Any]]) -> list[Detection]:
    """How well each method finds the masks that noise has changed; empty if there are none.

    A mask that its noise left as it was counts as right.
    """
    types = np.array([row["type"] for row in manifest])
    wrong = np.array([row["dice"] < 1 for row in manifest])
    if not wrong.any() or wrong.all():
        return []
    result = []
    for method, doubt in found.doubt.items():
        for kind in ("all", *sorted(set(types[wrong]))):
            chosen = wrong if kind == "all" else wrong & (types == kind)
            numbers = auroc(doubt[chosen], doubt[~wrong]), precision(doubt[chosen], doubt[~wrong])
            noisy, clean = int(chosen.sum()), int((~wrong).sum())
            chance = noisy / (noisy + clean)
            result.append(Detection(method, kind, noisy, clean, *numbers, chance))
    return result


def auroc(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Probability that a score of the first kind is above one of the second; a tie counts half."""
    return float(mannwhitneyu(noisy, clean).statistic) / (len(noisy) * len(clean))


def precision(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Share of the first kind among the k highest scores of both, k being the number of them.

    Ties at the k-th score count by their expected share.
    """
    k = len(noisy)
    threshold = np.sort(np.concatenate([noisy, clean]))[-k]
    above = [int((scores > threshold).sum()) for scores in (noisy, clean)]
    tied = [int((scores == threshold).sum()) for scores in (noisy, clean)]
    return (above[0] + (k - sum(above)) * tied[0] / sum(tied)) / k
