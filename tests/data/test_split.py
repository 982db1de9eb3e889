from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.data.sources.source import Record
from robustseg.data.sources.split import caseless, read_split_file, seeded_split
from robustseg.errors import DataError
from robustseg.runs.files import write_csv

names = st.lists(st.text("abcdef0123", min_size=1, max_size=6), unique=True, max_size=60)
shares = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
    lambda t: {"train": t[0], "val": (1 - t[0]) * t[1], "test": (1 - t[0]) * (1 - t[1])}
)


@given(names, shares, st.integers(0, 5))
def test_counts_are_the_shares_rounded(ids, fractions, seed):
    split = seeded_split(ids, fractions, seed)
    counts = Counter(split.values())
    assert set(split) == set(ids)
    assert counts["train"] == round(len(ids) * fractions["train"])
    end = round(len(ids) * (fractions["train"] + fractions["val"]))
    assert counts["val"] == end - counts["train"]


@given(names, st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_the_ids(ids, random):
    mixed = random.sample(ids, len(ids))
    fractions = {"train": 0.6, "val": 0.1, "test": 0.3}
    assert seeded_split(ids, fractions, 1) == seeded_split(mixed, fractions, 1)


@given(names.filter(bool), st.integers(1, 6))
def test_a_group_is_in_one_split(ids, count):
    groups = {name: str(len(name) % count) for name in ids}
    split = seeded_split(ids, {"train": 0.5, "val": 0.2, "test": 0.3}, 0, groups=groups)
    for group in groups.values():
        assert len({split[name] for name in ids if groups[name] == group}) == 1


def test_each_stratum_has_its_share():
    strata = {f"a{k}": "a" for k in range(287)} | {f"b{k}": "b" for k in range(279)}
    split = seeded_split(list(strata), {"train": 0.7, "test": 0.3}, 0, strata=strata)
    assert Counter((strata[name], part) for name, part in split.items()) == {
        ("a", "train"): 201,
        ("a", "test"): 86,
        ("b", "train"): 195,
        ("b", "test"): 84,
    }


def test_is_the_same_for_ever():
    # The order of the draw, from its definition.
    import hashlib

    ids = list("abcdefgh")
    order = sorted(ids, key=lambda name: hashlib.sha256(b"0:" + name.encode()).hexdigest())
    split = seeded_split(ids, {"train": 0.5, "val": 0.25, "test": 0.25}, 0)
    assert [split[name] for name in order] == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    assert seeded_split(ids, {"train": 0.5, "test": 0.5}, 1) != seeded_split(
        ids, {"train": 0.5, "test": 0.5}, 0
    )


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.7, "test": 0.2}, "sum to 1"),
        ({"train": 1.2, "test": -0.2}, r"in \[0, 1\]"),
        ({"train": 0.7, "tset": 0.3}, "unknown split 'tset'"),
        ({"train": "0.7", "val": 0.1, "test": 0.2}, "train must be a number, got '0.7'.*quotes"),
        ({"train": 0.7, "val": None, "test": 0.3}, "val must be a number, got None"),
        ({"train": True}, "train must be a number, got True"),
        ({"train": float("nan"), "test": 0.3}, r"in \[0, 1\]"),
    ],
)
def test_wrong_fractions(fractions, message):
    with pytest.raises(DataError, match=message):
        seeded_split(["a"], fractions, 0)


def test_split_file(tmp_path):
    table = tmp_path / "split.csv"
    table.write_text("\ufeffid,split,case,few\na,train,p1,1\nb,test,p2,0\n", encoding="utf-8")
    rows = read_split_file(table)
    assert [(name, row.split, row.case) for name, row in rows.items()] == [
        ("a", "train", "p1"),
        ("b", "test", "p2"),
    ]
    assert list(read_split_file(table, keep_column="few")) == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'id', it has none"),
        ("id;split\na;train\n", "no column 'id', it has id;split"),
        ("id,part\na,train\n", "no column 'split'"),
        ("id,split\na,training\n", "line 2: unknown split 'training'. Use train, val, test"),
        ("id,split\na,train\na,test\n", "line 3: the id 'a' is there twice"),
        ("split,id\ntrain,a\ntest\n", "line 3: no id"),
        ("id,split\na\n", "line 2: unknown split ''"),
        ("id,split,case,split\na,train,P0,test\n", "the column 'split' is there twice. Remove"),
        ("id,split,case,case\na,train,P0,P1\n", "the column 'case' is there twice. Remove one"),
        ("id,split,case\na,train,P0\nb,test,P0 \n", "line 3: case is 'P0 ', with blanks around"),
        ("id,split\na, train\n", "line 2: split is ' train', with blanks around it. Remove them"),
        ("id,split\n\ta,train\n", "line 2: id is '\\ta', with blanks around it. Remove them"),
        ("id,split,few\na,train,1.0\n", "line 2: few is '1.0'. Write 1"),
        ("id,split,few\na,train,1\nb,train\n", "line 3: few is ''. Write 1"),
    ],
)
def test_wrong_split_files(tmp_path, text, message):
    table = tmp_path / "split.csv"
    table.write_text(text)
    with pytest.raises(DataError) as error:
        read_split_file(table, "few" if "few" in text else None)
    assert message in str(error.value)
    assert str(table) in str(error.value)


@pytest.mark.parametrize(
    ("header", "keep", "unread"),
    [
        ("id,split", None, ""),
        ("id,split,case,tissue", None, ""),
        ("id,split,few,,", "few", ""),
        ("id,split,Case", None, "the column 'Case' is not read"),
        ("id,split, case", None, "the column ' case' is not read"),
        ("id,split,few,patient,Split", "few", "the columns 'patient', 'Split' are not read"),
    ],
)
def test_columns_that_might_be_the_patients(tmp_path, header, keep, unread):
    table = tmp_path / "split.csv"
    table.write_text(f"{header}\na,train,1\n")
    assert set(read_split_file(table, keep)) == {"a"}
    remarks = caseless(table, keep)
    assert len(remarks) == bool(unread)
    assert all(unread in one and "call it case" in one and str(table) in one for one in remarks)


def test_split_file_that_is_no_text(tmp_path):
    table = tmp_path / "split.csv"
    table.write_bytes(b"id,split\n\xff\xfe,train\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_split_file(table)


def test_the_split_file_of_a_run_is_read_back(tmp_path):
    records = [Record("a, b", "train", group='p"1"'), Record("ü", "val"), Record("c", "test")]
    written = [{"id": r.id, "split": r.split, "case": r.group} for r in records]
    write_csv(tmp_path / "split.csv", written)
    rows = read_split_file(tmp_path / "split.csv")
    assert [(name, r.split, r.case) for name, r in rows.items()] == [
        (r.id, r.split, r.group) for r in records
    ]
