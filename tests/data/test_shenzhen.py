from collections import Counter

import numpy as np
import pytest
from PIL import Image

from robustseg.data.sources.shenzhen import Shenzhen


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def films(root, image_folder="CXR_png", mask_folder="mask", suffix="_mask", count=20):
    for number in range(count):
        stem = f"CHNCXR_{number:04d}_{number % 2}"
        save(root / image_folder / f"{stem}.png", np.full((8, 8, 3), number, np.uint8))
        save(root / mask_folder / f"{stem}{suffix}.png", np.eye(8, dtype=np.uint8) * 255)


@pytest.mark.parametrize(
    ("image_folder", "mask_folder", "suffix"),
    [
        ("CXR_png", "mask", "_mask"),
        ("CXR_png", "masks", "_mask"),
        ("img", "mask", ""),
        ("images", "masks", ""),
    ],
)
def test_layouts(tmp_path, image_folder, mask_folder, suffix):
    films(tmp_path, image_folder, mask_folder, suffix)
    source = Shenzhen(tmp_path)
    records = source.records()
    assert Counter((r.split, r.id[-1]) for r in records) == {
        ("train", "0"): 7,
        ("train", "1"): 7,
        ("test", "0"): 3,
        ("test", "1"): 3,
    }
    image, mask = source.read(records[0])
    assert image.shape == (8, 8, 1)
    assert np.array_equal(mask, np.eye(8))


def test_films_without_a_mask_and_other_images_are_left_out(tmp_path):
    films(tmp_path)
    save(tmp_path / "CXR_png" / "CHNCXR_0400_1.png", np.zeros((8, 8), np.uint8))
    save(tmp_path / "CXR_png" / "MCUCXR_0001_0.png", np.zeros((8, 8), np.uint8))
    save(tmp_path / "mask" / "MCUCXR_0001_0.png", np.zeros((8, 8), np.uint8))
    save(tmp_path / "mask" / "CHNCXR_0500_0_mask.png", np.zeros((8, 8), np.uint8))
    scan = Shenzhen(tmp_path).checked_scan()
    assert len(scan.records) == 20
    assert scan.errors == []
    assert scan.remarks == [
        "1 mask has no image and is left out: CHNCXR_0500_0_mask.png",
        "1 films have no lung mask and are left out",
        "1 images are not films CHNCXR_*: left out",
    ]


def test_the_split_depends_on_its_seed_only(tmp_path):
    films(tmp_path)
    split = {r.id: r.split for r in Shenzhen(tmp_path).records()}
    assert split == {r.id: r.split for r in Shenzhen(tmp_path).records()}
    assert split != {r.id: r.split for r in Shenzhen(tmp_path, split_seed=1).records()}
