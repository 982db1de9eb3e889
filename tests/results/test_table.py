import math
from pathlib import Path

import numpy as np
import pytest

from robustseg.cli.main import main
from robustseg.results.claims.make_claims import make_claims
from robustseg.results.load import load_runs
from robustseg.results.ranking.make_ranking import make_ranking
from robustseg.results.tables.comparison import compare
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.notes import notes
from robustseg.results.tables.published import Published, Value
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results
from robustseg.results.tables.table_model import Column
from robustseg.runs.files import read_json
from robustseg.runs.folder import RunFolder

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


def test_a_choice_is_named_by_its_name_and_not_by_the_class_behind_it(add_run):
    step = {"name": "step", "_target_": "torch.optim.lr_scheduler.MultiStepLR", "gamma": 0.1}
    for scheduler in ({"name": "none"}, step):
        add_run("gce", 0.3, settings={"scheduler": scheduler})
    table = table_of(add_run)
    assert table.labels == ("loss", "scheduler.name")
    assert [table.shown(row) for row in table.rows] == ["GCE scheduler=none", "GCE scheduler=step"]


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
    table = table_of(add_run)
    assert table.labels == ("loss",)
    assert [table.noise_words(column) for column in table.columns] == [
        "clean",
        "legacy max_angle=45 α=0.3 β=0.5",
        "legacy max_angle=10 α=0.5 β=0.5",
        "morphological α=0.3 β=0.5",
    ]


def noise(name, **model):
    return {"noise": {"name": name, "alpha": 0.3, "model": {"_target_": name, **model}}}


@pytest.fixture
def panels(add_run):
    """Losses on masks of annotators who draw outside, or inside, or both; and others."""
    kinds = [
        *(("annotator", {"panel": panel}) for panel in (["over"], ["under"], ["over", "under"])),
        *(("morphological", {"types": [one], "max_angle": 30.0}) for one in ("dilate", "erode")),
        *(("markov", {"theta2": 0.05}), ("elastic", {"smoothness": 0.15})),
    ]
    for at, (name, model) in enumerate(kinds):
        for loss, shift in (("gce", 0.0), ("tloss", 0.1 if at % 2 else -0.1)):
            values = {f"i{i}": 0.4 + at / 50 + shift + i / 500 for i in range(12)}
            settings = noise(name, **model)
            add_run(loss, 0.3, images=values, settings=settings, noise=name, experiments=["one"])
    add_run("gce", images={f"i{i}": 0.9 + i / 500 for i in range(12)}, experiments=["one"])
    return add_run


SETTINGS = {
    "annotator over α=0.3 β=0.5",
    "annotator over, under α=0.3 β=0.5",
    "annotator under α=0.3 β=0.5",
    "elastic α=0.3 β=0.5",
    "markov α=0.3 β=0.5",
    "morphological dilate α=0.3 β=0.5",
    "morphological erode α=0.3 β=0.5",
}


def test_networks_that_saw_other_masks_never_compete(panels):
    table = table_of(panels)
    assert table.labels == ("loss",)
    assert {table.noise_words(column) for column in table.columns} == {"clean", *SETTINGS}
    assert all(cell.n == 1 for cell in table.cells.values())
    assert [len(contest) for contest in table.contests] == [2] * 7
    tested = compare(table, Images(panels.runs))
    assert tested.test.family == 7
    best = {(row, tested.noise_words(column)) for (row, column), cell in tested.cells.items()
            if cell.best and column.noise}  # fmt: skip
    assert len(best) == 7 and {words for _, words in best} == SETTINGS
    claims = make_claims(table, Images(panels.runs)).claims
    assert {claim.words.partition(", ")[2] for claim in claims} == SETTINGS
    assert all({claim.first, claim.second} == {"gce", "tloss"} for claim in claims)


def test_a_loss_on_other_masks_than_every_other_loss_is_in_another_column(add_run):
    for loss, panel in (("gce", "over"), ("tloss", "under")):
        add_run(loss, 0.3, settings=noise("annotator", panel=[panel]), noise="annotator")
    table = table_of(add_run)
    assert not table.contests
    assert {(row[0], table.noise_words(column)) for row, column in table.cells} == {
        ("gce", "annotator over α=0.3 β=0.5"),
        ("tloss", "annotator under α=0.3 β=0.5"),
    }


def test_ranks_and_status_have_a_place_for_each_noise_setting(panels, capsys):
    ranking = make_ranking(table_of(panels), None)
    assert {place.words for place in ranking.places} == SETTINGS
    assert ranking.names == ("gce", "tloss") and ranking.counts.tolist() == [7, 7]
    for path in panels.runs.iterdir():
        folder = RunFolder(path)
        folder.update_status(run=read_json(folder.metrics)["run"])
    assert main(["status", "--runs", str(panels.runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if "clean" in line)
    written = {words.removeprefix("morphological ") for words in SETTINGS}
    assert all(words in heading for words in written)
    row = next(line for line in lines if line.startswith("T-Loss"))
    assert row.count("●") == 7 and "●●" not in row


def test_csv_keeps_the_settings_of_the_noise_and_is_read_again(panels, tmp_path):
    table = compare(table_of(panels), Images(panels.runs))
    (tmp_path / "results.csv").write_text(render(table, "csv"))
    again = read_results(tmp_path / "results.csv")
    assert again.columns == table.columns and again.labels == table.labels
    for style, layout in (("md", "noise"), ("md", "losses"), ("csv", "noise")):
        assert render(again, style, layout=layout) == render(table, style, layout=layout)


def test_losses_stand_across_where_there_are_many_noise_settings(panels):
    table = compare(table_of(panels, "dice_image", "dice_pooled"), Images(panels.runs))
    text = render(table, "md", layout="losses")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()
             if line.startswith("|")]  # fmt: skip
    assert lines[0] == ["metric", "noise", "GCE", "T-Loss"]
    assert {line[1] for line in lines[2:]} == {"clean", *SETTINGS}
    assert [line[0] for line in lines[2:] if line[0]] == ["dice_image ↑", "dice_pooled ↑"]
    assert len(lines) == 2 + 2 * 8
    over = next(line for line in lines if line[1].startswith("annotator over α"))
    assert over[2:] == ["**0.411**", "0.311†"]
    assert "differs from the best of its noise setting," in text
    assert "pairs of the table's noise settings" in text
    assert "column" not in text and "its line" not in text


def test_published_values_are_of_the_papers_masks(add_run):
    entries = [({"loss": "gce", "alpha": 0.3}, "dice_image", Value(0.7, 0.01, False))]
    published = Published(Path("published.csv"), entries)
    paper = noise("morphological", types=["dilate", "erode", "affine"], max_angle=30.0)
    other = noise("morphological", types=["dilate"], max_angle=30.0)
    add_run("gce", 0.3, settings=other)
    assert not any(cell.published for cell in table_of(add_run, published=published).cells.values())
    add_run("gce", 0.3, settings=paper)
    cells = table_of(add_run, published=published).cells
    told = {dict(column.settings)["noise.model.types"] for (_, column), cell in cells.items()
            if cell.published}  # fmt: skip
    assert told == {"dilate, erode, affine"}


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
