"""What a run folder's JSON files may hold: as read, in their order; anything else is damage."""

import json

import pytest

from robustseg.runs.contents import read_metrics, read_status

STATUS = {
    "schema": 2,
    "state": "done",
    "of a later version": [1],
    "epochs": 30,
    "experiments": ["demo"],
    "attempts": [{"host": "a", "pid": 3, "gpu": None}],
    "error": None,
}


def test_entries_of_other_versions_stay_and_so_does_the_order(tmp_path):
    path = tmp_path / "status.json"
    path.write_text(json.dumps(STATUS))
    assert list(read_status(path).items()) == list(STATUS.items())


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": "30"},
        {"epochs": 3.5},
        {"experiments": "demo"},
        {"experiments": [None]},
        {"attempts": {}},
        {"attempts": ["a"]},
        {"error": "no"},
        {"run": None},
        {"collapsed": 1},
    ],
)
def test_an_entry_of_another_type_is_damage(tmp_path, change):
    path = tmp_path / "status.json"
    path.write_text(json.dumps({**STATUS, **change}))
    with pytest.raises(ValueError, match=next(iter(change))):
        read_status(path)


@pytest.mark.parametrize("text", ["", "[]", '{"epochs": ', "null", "\x00"])
@pytest.mark.parametrize("read", [read_status, read_metrics])
def test_what_is_no_object_is_damage(tmp_path, text, read):
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        read(path)


@pytest.mark.parametrize("change", [{"run": "gce"}, {"settings": None}, {"collapsed": 1}])
def test_metrics_that_are_none_are_damage(tmp_path, change):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"dice_image": 0.5, "hd95": None}))
    assert read_metrics(path) == {"dice_image": 0.5, "hd95": None}
    path.write_text(json.dumps({"dice_image": 0.5, **change}))
    with pytest.raises(ValueError, match=next(iter(change))):
        read_metrics(path)
