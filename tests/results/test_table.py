import math

import numpy as np
import pytest

from robustseg.results.load import load_runs
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.notes import notes
from robustseg.results.tables.table_model import Column

CLEAN = Column(None, 0.0, None, "dice_image")
NOISY = Column("morphological", 0.3, 0.5, "dice_image")


def table_of(add_run, *metrics, **options):
    return make_table(load_runs(add_run.runs), metrics or ["dice_image"], **options)


def test_cells_are_means_and_sample_deviations_over_seeds(add_run):
    values = [0.7, 0.8, 0.75]
    for seed, value in enumerate(values):
        add_run("gce", 0.3, value, seed=seed)
    add_run("gce", 0.0, 0.9)
    table = table_of(add_run)
    assert (table.labels, table.rows, table.columns) == (("loss",), (("gce",),), (CLEAN, NOISY))
    noisy, clean = table.cells[("gce",), NOISY], table.cells[("gce",), CLEAN]
    assert (noisy.mean, noisy.std) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert (noisy.n, clean.n, table.n) == (3, 1, 3)
    assert math.isnan(clean.std)


def test_missing_cells_are_absent(add_run):
    add_run("gce", 0.3)
    add_run("mae", 0.0)
    assert set(table_of(add_run).cells) == {(("gce",), NOISY), (("mae",), CLEAN)}


def test_a_number_that_some_runs_lack_is_averaged_over_the_others(add_run):
    add_run("gce", 0.0, {"dice_image": 0.5, "hd95": 0.2})
    add_run("gce", 0.0, {"dice_image": 0.5, "hd95": None}, seed=1)
    cell = table_of(add_run, "hd95").cells[("gce",), Column(None, 0.0, None, "hd95")]
    assert (cell.mean, cell.n, cell.without) == (0.2, 1, 1)


@pytest.mark.parametrize("number", [None, float("inf"), float("-inf")])
def test_no_number_never_wins_and_is_counted(add_run, number):
    add_run("gce", 0.0, {"dice_image": 0.5})
    add_run("mae", 0.0, {"dice_image": number})
    cells = table_of(add_run).cells
    lost, best = cells[("mae",), CLEAN], cells[("gce",), CLEAN]
    assert (lost.n, lost.without, lost.best) == (0, 1, False)
    assert (best.n, best.without) == (1, 0)


@pytest.mark.parametrize(
    "metric, best", [("dice_image", {"mae"}), ("hd95", {"gce", "rce"}), ("area_ratio", set())]
)
def test_the_best_of_a_column_may_be_the_lowest_several_or_none(add_run, metric, best):
    for loss, value in (("gce", 0.1), ("mae", 0.3), ("rce", 0.1)):
        add_run(loss, 0.0, {metric: value})
    table = table_of(add_run, metric)
    assert {row[0] for (row, _), cell in table.cells.items() if cell.best} == best


def test_there_is_no_best_of_one_and_none_across_datasets(add_run):
    add_run("gce", dataset="isic2017")
    add_run("mae", numbers=0.9, dataset="shenzhen")
    table = table_of(add_run)
    assert table.labels == ("dataset", "loss")
    assert not any(cell.best for cell in table.cells.values())


def test_labels_that_differ_within_a_loss_make_rows(add_run):
    for domain in ("image", "batch"):
        for size in (8, 32):
            add_run("dice", domain=domain, batch_size=size)
    add_run("gce")
    table = table_of(add_run)
    assert table.labels == ("loss", "domain", "batch_size")
    assert table.rows == (
        ("dice", "batch", 8),
        ("dice", "batch", 32),
        ("dice", "image", 8),
        ("dice", "image", 32),
        ("gce", None, 16),
    )


def test_a_label_that_goes_with_the_loss_makes_no_column(add_run):
    add_run("dice", domain="image")
    add_run("gce")
    assert table_of(add_run).labels == ("loss",)


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_runs_of_different_settings_are_never_averaged(add_run, seeds):
    lengths = [{"trainer": {"max_epochs": epochs}} for epochs in (3.0, 100.0)]
    for seed, length in zip(seeds, lengths, strict=True):
        add_run("gce", 0.3, settings=length, seed=seed)
    table = table_of(add_run)
    assert table.labels == ("loss", "trainer.max_epochs")
    assert [row[1] for row in table.rows] == [3, 100]


def test_settings_of_the_noise_count_within_one_kind_of_noise_only(add_run):
    for noise, angle in (("morphological", 30.0), ("legacy", 45.0)):
        settings = {"noise": {"name": noise, "alpha": 0.3, "model": {"max_angle": angle}}}
        add_run("gce", 0.3, noise=noise, settings=settings)
    add_run("gce", 0.0, settings={"noise": {"alpha": 0.0}})
    table = table_of(add_run)
    assert table.labels == ("loss",)
    assert [column.noise for column in table.columns] == [None, "legacy", "morphological"]
    settings = {"noise": {"name": "legacy", "alpha": 0.5, "model": {"max_angle": 10.0}}}
    add_run("gce", 0.5, noise="legacy", settings=settings)
    assert table_of(add_run).labels == ("loss", "noise.model.max_angle")


def test_a_seed_that_occurs_twice_is_noted(add_run):
    add_run("gce", 0.3, 0.7)
    add_run("gce", 0.3, 0.8, seed=1)
    assert not any("more than once" in note for note in notes(table_of(add_run), False))
    add_run("gce", 0.3, 0.9)
    table = table_of(add_run, "dice_image", "dice_pooled")
    assert "In 1 cell a seed occurs more than once" in notes(table, False)[-1]


def test_losses_come_in_the_order_asked_for_and_then_by_name(add_run):
    for loss in ("mae", "ce", "gce", "tloss"):
        add_run(loss)
    table = table_of(add_run, losses=["tloss", "gce"])
    assert [row[0] for row in table.rows] == ["tloss", "gce", "ce", "mae"]


def test_several_metrics_are_columns_side_by_side(add_run):
    add_run("gce", 0.3)
    columns = table_of(add_run, "dice_pooled", "dice_image").columns
    assert [column.metric for column in columns] == ["dice_pooled", "dice_image"]
