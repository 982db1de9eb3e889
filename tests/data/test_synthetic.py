from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy import ndimage
from skimage.filters import threshold_otsu

from robustseg.data.sources.source import SPLITS, Record, Source
from robustseg.data.synthetic import Synthetic
from robustseg.data.synthetic.source import CLASSES, KINDS
from robustseg.errors import DataError

CONFIGS = Path(__file__).parents[2] / "conf" / "dataset"


def synthetic(kind, **arguments):
    return Synthetic(kind=kind, classes=CLASSES.get(kind), **arguments)


def drawn(kind, count, size=64, **arguments):
    source = synthetic(kind, size=size, train=count, val=0, test=0, **arguments)
    pairs = [source.read(record) for record in source.records()]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def dice(a, b):
    return 2 * np.sum(a & b) / max(1, np.sum(a) + np.sum(b))


@pytest.fixture(scope="module")
def lesions():
    return drawn("dermoscopy", 200)


@pytest.fixture(scope="module")
def films():
    return drawn("chest", 100)


@pytest.fixture(scope="module")
def tiles():
    return drawn("histopathology", 100, positive_fraction=0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [16, 50, 64, 160])
def test_a_source_gives_images_and_masks_of_the_size_asked_for(kind, size):
    source = synthetic(kind, size=size, train=2, val=1, test=1)
    assert isinstance(source, Source)
    for record in source.records():
        image, mask = source.read(record)
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (size, size, source.channels)
        assert mask.shape == (size, size)
        assert set(np.unique(mask)) <= {*range(len(CLASSES.get(kind, (0, 1))))}
        assert image.std() > 5


def test_records_are_unique_and_in_the_order_of_the_splits():
    records = Synthetic(kind="dermoscopy", train=12, val=3, test=5).records()
    assert [record.split for record in records] == ["train"] * 12 + ["val"] * 3 + ["test"] * 5
    assert len({record.id for record in records}) == 20
    assert records[0] == Record(id="synthetic_train_0000", split="train")


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    split=st.sampled_from(SPLITS),
    index=st.integers(0, 3),
    more=st.integers(0, 50),
    seed=st.integers(0, 2**40),
)
def test_a_picture_depends_on_neither_the_others_nor_their_order(kind, split, index, more, seed):
    few = synthetic(kind, size=16, train=4, val=4, test=4, seed=seed)
    many = synthetic(kind, size=16, train=4 + more, val=4, test=9, seed=seed)
    name = f"synthetic_{split}_{index:04d}"
    expected = {record.id: few.read(record) for record in few.records()}[name]
    wanted = next(record for record in reversed(many.records()) if record.id == name)
    for again, before in zip(many.read(wanted), expected, strict=True):
        np.testing.assert_array_equal(again, before)


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_splits_and_indices_give_different_pictures(kind):
    pictures = []
    for seed in (0, 1):
        source = synthetic(kind, size=32, train=3, val=3, test=3, seed=seed)
        pictures += [source.read(record)[0].tobytes() for record in source.records()]
    assert len(set(pictures)) == 18


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_the_same_outline_at_every_size(kind):
    small = drawn(kind, 12, size=48)[1]
    large = drawn(kind, 12, size=144)[1]
    # The centre of a small pixel is the centre of the middle one of nine.
    centres = large[:, 1::3, 1::3]
    for a, b in zip(small, centres, strict=True):
        assert np.mean(a != b) < 0.02
    for value in range(1, len(CLASSES.get(kind, (0, 1)))):
        assert dice(small == value, centres == value) > 0.97 + 0.01 * (kind not in CLASSES)


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_the_same_scene_at_every_size(kind):
    small, large = drawn(kind, 8, size=32)[0], drawn(kind, 8, size=128)[0]
    reduced = large.reshape(8, 32, 4, 32, 4, -1).mean((2, 4))
    for a, b in zip(small, reduced, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.85


def test_a_lesion_is_one_piece_without_holes(lesions):
    for mask in lesions[1]:
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        assert ndimage.binary_fill_holes(mask).sum() == mask.sum()


def test_lesions_are_as_large_as_those_of_isic_2017(lesions):
    shares = lesions[1].mean((1, 2))
    # Quartiles over the 2000 training images: 0.075, 0.181, 0.387.
    assert np.quantile(shares, 0.25) == pytest.approx(0.075, abs=0.03)
    assert np.quantile(shares, 0.50) == pytest.approx(0.181, abs=0.05)
    assert np.quantile(shares, 0.75) == pytest.approx(0.387, abs=0.10)
    edge = [mask[[0, -1]].any() or mask[:, [0, -1]].any() for mask in lesions[1]]
    assert 0.1 < np.mean(edge) < 0.35  # 0.20 there


def test_most_lesions_are_darker_than_the_skin_around_them(lesions):
    contrast = []
    for image, mask in zip(*lesions, strict=True):
        grey = image.mean(2)
        around = ndimage.binary_dilation(mask, iterations=4) & (mask == 0)
        contrast.append(grey[around].mean() - grey[mask > 0].mean())
    assert np.mean(np.array(contrast) > 0) > 0.95
    assert np.mean(contrast) == pytest.approx(46, abs=10)  # 46 over ISIC 2017


def test_a_threshold_does_not_solve_dermoscopy(lesions):
    greys = lesions[0].mean(3)
    scores = [
        dice(grey < threshold_otsu(grey), mask > 0)
        for grey, mask in zip(greys, lesions[1], strict=True)
    ]
    assert 0.58 < np.mean(scores) < 0.75  # 0.68 over ISIC 2017
    assert np.quantile(scores, 0.1) < 0.4


def test_a_film_shows_two_lungs_of_plausible_size(films):
    masks = films[1]
    assert all(ndimage.label(mask, np.ones((3, 3)))[1] == 2 for mask in masks)
    assert masks.mean() == pytest.approx(0.253, abs=0.03)  # mean of Shenzhen
    halves = masks[:, :, :32].sum((1, 2)) / masks.sum((1, 2))
    assert np.all((halves > 0.3) & (halves < 0.8))


def test_lungs_are_darker_than_the_chest_around_them(films):
    for image, mask in zip(*films, strict=True):
        around = ndimage.binary_dilation(mask, iterations=3) & (mask == 0)
        assert image[mask > 0].mean() < image[around].mean()


def test_a_heart_lies_between_the_lungs_and_to_the_patients_left():
    images, labels = drawn("chest_classes", 60)
    columns = np.arange(64)
    for image, one in zip(images[..., 0].astype(float), labels, strict=True):
        left, right, heart = (one == value for value in (1, 2, 3))
        for mask in (left, right, heart):
            assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        places = [(mask.sum(0) @ columns) / mask.sum() for mask in (right, heart, left)]
        assert places == sorted(places)  # the patient's left is the image's right
        # Its edge is seen where it meets a lung.
        beside = ndimage.binary_dilation(heart, iterations=3) & (left | right)
        within = ndimage.binary_dilation(left | right, iterations=3) & heart
        assert image[within].mean() > image[beside].mean() + 5
    shares = [(labels == value).mean() for value in (1, 2, 3)]
    # Means of left lung, right lung and heart over the drawn films; no two classes alike in size.
    assert 0.08 < shares[0] < shares[1] < 0.15
    assert 0.04 < shares[2] < 0.09


@pytest.mark.parametrize("fraction", [0.0, 0.129, 0.5, 1.0])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_share_of_tiles_with_tumour_is_the_one_asked_for(fraction, seed):
    masks = drawn("histopathology", 150, size=16, positive_fraction=fraction, seed=seed)[1]
    assert abs(masks.any((1, 2)).sum() - 150 * fraction) <= 2


def test_a_larger_share_keeps_the_tiles_with_tumour_of_a_smaller_one():
    few, many = (
        drawn("histopathology", 60, size=16, positive_fraction=fraction)[1].any((1, 2))
        for fraction in (0.2, 0.6)
    )
    assert np.all(many[few])
    assert many.sum() > few.sum()


def test_one_tile_in_eight_has_tumour_by_default():
    assert Synthetic(kind="histopathology").positive_fraction == 0.129


def test_tumour_is_as_large_as_in_ebhi_seg_and_holds_more_stain(tiles):
    images, masks = tiles
    positive = masks.any((1, 2))
    assert masks[positive].mean() == pytest.approx(0.67, abs=0.08)
    differences = [
        image[mask > 0].mean() - image[mask == 0].mean()
        for image, mask in zip(images[positive], masks[positive], strict=True)
        if not mask.all()
    ]
    assert np.mean(np.array(differences) < 0) > 0.9


@pytest.mark.parametrize(
    "name",
    [
        "synthetic",
        "synthetic_chest",
        "synthetic_chest_classes",
        "synthetic_histopathology",
    ],
)
def test_the_configuration_builds_its_source(name):
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    assert config.name == name
    config.image_size = 32
    source = instantiate(config.source)
    assert source.size == 32
    assert len(source.records()) == config.source.train + config.source.val + config.source.test


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"kind": "dermatology"}, "choose one of dermoscopy, chest, histopathology"),
        ({"size": 8}, "choose 16 to 2048"),
        ({"test": -1}, "test=-1: choose 0 or more"),
        ({"train": 0, "val": 0, "test": 0}, "set train, val or test"),
        ({"seed": -3}, "seed=-3: choose 0 or more"),
        ({"positive_fraction": 0.5}, "leave it null"),
        ({"kind": "histopathology", "positive_fraction": 1.5}, "from 0 to 1"),
        ({"kind": "chest_classes"}, r"'dataset.classes=\[background,left lung,right lung,heart\]'"),
        ({"kind": "chest_classes", "classes": ["a", "b"]}, "draws 4 classes"),
        ({"classes": ["a", "b", "c"]}, "binary masks: dataset.classes=null or two names"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_remedy(arguments, remedy):
    with pytest.raises(DataError, match=remedy):
        Synthetic(**({"kind": "dermoscopy"} | arguments))


def test_the_fingerprint_changes_with_whatever_changes_the_pictures(tmp_path):
    base = {"kind": "histopathology", "size": 64, "train": 5, "val": 1, "test": 2, "seed": 0}
    changes = [
        {},
        {"kind": "chest"},
        {"size": 65},
        {"train": 6},
        {"val": 0},
        {"test": 3},
        {"seed": 1},
        {"positive_fraction": 0.2},
    ]
    prints = [Synthetic(**(base | change)).fingerprint() for change in changes]
    assert len(set(prints)) == len(changes)
    assert Synthetic(**base).fingerprint(tmp_path) == prints[0]
    assert Synthetic(**base, positive_fraction=0.129).fingerprint() == prints[0]
