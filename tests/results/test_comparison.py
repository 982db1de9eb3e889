import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from robustseg.errors import NoImages, UnlikeImages
from robustseg.metrics.summary import COUNTS, dice, jaccard, summarise_last
from robustseg.results.load import load_runs
from robustseg.results.sources import Sources
from robustseg.results.tables.comparison import add_intervals, all_pairs, compare
from robustseg.results.tables.image_scores import PER_IMAGE, Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.notes import notes
from robustseg.results.tables.pooled_folds import pool_folds
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import records
from robustseg.results.tables.table_model import Column
from robustseg.runs.files import read_json, write_csv, write_json

NOISY = Column("morphological", 0.3, 0.5, "dice_image")
RNG = np.random.default_rng(0)
SHIFTS = {"gce": 0.0, "mae": 0.09, "tloss": 0.1}
BASE = RNG.uniform(0.4, 0.8, 30)


def dice_of(shift, spread=0.05, count=30):
    """A Dice for each of some images, around the same values for all losses."""
    values = BASE[:count] + shift + RNG.uniform(-spread, spread, count)
    return {f"image{at:02d}": float(value) for at, value in enumerate(values)}


def table_of(add_run, *metrics, **options):
    return make_table(load_runs(add_run.runs), metrics or ["dice_image"], **options)


def compared(add_run, **options):
    return compare(table_of(add_run), Images(add_run.runs), **options)


def p_of(table, loss):
    return table.cells[(loss,), NOISY].comparison


def test_images_are_averaged_over_seeds_and_evaluations(add_run):
    values = {loss: [dice_of(shift) for _ in range(2)] for loss, shift in SHIFTS.items()}
    for loss, seeds in values.items():
        for seed, images in enumerate(seeds):
            add_run(loss, 0.3, images=images, seed=seed)
    table = compared(add_run)
    mean = {
        loss: np.mean([[images[name] for name in sorted(images)] for images in seeds], axis=0)
        for loss, seeds in values.items()
    }
    pairs = [("gce", "tloss"), ("mae", "tloss"), ("gce", "mae")]
    p = [stats.wilcoxon(mean[a] - mean[b], zero_method="pratt").pvalue for a, b in pairs]
    assert [p_of(table, loss).p for loss in ("gce", "mae")] == pytest.approx(p[:2])
    corrected = multipletests(p, method="holm")[1]
    assert [p_of(table, loss).p_corrected for loss in ("gce", "mae")] == pytest.approx(
        corrected[:2]
    )
    assert (p_of(table, "gce").reference, p_of(table, "gce").n) == ("tloss", 30)
    assert p_of(table, "tloss") is None
    assert table.test.family == 3
    former = compared(add_run, test="best")
    assert [p_of(former, loss).p_corrected for loss in ("gce", "mae")] == pytest.approx(
        multipletests(p[:2], method="holm")[1]
    )
    assert former.test.family == 2


def test_all_pairs_of_a_column_are_those_of_another_library(add_run):
    import scikit_posthocs

    values = {loss: dice_of(0, 0.2, 25) for loss in ("ce", "gce", "mae", "tloss")}
    for loss, images in values.items():
        add_run(loss, 0.3, images=images)
    found = all_pairs(table_of(add_run), Images(add_run.runs))
    rows = pd.DataFrame(values).melt(var_name="loss", value_name="dice")
    expected = scikit_posthocs.posthoc_wilcoxon(
        rows, "dice", "loss", zero_method="pratt", p_adjust="holm"
    )
    assert len(found) == 6
    for ((one,), _), ((other,), _) in found:
        pair = ((one,), NOISY), ((other,), NOISY)
        assert found[pair][1] == pytest.approx(expected.loc[one, other])


def test_columns_are_corrected_for_together(add_run):
    p = []
    for alpha in (0.3, 0.5):
        values = {loss: dice_of(shift) for loss, shift in SHIFTS.items()}
        for loss, images in values.items():
            add_run(loss, alpha, images=images)
        arrays = [np.array(list(images.values())) for images in values.values()]
        p += [stats.wilcoxon(a - b).pvalue for a, b in itertools.combinations(arrays, 2)]
    found = all_pairs(table_of(add_run), Images(add_run.runs))
    assert [row[0] for row in found.values()] == pytest.approx(p)
    assert [row[1] for row in found.values()] == pytest.approx(multipletests(p, method="holm")[1])


def test_what_cannot_be_told_from_the_best_is_bold_with_it(add_run):
    shifts = {"gce": 0.0, "mae": 0.05, "tloss": 0.1, "ce": 0.0999}
    for loss, shift in shifts.items():
        spread = 0.02 if loss == "ce" else 0
        dice = [base + shift + spread * np.sin(2 * at) for at, base in enumerate(BASE)]
        add_run(loss, 0.3, images={f"image{at:02d}": value for at, value in enumerate(dice)})
    add_run("sce", 0.3, 0.1)  # without images
    table = table_of(add_run)
    with pytest.raises(NoImages):
        compare(table, Images(add_run.runs))
    runs = load_runs(add_run.runs, loss=[*shifts])
    table = compare(make_table(runs, ["dice_image"]), Images(add_run.runs))
    text = render(table, "md")
    bold = {line.split("|")[1].strip() for line in text.splitlines() if "**" in line}
    marked = {line.split("|")[1].strip() for line in text.splitlines()[:6] if "†" in line}
    assert bold | marked == {"GCE", "MAE", "T-Loss", "CE"}
    assert not bold & marked
    assert {"T-Loss", "CE"} == bold
    assert "Bold: the best of its column, and values not distinguishable from it." in text
    former = render(compare(make_table(runs, ["dice_image"]), Images(add_run.runs), "best"), "md")
    assert former.count("**") == 2
    assert "the former rule" in former


def test_the_former_rule_has_no_reference_of_one_s_choice(add_run):
    for loss, shift in SHIFTS.items():
        add_run(loss, 0.3, images=dice_of(shift))
    with pytest.raises(ValueError, match="compares with the best of a column, not with gce"):
        compared(add_run, test="best", against="gce")


def test_marks_and_note_say_what_was_tested(add_run):
    for loss, shift in {"gce": 0.0, "mae": 0.1, "tloss": 0.1001}.items():
        add_run(loss, 0.3, images={name: BASE[at] + shift for at, name in enumerate(dice_of(0))})
    add_run("ce", 0.3, images=dice_of(0.1), collapsed="background")
    text = render(compared(add_run), "md")
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert "†" in lines["GCE"] and "†" not in lines["T-Loss"]
    assert "‡" in lines["CE"] and "‡" not in lines["GCE"]
    note = text.splitlines()[-1]
    assert "†: differs from the best of its column, of these networks (p < 0.05): Wil" in note
    assert "over 30 test images, each averaged over seeds and reported evaluations" in note
    assert "Holm's correction over all 6 pairs of the table's columns" in note
    assert "‡: collapsed" in note and "(1 of 4 cells)" in note


def test_a_single_best_value_is_explained_too(add_run):
    for loss, shift in {"gce": 0.0, "mae": 0.1}.items():
        add_run(loss, 0.3, images={name: BASE[at] + shift for at, name in enumerate(dice_of(0))})
    text = render(compared(add_run), "md")
    assert text.count("**") == 2 and "†" in text
    assert "Bold: the best of its column." in text


def test_a_loss_may_be_the_reference(add_run):
    for loss, shift in SHIFTS.items():
        add_run(loss, 0.3, images=dice_of(shift))
    table = compared(add_run, against="gce")
    assert p_of(table, "gce") is None
    assert {p_of(table, loss).reference for loss in ("mae", "tloss")} == {"gce"}
    text = render(table, "md")
    assert "differs from GCE" in text and "over the table's 2 comparisons" in text
    assert text.count("**") == 2 and "Bold" not in text
    with pytest.raises(ValueError, match="no row has loss='tlos'; did you mean tloss"):
        compared(add_run, against="tlos")


def test_of_several_rows_of_the_reference_the_alike_one_is_taken(add_run):
    for loss, shift in (("dice", 0.0), ("tversky", 0.1)):
        for size in (8, 32):
            add_run(loss, 0.3, images=dice_of(shift), batch_size=size)
    table = compared(add_run, against="dice")
    found = {row: cell.comparison.reference for (row, _), cell in table.cells.items()
             if cell.comparison}  # fmt: skip
    assert found == {("tversky", 8): "dice batch_size=8", ("tversky", 32): "dice batch_size=32"}


def test_domains_compete_at_equal_settings(add_run):
    for size in (8, 32):
        for domain, shift in (("image", 0.0), ("batch", 0.1)):
            add_run("dice", images=dice_of(shift), batch_size=size, domain=domain)
    table = compare(table_of(add_run, versus="domain"), Images(add_run.runs))
    best = {row for (row, _), cell in table.cells.items() if cell.best}
    assert best == {("dice", "batch", 8), ("dice", "batch", 32)}
    assert table.test.family == 2
    with pytest.raises(ValueError, match="do not differ in regularizer; they do in loss, domain"):
        table_of(add_run, versus="regularizer")


def test_unlike_test_images_are_refused(add_run):
    add_run("gce", 0.3, images=dice_of(0))
    add_run("mae", 0.3, images=dice_of(0.1, count=29))
    with pytest.raises(
        UnlikeImages, match=r"run0000. and run0000. .*image29 is in only one of them"
    ):
        compared(add_run)
    # Nor are seeds with other images averaged.
    add_run("mae", 0.3, images=dice_of(0.1), seed=1)
    with pytest.raises(UnlikeImages):
        add_intervals(table_of(add_run), Images(add_run.runs))


def test_an_image_may_be_called_what_pandas_takes_for_missing(add_run):
    images = {"01": 0.2, "NA": 0.3, "None": 0.4, "nan": 0.5, "null": 0.6}
    folder = add_run("gce", images=images)
    ids, values = Images(add_run.runs).mean([folder.run_id], "dice_image")
    assert dict(zip(ids, values, strict=True)) == pytest.approx(images)


def test_subsets_are_not_compared_with_one_another(add_run):
    for subset, count in (("all", 30), ("positive", 10)):
        for loss, shift in (("gce", 0.0), ("mae", 0.1)):
            add_run(loss, 0.3, images=dice_of(shift, count=count), subset=subset)
    table = compared(add_run)
    assert {cell.comparison.n for cell in table.cells.values() if cell.comparison} == {10, 30}
    assert "over 10 to 30 test images" in render(table, "md")


def best_of(table):
    """What cells are compared with, as the note says it."""
    (said,) = (note for note in notes(table, False) if note.startswith("†: differs from "))
    return said.partition(",")[0].removeprefix("†: differs from ")


def test_the_best_of_a_column_is_so_on_the_same_data_only(add_run):
    add_run("gce", 0.3, images=dice_of(0)), add_run("mae", 0.3, images=dice_of(0.1))
    assert best_of(compared(add_run)) == "the best of its column"
    add_run("ce", 0.3, images=dice_of(0.12), subset="positive")  # competes with nothing
    table = compared(add_run)
    assert best_of(table) == "the best of its column on the same data"
    text = render(table, "md", layout="losses")
    assert "differs from the best of its noise setting on the same data, of these" in text
    add_run("gce", 0.3, images=dice_of(0.12), subset="positive")
    assert best_of(compared(add_run)) == "the best of its column on the same data"


def test_the_best_of_each_of_several_folds_is_on_the_same_data(add_run):
    for loss in ("gce", "mae", "ce", "sce"):
        for fold in range(2 if loss in ("gce", "mae") else 1):
            names = {f"{name}{fold}": value for name, value in dice_of(len(loss) / 30).items()}
            settings = {"dataset": {"folds": 2.0, "fold": float(fold)}}
            add_run(loss, 0.3, images=names, settings=settings)
    sources = Sources.of(add_run.runs)
    table = make_table(pool_folds(load_runs(sources), sources), ["dice_image"])
    assert len(table.contests) == 2
    told = compare(table, Images(sources)).test
    assert told.against == "the best of its column on the same data"


def test_missing_and_damaged_images_are_told(add_run):
    add_run("gce", 0.3, images=dice_of(0))
    folder = add_run("mae", 0.3, images=dice_of(0.1))
    folder.images.write_text("epoch,id\n1,a\n")
    with pytest.raises(NoImages, match=r"images\.csv is damaged: .*force=true"):
        compared(add_run)
    folder.images.unlink()
    with pytest.raises(NoImages, match=r"images\.csv is missing"):
        compared(add_run)


def _without_hits(line):
    """A row of epoch, id, tp, fp, fn, tn and Dice, where nothing is found and what is, is wrong."""
    epoch, name, _, *others, _ = line.split(",")
    return ",".join([epoch, name, "0", *others, "0.0\n"])


@pytest.mark.parametrize(
    ("name", "value"), [("jaccard_image", 0.99), ("dice_pooled", 0.99), ("area_ratio", 1.5)]
)
def test_a_number_that_the_counts_do_not_give_is_refused(add_run, name, value):
    folder = add_run("mae", 0.3, images=dice_of(0.1))
    add_run("gce", 0.3, images=dice_of(0))
    write_json(folder.metrics, read_json(folder.metrics) | {name: value})
    told = rf"images\.csv is damaged: {name} is [0-9.]+, in metrics.json {value}; force=true"
    with pytest.raises(NoImages, match=told):
        compared(add_run)


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (lambda lines: lines[:31], "30 rows instead of 30 images × 2 evaluations"),
        (lambda lines: lines[:-1], "59 rows instead of"),
        (lambda lines: [*lines[:-1], lines[-2]], "60 rows instead of"),
        (lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",0\n"], "dice is not that of"),
        (lambda lines: [*lines[:-1], _without_hits(lines[-1])], "dice_image is 0.[0-9]+, in metr"),
    ],
    ids=["an evaluation", "a row", "a row twice", "a number", "a count"],
)
def test_images_that_are_not_those_of_the_final_numbers_are_refused(add_run, cut, told):
    folder = add_run("mae", 0.3, images=dice_of(0.1))
    add_run("gce", 0.3, images=dice_of(0))
    compared(add_run)  # what was computed before is not remembered
    folder.images.write_text("".join(cut(folder.images.read_text().splitlines(keepends=True))))
    with pytest.raises(NoImages, match=rf"images\.csv is damaged: {told}.*force=true"):
        compared(add_run)


def test_a_metric_that_is_no_mean_over_images_is_not_tested(add_run):
    for loss, shift in SHIFTS.items():
        add_run(loss, 0.3, images=dice_of(shift))
    table = compare(table_of(add_run, "dice_image", "dice_pooled"), Images(add_run.runs))
    tested = {column.metric for (_, column), cell in table.cells.items() if cell.comparison}
    assert tested == {"dice_image"}
    assert "Not tested, because it is not a mean over images: dice_pooled." in render(table, "md")


def test_values_of_images_have_the_run_s_numbers_as_means(add_run):
    """What the program derives from the same rows, through other code."""
    rows = []
    for epoch, number in itertools.product((1, 2), range(20)):
        tp, fp, fn, tn = map(int, RNG.integers(0, 20, 4) * RNG.integers(0, 2, 4))
        # An image has foreground in every evaluation or in none; the first is ignored altogether.
        tp, fn = (tp, fn + 5) if number % 2 else (0, 0)
        fp, tn = (fp, tn + 5) if number else (0, 0)
        scores = {"hd95": RNG.uniform(), "dice": dice(tp, fp, fn), "jaccard": jaccard(tp, fp, fn)}
        counts = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
        missed, lost = int(RNG.integers(0, tp + 1)), int(RNG.integers(0, fp + 1))
        moved = {"tp": tp - missed, "fp": fp - lost, "fn": fn + missed, "tn": tn + lost}
        tuned = {f"{name}_tuned": count for name, count in moved.items()}
        rows.append({"epoch": epoch, "id": f"{number:03d}", **counts, **scores, **tuned})
    folder = add_run("gce", images=dice_of(0))
    write_csv(folder.images, rows)
    expected = summarise_last({key: np.array([row[key] for row in rows]) for key in rows[0]}, 2)
    side = read_json(folder.metrics)["run"]["image_size"]
    for name in ("hd95", "hd95_pos"):  # computed where it is asked for
        expected[name.replace("hd95", "hd95_pixels")] = expected[name] * side * 2**0.5
    moved = {name: np.array([row[f"{name}_tuned"] for row in rows]) for name in COUNTS}
    tuned = summarise_last({"epoch": np.array([row["epoch"] for row in rows]), **moved}, 2)
    expected |= {f"{name}_tuned": value for name, value in tuned.items()}
    names = ("dice_image", "dice_image_tuned", "dice_pooled")
    own = {"test_images": 20, **{name: expected[name] for name in names}}
    write_json(folder.metrics, read_json(folder.metrics) | own)
    images = Images(add_run.runs)
    for metric in PER_IMAGE:
        ids, values = images.mean([folder.run_id], metric)
        chosen = "_pos" in metric or metric == "balanced_accuracy_image"
        assert len(ids) == (10 if chosen else 19)
        assert values.mean() == pytest.approx(expected[metric])


def test_seeds_are_paired_with_six_or_more(add_run):
    values = {"gce": RNG.uniform(0.6, 0.7, 6), "mae": RNG.uniform(0.7, 0.8, 6)}
    for loss in values:
        for seed in range(5):
            add_run(loss, 0.3, values[loss][seed], seed=seed)
    with pytest.raises(ValueError, match=r"the same 6 seeds or more.*gce has seeds 0, 1, 2, 3, 4"):
        compared(add_run, test="seeds")
    for loss in values:
        add_run(loss, 0.3, values[loss][5], seed=5)
    table = compared(add_run, test="seeds")
    assert p_of(table, "gce").p == pytest.approx(2 / 2**6)  # all six differ in one direction
    assert "of methods (p < 0.05): Wilcoxon's signed-rank test over 6 seeds" in render(table, "md")
    add_run("mae", 0.3, 0.7, seed=5)
    with pytest.raises(ValueError, match="each once"):
        compared(add_run, test="seeds")


def test_seeds_too_few_for_any_difference_to_be_significant_are_refused(add_run):
    """Of six seeds that all differ in one direction p is 2/2⁶, times 3 pairs .094."""

    def add(seed):
        for at, loss in enumerate(("gce", "mae", "tloss")):
            add_run(loss, 0.3, 0.6 + at / 10 + seed / 1000, seed=seed)

    for seed in range(6):
        add(seed)
    for against, pairs, needed in ((None, 3, 7), ("tloss", 2, 7)):
        with pytest.raises(
            ValueError, match=f"no difference of {pairs} pairs.*needs {needed} seed"
        ):
            compared(add_run, test="seeds", against=against)
    add(6)
    for against in (None, "tloss"):
        table = compared(add_run, test="seeds", against=against)
        assert p_of(table, "gce").significant and p_of(table, "mae").significant


def test_draws_of_wrong_masks_are_averaged_and_are_no_seeds(add_run):
    rng = np.random.default_rng(1)
    values = {"gce": rng.uniform(0.6, 0.7, (6, 2)), "mae": rng.uniform(0.63, 0.73, (6, 2))}
    for loss, of in values.items():
        for seed, draw in np.ndindex(3, 2):
            add_run(loss, 0.3, of[seed, draw], seed=seed, noise_seed=draw)
    with pytest.raises(ValueError, match="the same 6 seeds"):
        compared(add_run, test="seeds")
    for loss, of in values.items():
        for seed, draw in np.ndindex(3, 2):
            add_run(loss, 0.3, of[3 + seed, draw], seed=3 + seed, noise_seed=draw)
    means = {loss: of.mean(axis=1) for loss, of in values.items()}
    table = compared(add_run, test="seeds")
    assert p_of(table, "gce").n == 6
    assert p_of(table, "gce").p == pytest.approx(stats.wilcoxon(*means.values()).pvalue)
    table = compared(add_run, test="tukey")
    assert p_of(table, "gce").p == pytest.approx(stats.tukey_hsd(*means.values()).pvalue[0, 1])
    for loss in values:
        add_run(loss, 0.3, 0.7, seed=6, noise_seed=0)
    with pytest.raises(ValueError, match=r"noise\.seed varies with some seeds only"):
        compared(add_run, test="seeds")


def test_the_paper_s_procedure(add_run):
    values = {"gce": [0.70, 0.71, 0.72], "mae": [0.72, 0.73, 0.71], "tloss": [0.80, 0.81, 0.79]}
    for loss, numbers in values.items():
        for seed, number in enumerate(numbers):
            add_run(loss, 0.3, number, seed=seed)
    table = compared(add_run, test="tukey")
    tukey = stats.tukey_hsd(*values.values()).pvalue
    anova = stats.f_oneway(*values.values()).pvalue
    assert p_of(table, "gce").p == pytest.approx(tukey[0, 2])
    assert p_of(table, "mae").p_corrected == pytest.approx(max(tukey[1, 2], anova))
    assert "the T-Loss paper's procedure: analysis of variance, then Tukey's" in render(table, "md")
    assert "which corrects within a column only" in render(table, "md")
    assert "which corrects within a noise setting only" in render(table, "md", layout="losses")
    add_run("ce", 0.3, 0.7)
    with pytest.raises(ValueError, match="two seeds or more per cell, and ce has one"):
        compared(add_run, test="tukey")


def test_intervals_are_of_images_however_many_seeds_repeat_them(add_run):
    images = dice_of(0)
    for seed in range(3):
        add_run("gce", 0.3, images=images, seed=seed)
    add_run("mae", 0.3, images=images)
    cells = add_intervals(table_of(add_run), Images(add_run.runs)).cells
    many, one = cells[("gce",), NOISY].interval, cells[("mae",), NOISY].interval
    assert many == pytest.approx(one)
    mean, half = np.mean(list(images.values())), 1.96 * np.std(list(images.values())) / 30**0.5
    assert one == pytest.approx([mean - half, mean + half], abs=half / 5)
    table = add_intervals(table_of(add_run), Images(add_run.runs))
    assert f"{{{one[0]:.3f}, {one[1]:.3f}}}" in render(table, "md", intervals=True)
    assert "95% bootstrap interval" in render(table, "md", intervals=True)
    assert "bootstrap" not in render(table, "md")
    assert records(table)[0]["low"] == many[0]
