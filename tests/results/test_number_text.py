"""No two numbers look alike, and those that six digits give look as they always did."""

from hypothesis import given
from hypothesis import strategies as st

from robustseg.results.figures.lines import line_names
from robustseg.results.load import load_runs
from robustseg.results.ranking.make_ranking import make_ranking
from robustseg.results.ranking.ranked_cells import RankedCells, loss_names
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.render import render
from robustseg.results.tables.table_model import Table
from robustseg.terminal.number_text import number_text

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**12), 10**12).map(float),
    st.integers(0, 10**7).map(lambda whole: whole / 1000),
)


@given(NUMBERS)
def test_the_text_is_the_number_in_six_digits_where_they_do(value):
    text = number_text(value)
    assert float(text) == value
    if float(f"{value:g}") == value and not value.is_integer():
        assert text == f"{value:g}"
    if value.is_integer() and abs(value) < 1e15:
        assert text in (str(int(value)), "-0")


def test_settings_that_six_digits_do_not_tell_apart_keep_their_rows(add_run):
    for at, seed in enumerate((20240101.0, 20240102.0)):
        for loss, dice in (("gce", 0.6), ("mae", 0.5)):
            settings = {"dataset": {"split_seed": seed}}
            add_run(loss, 0.3, dice + at / 10, settings=settings)
    runs = load_runs(add_run.runs)
    table = make_table(runs, ["dice_image"])
    text = render(table, "md")
    assert "| GCE  | 20240101 " in text and "| MAE  | 20240102 " in text
    assert len(set(line_names(runs)["line"])) == 4
    assert sum(key is not None for row in RankedCells(table).keys for key in row) == 4
    assert dict(zip(*_ranks(table), strict=True)) == {
        "gce dataset.split_seed=20240102": 1,
        "mae dataset.split_seed=20240102": 2.5,
        "gce dataset.split_seed=20240101": 2.5,
        "mae dataset.split_seed=20240101": 4,
    }


def _ranks(table):
    ranking = make_ranking(table, None)
    return ranking.names, ranking.mean.tolist()


def test_texts_of_two_labels_are_told_apart():
    rows = (("gce", "a", None), ("gce", None, "a"))
    names = loss_names(Table(("loss", "domain", "own"), rows, (), {}, ()))
    assert list(names.values()) == ["loss=gce domain=a own=", "loss=gce domain= own=a"]
    rows = (("gce", "a", None), ("gce", None, "b"))
    names = loss_names(Table(("loss", "domain", "own"), rows, (), {}, ()))
    assert list(names.values()) == ["gce a", "gce b"]
