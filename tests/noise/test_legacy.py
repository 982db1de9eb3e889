"""The public T-Loss code's noise, against its operations one by one, a golden file and the packs.

Where ROBUSTSEG_DATA holds isic2017/ and shenzhen/ and ROBUSTSEG_GOLDEN the public code's own
results, all their masks are compared. `python tests/noise/test_legacy.py` rewrites the golden file
of this folder from the definition below, which needs scikit-image.
"""

import csv
import hashlib
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from robustseg.noise import inject
from robustseg.noise.legacy import Legacy

GOLDEN = Path(__file__).with_name("legacy_golden.csv")
CASES = [(0.7, 0.7, 0), (0.5, 0.5, 0), (1.0, 0.2, 3), (0.9, 1.3, 11)]
COMPASS = "S SE E NE N NE W SW"  # as in the public code, rows first: NE is there twice, NW never
STEP = {"N": (-1, 0), "S": (1, 0), "E": (0, 1), "W": (0, -1)}


def by_definition(masks, ids, alpha, beta, seed):
    """Id → (type, mask), following the public code step by step with one global stream."""
    random.seed(seed)
    order = sorted(ids)
    lot = list(order)
    random.shuffle(lot)
    chosen = set(lot[: int(len(lot) * alpha)])
    result = {}
    for name in order:
        mask = masks[ids.index(name)]
        if name not in chosen:
            result[name] = "clean", mask
            continue
        kind = random.choice(["dilate", "erode", "affine"])
        result[name] = kind, (moved(mask, beta) if kind == "affine" else stepped(mask, beta, kind))
    return result


def stepped(mask, beta, kind):
    """One step at a time until the area has passed the threshold or there is no more to do."""
    area, change = int(mask.sum()), int(int(mask.sum()) * beta)
    before = after = mask.astype(bool)
    while True:
        if kind == "dilate":
            if after.sum() >= area + change or after.all():
                break
            before, after = after, binary_dilation(after)
        else:
            if after.sum() <= area - change or not after.any():
                break
            before, after = after, binary_erosion(after)
    target = area + change if kind == "dilate" else area - change
    useless = after.all() if kind == "dilate" else not after.any()
    nearer = abs(int(before.sum()) - target) < abs(int(after.sum()) - target)
    return (before if useless or nearer else after).astype(np.uint8)


def moved(mask, beta):
    """Rotation cut down to whole pixels, then a bisection that ends at the last shift tried."""
    transform = pytest.importorskip("skimage.transform")
    turned = transform.rotate(mask.astype(float), random.uniform(-30, 30)).astype(np.uint8)
    compass = random.choice(COMPASS.split())
    rows, columns = np.abs(np.sum([STEP[letter] for letter in compass], axis=0))
    low, high = 0, 100
    while low < high:
        step = (low + high) // 2
        canvas = np.zeros(np.add(mask.shape, (step * rows, step * columns)), np.uint8)
        canvas[step * rows :, step * columns :] = turned
        shifted = canvas[: mask.shape[0], : mask.shape[1]]
        error = np.sum(shifted != mask) / mask.sum()
        if error == beta:
            break
        low, high = (low, step - 1) if error > beta else (step + 1, high)
    return shifted


def drawn():
    """24 masks of ellipses and bars, in whole numbers so that every machine draws the same."""
    y, x = np.mgrid[:128, :112].astype(np.int64)
    masks = []
    for k in range(24):
        cy, cx, ry, rx = 20 + 37 * k % 90, 15 + 53 * k % 80, 8 + 11 * k % 37, 9 + 7 * k % 31
        mask = (y - cy) ** 2 * rx**2 + (x - cx) ** 2 * ry**2 < (rx * ry) ** 2
        if k % 3 == 0:
            mask |= abs((y - cy) * (k % 5 - 2) + (x - cx)) < 4
        if k % 8 == 5:
            mask &= (y - cy) ** 2 + (x - cx) ** 2 > 25
        masks.append(mask)
    return np.array(masks, np.uint8), [f"image_{7 * k % 24:03d}" for k in range(24)]


def digest(mask):
    return hashlib.sha256(np.ascontiguousarray(mask)).hexdigest()[:16]


def rows(alpha, beta, seed):
    masks, ids = drawn()
    done = by_definition(masks, ids, alpha, beta, seed)
    return [
        [str(alpha), str(beta), str(seed), name, kind, str(int(mask.sum())), digest(mask)]
        for name, (kind, mask) in done.items()
    ]


def injected(masks, ids, alpha, beta, seed):
    _, manifest = inject(masks, ids, Legacy(), alpha=alpha, beta=beta, seed=seed)
    return sorted(
        [row["id"], row["type"], str(row["area_noisy"]), row["sha256"][:16]] for row in manifest
    )


@pytest.mark.parametrize(("alpha", "beta", "seed"), CASES)
def test_golden(alpha, beta, seed):
    with GOLDEN.open(newline="") as file:
        golden = [
            row[3:] for row in csv.reader(file) if row[:3] == [str(alpha), str(beta), str(seed)]
        ]
    assert len(golden) == 24
    assert injected(*drawn(), alpha, beta, seed) == golden


def some_masks(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=6, max_side=40))
    fill = draw(st.sampled_from([0.02, 0.5, 0.95, 0.998]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    masks = (rng.random((6, *shape)) < fill).astype(np.uint8)
    masks[:3, shape[0] // 4 : shape[0] * 3 // 4, shape[1] // 3 :] |= 1
    return masks


@given(data=st.data(), seed=st.integers(0, 1000), beta=st.sampled_from([0.3, 0.5, 0.7, 1.0, 1.6]))
@settings(max_examples=60, deadline=None)
def test_equals_the_definition(data, seed, beta):
    masks = some_masks(data.draw)
    masks = masks[(masks.sum(axis=(1, 2)) * beta >= 1) & (masks == 0).any(axis=(1, 2))]
    ids = [f"{(5 * i + seed) % 7}" for i in range(len(masks))]
    noisy, manifest = inject(masks, ids, Legacy(), alpha=0.8, beta=beta, seed=seed)
    expected = by_definition(masks, ids, 0.8, beta, seed)
    for name, mask, row in zip(ids, noisy, manifest, strict=True):
        assert row["type"] == expected[name][0]
        assert np.array_equal(mask, expected[name][1])


def test_leaves_the_global_stream_alone():
    random.seed(5)
    before = random.getstate()
    inject(*drawn(), Legacy(), alpha=1, beta=0.5, seed=0)
    assert random.getstate() == before


def test_shifts_never_go_up_or_left():
    _, manifest = inject(*drawn(), Legacy(), alpha=1, beta=0.5, seed=0)
    moves = [row["parameters"] for row in manifest if row["type"] == "affine"]
    assert len(moves) > 4
    assert not any('"rows":-' in move or '"columns":-' in move for move in moves)


def test_published_counts():
    """Of 2000 images, both β: 188/193/219 dilated, eroded and moved at α = 0.3, and so on."""
    masks = np.zeros((2000, 8, 8), np.uint8)
    masks[:, 2:6, 2:6] = 1
    ids = [f"ISIC_{i:07d}" for i in range(2000)]
    for alpha, counts in {0.3: (188, 193, 219), 0.5: (312, 322, 366), 0.7: (442, 461, 497)}.items():
        _, manifest = inject(masks, ids, Legacy(), alpha=alpha, beta=0.5, seed=0)
        types = [row["type"] for row in manifest]
        assert tuple(map(types.count, ("dilate", "erode", "affine"))) == counts


@pytest.mark.parametrize(
    ("name", "note"), [("empty", "crashes"), ("full", "crashes"), ("pixel", "crashes")]
)
def test_where_the_public_code_crashes(awkward, name, note):
    masks = np.stack([awkward[name]] * 12)
    noisy, manifest = inject(
        masks, [str(i) for i in range(12)], Legacy(), alpha=1, beta=0.5, seed=0
    )
    crashed = [row["type"] == "clean" for row in manifest]
    assert any(crashed)
    for before, after, row in zip(masks, noisy, manifest, strict=True):
        if row["type"] == "clean":
            assert note in row["note"]
            assert np.array_equal(before, after)


PACKS = {
    "isic2017": ("ISIC-2017_Training_Part1_GroundTruth", "_segmentation.png", 0.7),
    "shenzhen": ("mask", "_mask.png", 0.5),
}


@pytest.mark.skipif(
    not (os.environ.get("ROBUSTSEG_DATA") and os.environ.get("ROBUSTSEG_GOLDEN")),
    reason="ROBUSTSEG_DATA and ROBUSTSEG_GOLDEN are not both set",
)
@pytest.mark.parametrize("pack", PACKS)
def test_packs(pack):
    folder, suffix, level = PACKS[pack]
    files = sorted((Path(os.environ["ROBUSTSEG_DATA"]) / pack / folder).glob("*" + suffix))
    masks = np.stack([np.asarray(Image.open(file).convert("L")) > 127 for file in files])
    ids = [file.name.removesuffix(suffix) for file in files]
    golden = Path(os.environ["ROBUSTSEG_GOLDEN"]) / f"noise_{pack}_a{level}_b{level}.csv"
    with golden.open(newline="") as file:
        expected = [list(row.values()) for row in csv.DictReader(file)]
    assert injected(masks.astype(np.uint8), ids, level, level, 0) == expected


if __name__ == "__main__":
    with GOLDEN.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["alpha", "beta", "seed", "id", "type", "area", "sha256_16"])
        for case in CASES:
            writer.writerows(rows(*case))
