"""Folds: every image is held out once, cases stay whole, strata keep their share."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from robustseg.configuration.checks import resolve
from robustseg.data.fingerprint import fingerprint_for_run
from robustseg.data.folds import hold_out_fold
from robustseg.data.imageset import ImageSet
from robustseg.data.prepare import load_selected
from robustseg.data.selection import hold_out
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.source import Record
from robustseg.data.sources.split import seeded_folds, seeded_split
from robustseg.data.synthetic import Synthetic
from robustseg.errors import ConfigError, DataError
from robustseg.runs.identity import identify


@st.composite
def dealt(draw):
    """Ids with a group and a stratum each, and a number of folds that the groups allow."""
    ids = draw(st.lists(st.text("abcdef0123", min_size=1, max_size=6), unique=True, min_size=2))
    groups = {name: draw(st.sampled_from("pqrstuvw")) for name in ids}
    strata = {name: draw(st.sampled_from("xyz")) for name in ids}
    return ids, groups, strata


@given(dealt(), st.integers(2, 6), st.integers(0, 3))
def test_every_image_is_in_one_fold_and_groups_are_whole(given_ids, count, seed):
    ids, groups, strata = given_ids
    names = set(groups.values())
    if len(names) < count:
        with pytest.raises(DataError, match=f"there are {len(names)} cases"):
            seeded_folds(ids, count, seed, groups, strata)
        return
    fold = seeded_folds(ids, count, seed, groups, strata)
    assert set(fold) == set(ids)
    assert set(fold.values()) == set(range(count))  # none is empty
    assert len({(groups[name], fold[name]) for name in ids}) == len(names)
    assert fold == seeded_folds(ids[::-1], count, seed, groups, strata)


@given(dealt(), st.integers(2, 6), st.integers(0, 3))
def test_without_groups_strata_and_sizes_differ_by_one(given_ids, count, seed):
    ids, _, strata = given_ids
    if len(ids) < count:
        return
    fold = seeded_folds(ids, count, seed, strata=strata)
    sizes = Counter(fold.values())
    assert max(sizes.values()) - min(sizes[k] for k in range(count)) <= 1
    for stratum in set(strata.values()):
        of = Counter(fold[name] for name in ids if strata[name] == stratum)
        assert max(of.values()) - min(of[k] for k in range(count)) <= 1


def test_groups_are_balanced_as_well_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 12, 80)
    group = np.repeat(np.arange(80), sizes)
    rare = rng.random(80) < 0.2
    kind = np.where(rare[group] & (rng.random(len(group)) < 0.8), "full", "empty")
    ids = [f"im{k}" for k in range(len(group))]
    ours = seeded_folds(
        ids,
        5,
        0,
        dict(zip(ids, map(str, group), strict=True)),
        dict(zip(ids, kind, strict=True)),
    )
    theirs = np.empty(len(ids), int)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for at, (_, held) in enumerate(splitter.split(ids, kind, group)):
        theirs[held] = at

    def spread(folds):
        shares = [np.mean(kind[folds == k] == "full") for k in range(5)]
        return np.ptp(shares), np.ptp(np.bincount(folds))

    share, size = spread(np.array([ours[name] for name in ids]))
    share_theirs, size_theirs = spread(theirs)
    assert share <= share_theirs + 0.02
    assert size <= size_theirs + 5


@given(dealt(), st.integers(0, 3))
def test_a_split_never_cuts_groups_of_several_strata(given_ids, seed):
    ids, groups, strata = given_ids
    split = seeded_split(ids, {"train": 0.6, "test": 0.4}, seed, groups, strata)
    assert set(split) == set(ids)
    assert len({(groups[name], split[name]) for name in ids}) == len(set(groups.values()))


@given(dealt(), st.integers(0, 3))
def test_a_split_of_groups_within_strata_is_that_of_each_stratum(given_ids, seed):
    ids, groups, _ = given_ids
    strata = {name: groups[name] > "s" for name in ids}
    shares = {"train": 0.6, "test": 0.4}
    whole = seeded_split(ids, shares, seed, groups, {n: str(s) for n, s in strata.items()})
    for stratum in (True, False):
        part = [name for name in ids if strata[name] == stratum]
        assert seeded_split(part, shares, seed, groups) == {name: whole[name] for name in part}


def imageset(splits, groups=None, own=None):
    count = len(splits)
    masks = np.ones((count, 2, 2), np.uint8)
    ids = [f"im{k:02}" for k in range(count)]
    images = np.zeros((count, 2, 2, 1), np.uint8)
    own = None if own is None else np.array(own)
    groups = groups or [""] * count
    return ImageSet(ids, np.array(splits), images, masks, groups, own_foreground=own)


def test_over_all_folds_each_image_is_tested_once():
    images = imageset(["train"] * 14 + ["val"] * 2 + ["test"] * 4)
    held = [hold_out_fold(images, 4, k, drawn_test=True) for k in range(4)]
    tested = [name for one in held for name in one.split("test").ids]
    assert sorted(tested) == images.ids
    assert all(not len(one.split("val")) for one in held)
    assert [len(one.split("test")) for one in held] == [5] * 4


def test_a_test_set_of_its_own_stays_apart():
    images = imageset(["train"] * 8 + ["val"] * 4 + ["test"] * 3)
    held = [hold_out_fold(images, 4, k, drawn_test=False) for k in range(4)]
    assert {tuple(one.split("test").ids) for one in held} == {tuple(images.ids[12:])}
    assert sorted(name for one in held for name in one.split("val").ids) == images.ids[:12]


def test_folds_have_their_share_of_empty_and_of_large_lesions():
    own = [0.0] * 10 + [0.1 * k / 30 for k in range(1, 31)]
    images = imageset(["train"] * 40, own=own)
    for k in range(5):
        shares = hold_out_fold(images, 5, k, drawn_test=True).split("test").own_foreground
        assert (shares == 0).sum() == 2
        assert [int((shares > 0.1 * low / 3).sum()) for low in range(3)] == [6, 4, 2]


def test_cases_and_strata_of_a_source_count():
    groups = [f"p{k // 4}" for k in range(40)]
    images = imageset(["train"] * 40, groups)
    held = hold_out_fold(images, 5, 0, drawn_test=True, stratum=lambda name: name[-1])
    tested = held.split("test")
    assert len(set(tested.groups)) == 2 and len(tested) == 8
    assert not set(tested.groups) & set(held.split("train").groups)


def test_a_folder_is_folded(tiles_root, tiny, tmp_path):
    source = Folder(tiles_root, group_pattern=r"P\d+")
    assert source.drawn_test
    tested = []
    for fold in range(4):
        given = tiny("dataset.folds=4", f"dataset.fold={fold}", "dataset.image_size=16")
        settings = resolve(given).dataset
        images = load_selected(source, tmp_path, settings)
        (case,) = set(images.split("test").groups)
        assert case not in images.split("train").groups
        tested += images.split("test").ids
    assert sorted(tested) == sorted(path.stem for path in (tiles_root / "images").iterdir())
    (tiles_root / "split.csv").write_text("id,split\n")
    assert not source.drawn_test


def test_drawn_images_are_folded(tiny, tmp_path):
    source = Synthetic("chest", size=16, train=6, test=3)
    given = tiny("dataset.folds=3", "dataset.fold=1", "dataset.image_size=16")
    settings = resolve(given).dataset
    images = load_selected(source, tmp_path, settings)
    # the pictures stay those of their ids
    at = images.ids.index("synthetic_test_0001")
    drawn, _ = source.read(Record("synthetic_test_0001", "test"))
    np.testing.assert_array_equal(images.images[at], drawn)
    assert (len(images.split("train")), len(images.split("test"))) == (6, 3)


class Strata:
    """A source of four cases; `stratum` says which strata a case is of."""

    channels = 1

    def __init__(self, crossing):
        self.crossing = crossing

    def records(self):
        return [Record(f"im{k}", "train", group=f"p{k // 2}") for k in range(8)]

    def stratum(self, name):
        number = int(name[2:])
        return str(number % 2 if self.crossing else number // 4)

    def fingerprint(self, cache=None):
        return "f" * 64


@pytest.mark.parametrize("crossing", [False, True])
def test_only_a_split_that_was_mended_has_another_fingerprint(crossing, tiny, tmp_path):
    source = Strata(crossing)
    plain = resolve(tiny()).dataset
    held = resolve(tiny("dataset.val_fraction=0.5")).dataset
    assert fingerprint_for_run(source, plain, tmp_path) == "f" * 64
    assert (fingerprint_for_run(source, held, tmp_path) != "f" * 64) == crossing
    images = imageset(["train"] * 8, [f"p{k // 2}" for k in range(8)])
    images = replace(images, ids=[f"im{k}" for k in range(8)])
    split = hold_out(images, 0.5, source.stratum)
    assert not set(split.split("train").groups) & set(split.split("val").groups)


def write_split(root, rows):
    header = "id,split,case" if any(len(row) == 3 for row in rows) else "id,split"
    (root / "split.csv").write_text("\n".join([header, *map(",".join, rows)]) + "\n")


@pytest.mark.parametrize(
    "overrides",
    [("dataset.folds=3", "dataset.fold=1"), ("dataset.val_fraction=0.3",)],
    ids=["folds", "val_fraction"],
)
def test_runs_that_hold_out_other_images_have_other_fingerprints(
    overrides, tiles_root, tiny, tmp_path
):
    dataset = resolve(tiny(*overrides, "dataset.image_size=16")).dataset
    source = Folder(tiles_root, fractions={"train": 0.75, "val": 0, "test": 0.25})
    drawn = [(record.id, record.split) for record in source.records()]
    own = [(name, "test" if name.startswith("P3") else "train") for name, _ in drawn]
    files = {
        "none": None,
        "as drawn": drawn,
        "own": own,
        "own, cases": [(name, split, name[:2]) for name, split in own],
        "own, other cases": [(name, split, f"{name[:2]}{name[-1]}") for name, split in own],
    }
    found = {}
    for name, rows in files.items():
        if rows is not None:
            write_split(tiles_root, rows)
        images = load_selected(source, tmp_path / "cache", dataset)
        held = tuple(zip(images.ids, images.splits.tolist(), strict=True))
        found[name] = (fingerprint_for_run(source, dataset, tmp_path / "cache"), held)
    for one, other in combinations(found, 2):
        if found[one][1] != found[other][1]:
            assert found[one][0] != found[other][0], f"{one} and {other}"
    assert found["own"][1] != found["own, cases"][1] != found["own, other cases"][1]
    if dataset.folds:
        assert found["none"][1] != found["as drawn"][1]
    # Without cases of split.csv a run keeps the id that it had.
    write_split(tiles_root, own)
    assert found["own"][0] == source.fingerprint()


def test_cases_that_change_nothing_change_no_fingerprint(tiles_root, tiny, tmp_path):
    plain = resolve(tiny()).dataset
    folds = resolve(tiny("dataset.folds=3", "dataset.fold=1")).dataset
    own = [
        (p.stem, "test" if p.stem.startswith("P3") else "train")
        for p in sorted((tiles_root / "images").iterdir())
    ]
    write_split(tiles_root, own)
    by_pattern = Folder(tiles_root, group_pattern=r"P\d+")
    before = by_pattern.fingerprint()
    assert fingerprint_for_run(by_pattern, folds, tmp_path) == before  # the setting tells them
    write_split(tiles_root, [(name, split, name[:2]) for name, split in own])
    assert fingerprint_for_run(by_pattern, folds, tmp_path) == before  # the same cases again
    source = Folder(tiles_root)
    assert fingerprint_for_run(source, plain, tmp_path) == before
    cased = fingerprint_for_run(source, folds, tmp_path)
    assert cased != before
    tests = [(name, split, name[:2] if split == "train" else "Q") for name, split in own]
    write_split(tiles_root, tests)
    assert fingerprint_for_run(source, folds, tmp_path) == cased


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.folds=5"], "-m dataset.fold=0,1,2,3,4 for all"),
        (["dataset.fold=1"], "Add dataset.folds=5"),
        (["dataset.folds=3", "dataset.fold=3"], "the last is 2"),
    ],
)
def test_folds_and_fold_must_fit(overrides, message, tiny):
    with pytest.raises(ConfigError, match=message):
        resolve(tiny(*overrides))


def test_ids_name_the_fold_and_are_those_before_without(tiny):
    plain = identify(resolve(tiny()), "f").run_id
    config = tiny()
    assert {"folds", "fold"} <= set(config.dataset)
    folded = identify(resolve(tiny("dataset.folds=5", "dataset.fold=2")), "f").run_id
    assert "fold" not in plain and "-fold2of5-" in folded
