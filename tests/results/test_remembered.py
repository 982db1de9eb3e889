import json

import pytest

from robustseg.errors import NoImages
from robustseg.results.load import load_runs
from robustseg.results.tables import image_scores as images
from robustseg.results.tables.cached_statistics import cached
from robustseg.results.tables.comparison import add_intervals, compare
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.render import render


@pytest.fixture
def kept(tmp_path):
    return lambda: sorted((tmp_path / "cache" / "statistics").iterdir())


@pytest.fixture
def folders(add_run):
    """Two runs on the same eight images."""
    values = {f"image{at}": 0.5 + at / 100 for at in range(8)}
    better = {name: dice + 0.1 + at / 1000 for at, (name, dice) in enumerate(values.items())}
    return [add_run("gce", 0.3, images=values), add_run("mae", 0.3, images=better)]


@pytest.fixture
def tested(add_run):
    def make():
        of_runs = Images(add_run.runs)
        table = compare(make_table(load_runs(add_run.runs), ["dice_image"]), of_runs)
        return render(add_intervals(table, of_runs), "csv")

    return make


def test_statistics_are_computed_once(folders, tested, kept, monkeypatch):
    first = tested()

    def read(folder):
        raise AssertionError(f"{folder.images} is read again")

    monkeypatch.setattr(images, "_averaged", read)
    assert tested() == first
    assert len(kept()) == 2


def test_a_run_trained_again_is_compared_again(folders, tested):
    tested()
    folders[0].metrics.write_text(folders[0].metrics.read_text() + " ")
    folders[0].images.unlink()
    with pytest.raises(NoImages):
        tested()


@pytest.mark.parametrize("damage", ["", "{}", "[[1]]", '[["a", 1, 2]]', "[[null, 1, 2]]"])
def test_what_is_damaged_is_computed_again(folders, tested, kept, damage):
    first, files = tested(), [file.read_text() for file in kept()]
    for file in kept():
        file.write_text(damage)
    assert tested() == first
    assert [file.read_text() for file in kept()] == files


def test_where_nothing_can_be_kept_a_warning_says_so(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "file"))
    assert cached("question", (1, 1), lambda: [[0.5]]) == [[0.5]]
    assert "not kept" in caplog.text


def test_questions_have_answers_of_their_own(kept):
    assert cached(["a", 1], (1, 1), lambda: [[1.0]]) == [[1.0]]
    assert cached(["a", 2], (1, 1), lambda: [[2.0]]) == [[2.0]]
    assert cached(["a", 1], (1, 1), lambda: [[3.0]]) == [[1.0]]
    assert [json.loads(file.read_text()) for file in kept()] in ([[[1]], [[2]]], [[[2]], [[1]]])
