import sys
from types import ModuleType

import pytest

from robustseg.errors import ConfigError
from robustseg.sweeps.recorded import check_records, record_of


@pytest.fixture
def read(monkeypatch):
    """Stands in for the reader of records: a record is a file of ids; notes what it reads."""
    paths = []

    def run_ids(path):
        paths.append(path)
        text = (path / "record.json").read_text()
        if text == "damaged":
            raise ValueError(f"{path / 'record.json'} is damaged")
        return set(text.split())

    records = ModuleType("robustseg.records")
    records.run_ids = run_ids
    monkeypatch.setitem(sys.modules, "robustseg.records", records)
    return paths


@pytest.fixture
def record(tmp_path, read):
    def write(name, text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(text)
        return str(tmp_path / name)

    return write


def test_the_first_record_that_has_a_run_is_named(record):
    paths = [record("one", "a b"), record("two", "b c")]
    assert [record_of(run_id, paths) for run_id in "abcd"] == [paths[0], paths[0], paths[1], None]
    assert record_of("a", []) is None


def test_a_record_is_read_once(record, read):
    paths = [record("one", "a"), record("two", "b")]
    check_records(paths)
    for run_id in "abcabc":
        record_of(run_id, paths)
    assert [str(path) for path in read] == paths


def test_a_record_that_is_not_there_is_named(tmp_path, record):
    fine = record("one", "a")
    (tmp_path / "empty").mkdir()
    for missing in (str(tmp_path / "nowhere"), str(tmp_path / "empty")):
        with pytest.raises(ConfigError) as refused:
            check_records([fine, missing])
        assert str(refused.value) == f"records=[…]: not a record: {missing}"


def test_a_damaged_record_is_named(record):
    damaged = record("one", "damaged")
    with pytest.raises(ConfigError, match=r"^records=\[…\]: .*one/record.json is damaged$"):
        check_records([damaged])


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, record):
    record("one", "a")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert record_of("a", ["~/one"]) == "~/one"
