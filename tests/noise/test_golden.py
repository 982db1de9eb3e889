"""Wrong masks stay what they are: finished runs, and their ids, are of these.

`tests/golden/noise_masks.npz` holds what every model in `conf/noise` makes of masks that are drawn
with whole numbers. It says nothing about whether they are right, which other tests do. Masks that
change give other results under the same run ids. Where that is meant, write the file anew, and
list the models in CHANGELOG.md:

    python -m tests.noise.test_golden
"""

from pathlib import Path

import numpy as np
import pytest

from robustseg.noise import inject, inject_labels
from tests.noise.test_every_model import BINARY, NAMES, ORDERED, model_of

GOLDEN = Path(__file__).parents[1] / "golden" / "noise_masks.npz"
BETAS = (0.3, 0.7)
CLASSES = ["background", "left", "right"]
CASES = [(name, beta, False) for name in BINARY for beta in BETAS]
CASES += [(name, 0.7, True) for name in NAMES if name not in ORDERED]
ROUNDED = {"elastic": 3, "mixture": 3}  # pixels of a mask that may round otherwise elsewhere


def masks() -> np.ndarray:
    """Ellipses of all sizes: alone, in pairs, at the frame, with a hole, none, partly ignored."""
    y, x = np.mgrid[:40, :48]
    drawn = np.zeros((12, 40, 48), np.uint8)
    for at, mask in enumerate(drawn):
        high, wide = 3 + at, 16 - at
        inside = ((y - 19) * wide) ** 2 + ((x - 22) * high) ** 2 < (high * wide) ** 2
        mask[inside] = 1
    drawn[2][(y - 6) ** 2 + (x - 40) ** 2 < 30] = 1
    drawn[3][(y - 33) ** 2 + (x - 6) ** 2 < 20] = 1
    drawn[4] = np.roll(drawn[4], 18, axis=1)
    drawn[5][18:21, 20:24] = 0
    drawn[6] = 0
    drawn[7][:, :14] = 255
    return drawn


def key(name: str, beta: float, of_labels: bool) -> str:
    return f"{name}-{beta}{'-labels' * of_labels}"


def wrong(name: str, beta: float, of_labels: bool) -> tuple[np.ndarray, list[str]]:
    """What a model makes of them, and what it says it did."""
    clean = masks()
    ids = [f"image{at:02d}" for at in range(len(clean))]
    how = {"alpha": 0.8, "beta": beta, "seed": 1}
    if of_labels:
        clean[:, :, 24:] = np.where(clean[:, :, 24:] == 1, 2, clean[:, :, 24:])
        noisy, rows = inject_labels(clean, ids, model_of(name), classes=CLASSES, **how)
    else:
        noisy, rows = inject(clean, ids, model_of(name), **how)
    return noisy, [str(row["type"]) for row in rows]


@pytest.fixture(scope="module")
def kept():
    with np.load(GOLDEN) as file:
        return dict(file)


def test_every_model_is_kept(kept):
    expected = {key(*case) for case in CASES}
    assert {*kept} == expected | {f"{name}-types" for name in expected}


@pytest.mark.parametrize("case", CASES, ids=lambda case: key(*case))
def test_wrong_masks_are_those_of_finished_runs(case, kept):
    noisy, types = wrong(*case)
    assert types == kept[f"{key(*case)}-types"].tolist()
    apart = (noisy != kept[key(*case)]).sum(axis=(1, 2))
    assert apart.max() <= ROUNDED.get(case[0], 0), apart


def main() -> None:
    found = {}
    for case in CASES:
        found[key(*case)], types = wrong(*case)
        found[f"{key(*case)}-types"] = np.array(types)
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    main()
