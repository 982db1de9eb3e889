"""Figures show what is in the run folders."""

import errno
import math
import shutil
import sys
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.lines import Line2D

from robustseg.cli.main import main
from robustseg.finished.threshold_masks import threshold_masks
from robustseg.records import pack
from robustseg.results.figures.dice_against_alpha import dice_against_alpha
from robustseg.results.figures.distributions import image_dice
from robustseg.results.figures.domain import domain_against_batch_size
from robustseg.results.figures.figure_specs import FIGURES, allowed, drawn
from robustseg.results.figures.lines import line_names
from robustseg.results.figures.memorisation import (
    expected_floor,
    memorisation,
    memorisation_by_type,
)
from robustseg.results.figures.nu import nu
from robustseg.results.figures.panels import disagreement, examples
from robustseg.results.figures.stopping_points import selection
from robustseg.results.figures.style import loss_styles, resize, styles
from robustseg.results.figures.thresholds import thresholds
from robustseg.results.load import load_runs
from robustseg.results.names import LOSSES
from robustseg.runs.files import write_csv
from tests.conftest import without_checksums

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture(scope="module")
def runs(trained):
    return line_names(load_runs(trained))


def named(runs, loss):
    (run_id,) = runs[(runs.loss == loss) & (runs.alpha == 0.5)].run_id
    return run_id


def lines(axis, style):
    return [
        line for line in axis.get_lines() if line.get_linestyle() == style and len(line.get_xdata())
    ]


def titles(figure):
    return [axis.get_title() for axis in figure.get_axes()]


def test_memorisation_shows_the_columns_of_epochs_csv(runs, trained):
    (axis,) = memorisation(runs, trained).get_axes()
    assert axis.get_title() == "α = 0.5, β = 0.7"
    epochs = pd.read_csv(trained / named(runs, "gce") / "epochs.csv")
    assert lines(axis, "--")[0].get_ydata() == pytest.approx(epochs["train_dice_noisy"])
    assert lines(axis, "-")[0].get_ydata() == pytest.approx(epochs["train_dice_clean"])
    learnt = pd.read_csv(trained / named(runs, "gce") / "noise.csv")["dice"].mean()
    assert lines(axis, ":")[0].get_ydata() == pytest.approx([learnt, learnt])


def test_more_losses_than_a_panel_has_room_for_have_one_each(runs, trained, monkeypatch):
    module = sys.modules["robustseg.results.figures.lines"]
    monkeypatch.setattr(module, "_TOGETHER", 1)
    figure = memorisation(runs, trained)
    assert figure.get_suptitle() == "α = 0.5, β = 0.7"
    axes = dict(zip(titles(figure), figure.get_axes(), strict=True))
    assert axes.keys() == set(runs[runs.alpha == 0.5].line) and len(axes) > 1
    epochs = pd.read_csv(trained / named(runs, "gce") / "epochs.csv")
    (given,) = lines(axes["GCE"], "--")
    assert given.get_ydata() == pytest.approx(epochs["train_dice_noisy"])
    (key,) = figure.legends
    assert "GCE" not in [text.get_text() for text in key.get_texts()]


def test_memorisation_by_type_has_both_floors(runs, trained):
    figure = memorisation_by_type(runs, trained)
    manifest = pd.read_csv(trained / named(runs, "gce") / "noise.csv")
    epochs = pd.read_csv(trained / named(runs, "gce") / "epochs.csv")
    kinds = sorted(set(manifest["type"]) - {"clean"})
    assert titles(figure) == [f"α = 0.5, β = 0.7: {kind}" for kind in kinds]
    for kind, axis in zip(kinds, figure.get_axes(), strict=True):
        own = manifest[manifest["type"] == kind]["dice"].mean()
        assert lines(axis, ":")[0].get_ydata()[0] == pytest.approx(own)
        assert lines(axis, "-.")[0].get_ydata()[0] == expected_floor(kind, 0.7)
        drawn = lines(axis, "--")[0].get_ydata()
        assert drawn == pytest.approx(epochs[f"train_dice_noisy/{kind}"])


@pytest.mark.parametrize("name", ["classes_chest", "tloss_why", "tloss_area"])
def test_no_panel_by_type_is_empty(name):
    record = EXPERIMENTS / name / "record"
    noise = {"noise": "annotator"} if name == "tloss_area" else {}
    figure = memorisation_by_type(line_names(load_runs(record, experiment=name, **noise)), record)
    shown = [axis for axis in figure.get_axes() if axis.axison]
    assert len(shown) > 1
    for axis in shown:
        assert any(len(line.get_xdata()) > 2 for line in axis.get_lines())
    several = [axis for axis in shown if axis.get_title().endswith(": several")]
    assert bool(several) == (name == "classes_chest")
    dashes = {line.get_linestyle() for axis in shown for line in axis.get_lines()
              if len(line.get_xdata()) == 2}  # fmt: skip
    rows = {axis.get_subplotspec().rowspan.start for axis in shown}
    columns = {axis.get_subplotspec().colspan.start for axis in shown}
    labelled = [axis.get_subplotspec().rowspan.start for axis in shown if axis.get_ylabel()]
    assert sorted(labelled) == sorted(rows)  # a row of panels has one label, and so has a column
    labelled = [axis.get_subplotspec().colspan.start for axis in shown if axis.get_xlabel()]
    assert sorted(labelled) == sorted(columns)
    FigureCanvasAgg(figure).draw()
    for axis in shown:
        ticks = [any(label.get_visible() and label.get_text() for label in of.get_ticklabels())
                 for of in (axis.xaxis, axis.yaxis)]  # fmt: skip
        assert ticks == [bool(axis.get_xlabel()), bool(axis.get_ylabel())]
    words = {text.get_text() for text in figure.legends[0].get_texts()}
    assert ("expected if memorised" in words) == ("-." in dashes)
    assert ("given masks' own Dice" in words) == (":" in dashes) == (not several)


@pytest.mark.parametrize(("kind", "dice"), [("dilate", 0.741), ("erode", 0.462), ("affine", 0.650)])
def test_expected_floors_are_the_dice_of_such_masks(kind, dice):
    """At β = 0.7: the values that are known, and those of drawn masks of that error."""
    assert expected_floor(kind, 0.7) == pytest.approx(dice, abs=5e-4)
    clean = np.zeros((1, 4000), bool)
    clean[0, 1000:2000] = True
    masks = {"dilate": clean.copy(), "erode": clean.copy(), "affine": np.roll(clean, 350)}
    masks["dilate"][0, 2000:2700] = True
    masks["erode"][0, 1300:] = False
    given = masks[kind]
    assert (given ^ clean).sum() == 700
    drawn = 2 * (given & clean).sum() / (given.sum() + clean.sum())
    assert expected_floor(kind, 0.7) == pytest.approx(drawn)


def test_other_noise_has_no_expected_floor():
    assert expected_floor("markov", 0.7) is None
    assert expected_floor("erode", 1.5) == 0


def test_nu_starts_where_the_loss_starts_it(runs, trained):
    figure = nu(runs, trained)
    (axis,) = figure.get_axes()
    assert [line.get_label() for line in axis.get_lines()] == ["clean masks", "α = 0.5, β = 0.7"]
    epochs = pd.read_csv(trained / named(runs, "tloss") / "epochs.csv")
    line = axis.get_lines()[1]
    assert list(line.get_xdata()) == [0, 1, 2]
    assert line.get_ydata() == pytest.approx([math.exp(0.0), *epochs["nu"]])


@pytest.fixture
def recorded(add_run):
    """Two seeds of a loss, evaluated three times, of which two are reported, at three thresholds.

    Their numbers are one apart in the second decimal, so that a mean is known by its third.
    """
    for seed in (0, 1):
        own = {"dice_image_oracle": 0.9, "dice_image_tuned": 0.8 + 0.01 * seed}
        own |= {"dice_image": 0.6, "threshold": 0.2 + 0.1 * seed, "train_changed": 0.1}
        folder = add_run("gce", 0.5, own | {"evaluations": 2}, seed=seed)
        rows = [
            {"epoch": epoch, "threshold": threshold, "test_dice_image": epoch / 10 + threshold / 2
             + 0.01 * seed, "heldout_dice_noisy": threshold / 2 + 0.01 * seed}
            for epoch in (1, 2, 3) for threshold in (0.25, 0.5, 0.75)
        ]  # fmt: skip
        write_csv(folder.thresholds, rows)
        evaluations = [
            {"epoch": epoch, "test_dice_image": test, "heldout_dice_noisy": 0.5 - epoch / 10}
            for epoch, test in ((1, 0.7), (2, 0.8 + 0.1 * seed), (3, 0.5))
        ]
        write_csv(folder.epochs, evaluations)
    add_run("former", 0.5)
    return line_names(load_runs(add_run.runs)), add_run.runs


def test_thresholds_are_those_of_the_reported_evaluations(recorded):
    (axis,) = thresholds(*recorded).get_axes()
    (test,), (noisy,), (mark,) = (lines(axis, style) for style in ("-", "--", "None"))
    assert list(test.get_xdata()) == [0.25, 0.5, 0.75]
    assert test.get_ydata() == pytest.approx([0.38, 0.505, 0.63])
    assert noisy.get_ydata() == pytest.approx([0.13, 0.255, 0.38])
    assert (*mark.get_xdata(), *mark.get_ydata()) == pytest.approx((0.25, 0.805))
    assert [line.get_xdata()[0] for line in lines(axis, ":")] == [0.5]
    assert [text for text in axis.get_legend_handles_labels()[1] if text == "former"] == []


def test_more_losses_than_a_panel_has_room_for_have_panels_of_their_own(add_run):
    for loss in ("tloss", "gce", "mae", "ce", "rce", "sce", "dice"):
        for beta in (0.5, 0.7):
            own = {"dice_image": 0.8, "dice_image_oracle": 0.9, "evaluations": 1}
            folder = add_run(loss, 0.7, own, beta=beta)
            rows = [{"epoch": 1, "threshold": 0.5, "test_dice_image": beta}]
            write_csv(folder.thresholds, rows)
    figure = thresholds(line_names(load_runs(add_run.runs)), add_run.runs)
    titles = [axis.get_title() for axis in figure.axes]
    assert sorted(filter(None, titles)) == sorted(
        ["T-Loss", "GCE", "MAE", "CE", "RCE", "SCE", "Dice"]
    )
    for axis in figure.axes[:7]:
        assert lines(axis, "-")[0].get_ydata() == pytest.approx([0.7])  # the worst masks
    assert figure.get_suptitle() == "α = 0.7, β = 0.7"
    folder = add_run("focal", 0.3, own, beta=0.5)
    write_csv(folder.thresholds, rows)
    figure = thresholds(line_names(load_runs(add_run.runs)), add_run.runs)
    assert figure.get_suptitle() == "α = 0.7, β = 0.7; no run there of Focal"


def test_selection_shows_what_rules_pick_and_the_best(recorded):
    (axis,) = selection(*recorded).get_axes()
    marks = {line.get_label(): line.get_xdata()[0] for line in lines(axis, "None")}
    assert marks["last"] == pytest.approx((0.8 + 0.9 + 2 * 0.5) / 4)
    assert marks["noisy-val"] == pytest.approx(0.7)
    assert marks.keys() == {"last", "noisy-val"}  # these have not recorded label-wave's share
    (key,) = selection(*recorded).legends
    assert "label-wave" not in [text.get_text() for text in key.get_texts()]
    (bar,) = lines(axis, "-")
    assert bar.get_xdata() == pytest.approx([0.675, 0.85])
    assert [text.get_text() for text in axis.get_yticklabels()] == ["GCE"]


def test_records_give_the_same_curves(runs, trained, tmp_path):
    pack(None, [trained], tmp_path / "record")
    for draw in (thresholds, selection):
        drawn_of = [
            [line.get_ydata() for line in draw(runs, source).get_axes()[0].get_lines()]
            for source in (trained, tmp_path / "record")
        ]
        assert any(map(len, drawn_of[0]))
        for one, other in zip(*drawn_of, strict=True):
            assert np.array_equal(np.asarray(one, float), np.asarray(other, float), equal_nan=True)


def test_dice_against_alpha_has_a_panel_a_strength_and_a_band_over_seeds(add_run):
    for seed, value in enumerate([0.7, 0.8]):
        add_run("gce", 0.3, value, seed=seed)
        add_run("gce", 0.3, value - 0.3, seed=seed, beta=0.7)
        add_run("gce", 0.0, value + 0.1, seed=seed)
    runs = line_names(load_runs(add_run.runs))
    figure = dice_against_alpha(runs, add_run.runs)
    assert titles(figure) == ["β = 0.5", "β = 0.7"]
    for axis, low in zip(figure.get_axes(), (0.7, 0.4), strict=True):
        (line,) = axis.get_lines()
        assert list(line.get_xdata()) == [0.0, 0.3]
        assert line.get_ydata() == pytest.approx([0.85, low + 0.05])
        (band,) = axis.collections
        edges = band.get_paths()[0].vertices
        assert sorted(set(edges[edges[:, 0] == 0.3, 1].round(6))) == pytest.approx([low, low + 0.1])


def test_a_line_breaks_where_a_loss_has_no_run(add_run):
    for alpha in (0.0, 0.3, 0.7):
        add_run("gce", alpha, 0.8 - alpha / 2)
    for alpha in (0.0, 0.7):
        add_run("mae", alpha, 0.9 - alpha / 2)
    runs = line_names(load_runs(add_run.runs))
    (axis,) = dice_against_alpha(runs, add_run.runs).get_axes()
    drawn = {line.get_label(): line.get_ydata() for line in axis.get_lines()}
    assert drawn["GCE"] == pytest.approx([0.8, 0.65, 0.45])
    assert drawn["MAE"] == pytest.approx([0.9, math.nan, 0.55], nan_ok=True)


def test_masks_of_other_settings_of_a_noise_model_have_panels_of_their_own(add_run):
    for panel, value in ((["over"], 0.7), (["under"], 0.4)):
        noise = {"name": "annotator", "alpha": 0.3, "model": {"panel": panel}}
        add_run("gce", 0.3, value, noise="annotator", settings={"noise": noise})
    add_run("gce", 0.0, 0.9)
    runs = line_names(load_runs(add_run.runs))
    assert set(runs.line) == {"GCE"}
    figure = dice_against_alpha(runs, add_run.runs)
    assert titles(figure) == ["β = 0.5, over", "β = 0.5, under"]
    for axis, value in zip(figure.get_axes(), (0.7, 0.4), strict=True):
        (line,) = axis.get_lines()
        assert line.get_ydata() == pytest.approx([0.9, value])


def test_domain_against_batch_size(add_run):
    for size in (2, 16):
        for domain, value in (("image", 0.6), ("batch", 0.01 * size)):
            for seed in (0, 1):
                add_run("dice", 0.0, value + 0.1 * seed, domain=domain, batch_size=size, seed=seed)
    add_run("gce")
    runs = line_names(load_runs(add_run.runs))
    (axis,) = domain_against_batch_size(runs, add_run.runs).get_axes()
    drawn = {bars.get_label(): bars.lines[0].get_ydata() for bars in axis.containers}
    assert drawn["Dice image"] == pytest.approx([0.65, 0.65])
    assert drawn["Dice batch"] == pytest.approx([0.07, 0.21])


def test_marks_of_many_losses_stay_nearest_to_their_batch_size(add_run):
    for loss in ("dice", "dice_ce", "tversky", "jaccard", "lovasz", "focal", "ce", "mine", "own"):
        for domain in ("image", "batch"):
            for size in (8, 16, 32):
                add_run(loss, domain=domain, batch_size=size)
    figure = domain_against_batch_size(line_names(load_runs(add_run.runs)), add_run.runs)
    places = [bars.lines[0].get_xdata() for bars in figure.axes[0].containers]
    assert len(places) == 18
    for place, size in zip(np.transpose(places), (8, 16, 32), strict=True):
        assert (np.abs(np.log2(np.array(place, float) / size)) < 0.5).all()
        assert len(set(place)) == 18


COUNTS = {"tp": 40, "fp": 10, "fn": 10, "tn": 40}


def test_another_width_keeps_the_marks_of_error_bars(add_run):
    for domain in ("image", "batch"):
        for size in (8, 16):
            for seed in (0, 1):
                add_run("dice", 0.0, 0.5, domain=domain, batch_size=size, seed=seed)
    figure = domain_against_batch_size(line_names(load_runs(add_run.runs)), add_run.runs)

    def shown():
        return {(key.get_marker(), key.get_color()) for key in figure.legends[0].findobj(Line2D)}

    handles, _ = figure.axes[0].get_legend_handles_labels()
    marks = {(bars.lines[0].get_marker(), bars.lines[0].get_color()) for bars in handles}
    assert len(marks) == 2 and marks <= shown()
    resize(figure, 3.5)
    assert marks <= shown()


@pytest.mark.parametrize("length", range(1, 30, 4))
def test_titles_of_narrow_panels_do_not_run_into_one_another(add_run, length):
    for loss in ("tloss", "gce", "mae", "ce", "rce", "sce", "dice"):
        folder = add_run(
            loss, 0.7, {"dice_image": 0.8, "dice_image_oracle": 0.9, "evaluations": 1},
            settings={"optimizer": {"learning_rate": len(loss) / 10}}, model=loss + length * "m",
        )  # fmt: skip
        write_csv(folder.thresholds, [{"epoch": 1, "threshold": 0.5, "test_dice_image": 0.5}])
    figure = thresholds(line_names(load_runs(add_run.runs)), add_run.runs)
    resize(figure, 3.5)
    FigureCanvasAgg(figure).draw()
    panels = [axis.title.get_window_extent() for axis in figure.axes if axis.get_title()]
    assert len(panels) == 7
    assert not any(one.overlaps(other) for one, other in combinations(panels, 2))


def test_image_dice_shows_each_image_once_a_run(add_run):
    folder = add_run("gce")
    rows = [
        {"epoch": epoch, "id": name, **COUNTS, "dice": at / 10 + epoch / 100}
        for epoch in (1, 3)
        for at, name in enumerate(["00", "01", "NA", "nan", "null"])
    ]
    ignored = dict.fromkeys(COUNTS, 0)  # an image without a pixel that counts
    rows += [{"epoch": epoch, "id": "02", **ignored, "dice": 1.0} for epoch in (1, 3)]
    write_csv(folder.images, rows)
    figure = image_dice(line_names(load_runs(add_run.runs)), add_run.runs)
    (axis,) = figure.get_axes()
    dots = next(found for found in axis.collections if len(found.get_offsets()) == 5)
    assert sorted(dots.get_offsets()[:, 0]) == pytest.approx([0.02, 0.12, 0.22, 0.32, 0.42])


def test_examples_are_of_the_hardest_setting_and_the_same_in_each_row(runs, trained):
    figure = examples(runs, trained)
    assert figure._suptitle.get_text() == "α = 0.5, β = 0.7"
    rows = np.reshape(figure.get_axes(), (2, 7))
    with np.load(trained / named(runs, "gce") / "examples.npz") as file:
        fixed = float(file["dice"][list(file["role"]).index("fixed")])
    assert rows[0, 0].get_title() == f"test\nDice {fixed:.2f}"
    for first, second in rows.T:
        assert [len(first.images), len(second.images)] in ([0, 0], [1, 1])
        if first.images:
            assert np.array_equal(first.images[0].get_array(), second.images[0].get_array())
    assert [text.get_text() for text in (rows[0, 0].texts[0], rows[1, 0].texts[0])] == [
        "GCE", "T-Loss",
    ]  # fmt: skip


def test_disagreement_begins_with_the_image_that_fits_its_mask_least(runs, trained):
    figure = disagreement(runs, trained)
    with np.load(trained / named(runs, "gce") / "examples.npz") as file:
        noisy, predicted = file["noisy"] == 1, file["predicted"] == 1
        training = np.array([role.startswith("train") for role in file["role"]])
    both = 2 * (noisy & predicted).sum((1, 2))
    dice = both / np.maximum(noisy.sum((1, 2)) + predicted.sum((1, 2)), 1)
    shown = [title for title in titles(figure)[:4] if title]
    least = sorted(dice[training])[: len(shown)]
    assert [title.splitlines()[:2] for title in shown] == [
        ["training", f"given {d:.2f}"] for d in least
    ]


def test_a_run_keeps_the_training_images_that_it_has_learnt_least(runs, trained):
    path = trained / named(runs, "tloss") / "examples.npz"
    with np.load(path) as file:
        roles = list(file["role"])
    manifest = pd.read_csv(trained / named(runs, "tloss") / "noise.csv")
    noisy = int((manifest["type"] != "clean").sum())
    assert roles.count("train") == 2
    assert roles.count("train_disagreed") == min(3, noisy - 2)
    assert path.stat().st_size < 2_000_000


def test_what_runs_do_not_have_is_not_drawn(add_run):
    add_run("gce")
    runs = line_names(load_runs(add_run.runs))
    assert [spec.name for spec in FIGURES if spec.draw(runs, add_run.runs)] == []


def test_a_loss_has_one_colour_in_every_figure():
    whole = loss_styles({name: name for name in LOSSES})
    assert len({(style.color, style.marker) for style in whole.values()}) == len(LOSSES)
    some = loss_styles({"MAE a": "mae", "MAE b": "mae", "T-Loss": "tloss"})
    assert some["MAE a"].color == whole["mae"].color
    assert some["MAE a"].marker != some["MAE b"].marker
    assert some["T-Loss"].color == whole["tloss"].color
    shades = loss_styles({"T-Loss": "tloss"} | {f"MAE {name}": "mae" for name in "abcd"})
    tones = [rgb_to_hsv(to_rgb(shades[f"MAE {name}"].color)) for name in "abcd"]
    assert np.ptp([hue for hue, _, _ in tones]) < 0.01  # one colour, lighter and lighter
    assert np.all(np.diff([saturation for _, saturation, _ in tones]) < -0.1)
    variants = loss_styles({"a": "mae", "b": "mae"})  # of one loss, colours tell them apart
    assert variants["a"].color != variants["b"].color


def test_a_legend_and_the_names_of_rows_have_room_however_long_they_are(trained, runs):
    for draw in (dice_against_alpha, thresholds, memorisation, examples):
        long = runs.assign(line=runs["line"] + " augmentation=flips_gamma_and_more regularizer=x")
        for width in (None, 3.5):
            figure = draw(long, trained)
            if width:
                resize(figure, width)
            figure.draw_without_rendering()
            renderer = FigureCanvasAgg(figure).get_renderer()
            (key,) = figure.legends
            box, page = key.get_window_extent(renderer), figure.bbox
            assert page.x0 <= box.x0 and box.x1 <= page.x1
            if width:  # letters are not made too small to read
                continue
            names = [text for axis in figure.axes for text in axis.texts if text.get_rotation()]
            spans = [text.get_window_extent(renderer) for text in names]
            for above, below in pairwise(spans):
                assert below.y1 <= above.y0 + 1


def test_a_legend_lists_lines_in_the_order_of_the_table_and_only_what_is_drawn(trained, runs):
    figure = thresholds(runs, trained)
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    lines = list(dict.fromkeys(runs["line"]))
    assert told == [*lines, "test images, clean masks", "½"]  # no image is held out


def test_settings_are_named_as_their_overrides(add_run):
    def settings(name, values):
        source = {"positive_values": values}
        return {"augmentation": {"name": name}, "dataset": {"source": source}}

    add_run("dice_ce", settings=settings("none", [0.0]))
    add_run("dice_ce", settings=settings("none", [0.0, 255.0]))
    add_run("dice_ce", settings=settings("flips_gamma", [0.0]))
    add_run("$x^2$ [/red]", settings=settings("none", [0.0]))
    lines = list(line_names(load_runs(add_run.runs))["line"])
    assert lines == [
        "\\$x^2\\$ [/red] augmentation=none positive_values=0",
        "Dice + CE augmentation=flips_gamma positive_values=0",
        "Dice + CE augmentation=none positive_values=0",
        "Dice + CE augmentation=none positive_values=0, 255",
    ]


def test_lines_come_in_the_order_of_the_table(add_run):
    for loss in ("tloss", "sce", "gce", "mine"):
        add_run(loss, dataset="isic2017")
    runs = line_names(load_runs(add_run.runs))
    assert list(runs["line"]) == ["GCE", "SCE", "T-Loss", "mine"]  # as published, others behind


def test_lines_come_in_the_order_that_is_asked_for(add_run):
    for loss in ("tloss", "sce", "gce", "mine"):
        for size in (8, 16):
            add_run(loss, dataset="isic2017", domain="image", batch_size=size)
    asked = ["mine", "tloss"]
    runs = line_names(load_runs(add_run.runs), asked)
    assert list(runs["loss"].unique()) == ["mine", "tloss", "gce", "sce"]
    axis = domain_against_batch_size(runs, add_run.runs).get_axes()[0]
    _, labels = axis.get_legend_handles_labels()
    assert [label.split()[0] for label in labels] == ["mine", "T-Loss", "GCE", "SCE"]


def test_figures_are_told_the_order_of_losses(trained, tmp_path, monkeypatch):
    seen = []

    def noted(runs, source, *_):
        seen.append(list(runs["loss"].unique()))
        return [], []

    monkeypatch.setattr("robustseg.results.figures.figure_specs.drawn", noted)
    words = ["--runs", str(trained), "--out", str(tmp_path), "--images", "none"]
    for losses in (["tloss", "gce"], ["gce", "tloss"]):
        assert main(["figures", "mine", "--loss", *losses, *words]) == 1  # nothing is drawn
        assert main(["results", "mine", "--loss", *losses, *words]) == 0
    assert seen == [["tloss", "gce"]] * 2 + [["gce", "tloss"]] * 2


@pytest.mark.parametrize(("name", "width"), [("single", 3.5), ("double", 7.2)])
def test_figures_have_the_format_and_width_asked_for(trained, tmp_path, name, width):
    from PIL import Image

    words = ["--images", "none", "--format", "pdf", "png", "--width", name]
    assert main(["figures", "mine", "--runs", str(trained), "--out", str(tmp_path), *words]) == 0
    files = list((tmp_path / "mine").iterdir())
    assert {file.suffix for file in files} == {".pdf", ".png"}
    nu_file = (tmp_path / "mine" / "nu.pdf").read_bytes()
    assert nu_file.startswith(b"%PDF") and b"/Subject" in nu_file
    for file in files:
        if file.suffix == ".png":
            (spec,) = (spec for spec in FIGURES if spec.name == file.stem)
            with Image.open(file) as picture:
                assert picture.width == pytest.approx(300 * width, abs=1)
                assert picture.info["Title"] == spec.title
                assert picture.info["Description"] == spec.caption


def test_nu_s_ticks_are_plain_numbers(runs, trained):
    figure = nu(runs, trained)
    figure.draw_without_rendering()
    (axis,) = figure.get_axes()
    told = [text.get_text() for text in axis.get_yticklabels(which="both") if text.get_text()]
    assert told
    for text in told:
        float(text)
    epochs = [text.get_text().replace("−", "-") for text in axis.get_xticklabels()]
    assert epochs and all(float(text).is_integer() for text in epochs)


def test_looks_differ():
    found = styles(f"loss{at}" for at in range(40))
    assert len({(style.color, style.marker) for style in found.values()}) == 40


def test_masks_by_threshold_are_those_that_training_kept(runs, trained):
    """At ½ they are the predictions in examples.npz; a lower threshold only adds pixels."""
    figure = threshold_masks(runs, trained)
    rows = np.reshape(figure.get_axes(), (-1, 6))
    with np.load(trained / named(runs, "tloss") / "examples.npz") as file:
        fixed = np.flatnonzero(file["role"] == "fixed")
        kept = {name: file[name][fixed] for name in ("image", "clean", "predicted", "id")}
    assert len(rows) == 2 * len(fixed)  # of two losses; the T-Loss comes second
    for at in range(len(fixed)):
        image, mask, probability, *masks = (
            np.asarray(cell.images[0].get_array()) for cell in rows[2 * at + 1]
        )
        assert np.array_equal(image, np.squeeze(kept["image"][at]))
        assert np.array_equal(mask, kept["clean"][at] == 1)
        assert np.array_equal(masks[1], kept["predicted"][at] == 1)
        assert ((masks[0] >= masks[1]) & (masks[1] >= masks[2])).all()
        assert ((probability >= 0) & (probability <= 1)).all()
        assert rows[2 * at + 1, 0].get_title().replace("\n", "") == kept["id"][at]
        both = 2 * (masks[2] & mask).sum() / max(1, masks[2].sum() + mask.sum())
        assert rows[2 * at + 1, 5].get_title() == f"> 0.75\nDice {both:.2f}"


def test_a_run_that_lost_a_file_is_left_out_and_said(trained, tmp_path, capsys):
    copy = shutil.copytree(trained, tmp_path / "runs")
    (copy / named(line_names(load_runs(copy)), "tloss") / "epochs.csv").unlink()
    assert main(["figures", "mine", "--runs", str(copy), "--out", str(tmp_path)]) == 0
    assert f"Left out of {copy}: 1 " in capsys.readouterr().err


def test_a_run_whose_weights_are_damaged_is_left_out_of_the_masks(damaged, tmp_path, capsys):
    weights = damaged / "checkpoints" / "weights.pt"
    weights.write_bytes(b"garbage")
    assert main(["figures", "mine", "--runs", str(damaged.parent), "--out", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{weights}: ")
    assert line.endswith("left out of threshold_masks.")
    assert (tmp_path / "mine" / "threshold_masks.png").exists()  # of the other loss


def test_the_command_writes_png_and_svg(runs, trained, tmp_path, capsys):
    assert main(["figures", "mine", "--runs", str(trained), "--out", str(tmp_path)]) == 0
    names = {file.name for file in (tmp_path / "mine").iterdir()}
    expected = {spec.name for spec in FIGURES} - {"domain_against_batch_size"}
    expected |= {"threshold_masks"}
    assert names == {f"{name}.{kind}" for name in expected for kind in ("png", "svg")}
    assert "Figures in" in capsys.readouterr().out


@pytest.mark.parametrize(("images", "shown"), [("none", set()), ("train", {"disagreement.png"})])
def test_images_are_left_out_on_request(trained, tmp_path, capsys, images, shown):
    command = ["figures", "mine", "--runs", str(trained), "--out", str(tmp_path)]
    assert main([*command, "--images", images]) == 0
    pictures = {"examples.png", "disagreement.png", "threshold_masks.png"}
    assert pictures & {file.name for file in (tmp_path / "mine").iterdir()} == shown
    assert "Left out, for their images (see --images): examples" in capsys.readouterr().err


def test_figures_of_training_images_show_no_test_images(runs, trained):
    for spec in allowed("train"):
        figure = spec.draw(runs, trained)
        for cell in figure.axes if figure and spec.images != "none" else []:
            assert not cell.images or cell.get_title().startswith("training\n")


def test_unlike_runs_are_not_averaged(add_run, tmp_path, capsys):
    add_run("dice", domain="image")
    add_run("dice", domain="batch")
    assert sorted(line_names(load_runs(add_run.runs))["line"]) == ["Dice batch", "Dice image"]
    add_run("dice", domain="batch", settings={"optimizer": {"lr": 0.01}})
    lines = sorted(line_names(load_runs(add_run.runs))["line"])
    assert lines == ["Dice batch", "Dice batch lr=0.01", "Dice image"]
    add_run("dice", domain="batch", dataset="chest")
    assert main(["figures", "--runs", str(add_run.runs), "--out", str(tmp_path / "out")]) == 2
    assert "chest, synthetic): choose with --dataset" in capsys.readouterr().err


def test_a_noise_model_that_no_run_has_is_refused(trained, tmp_path, capsys):
    words = ["--runs", str(trained), "--noise", "nosuch", "--out", str(tmp_path / "out")]
    assert main(["figures", *words]) == 1
    assert "noise=nosuch; there are: morphological" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_runs_the_command_says_so(tmp_path, capsys):
    assert main(["figures", "--runs", str(tmp_path)]) == 1
    assert "no finished run" in capsys.readouterr().err


NOT_READ = {
    "epochs.csv": {"memorisation", "memorisation_by_type", "nu", "selection"},
    "thresholds.csv": {"thresholds"},
    "images.csv": {"image_dice"},
    "examples.npz": {"examples", "disagreement", "threshold_masks"},
}


@pytest.fixture
def damaged(trained, tmp_path):
    """A copy of the runs, and the T-Loss's noisy one in it."""
    copy = shutil.copytree(trained, tmp_path / "runs")
    return without_checksums(copy / named(line_names(load_runs(copy)), "tloss"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("epochs.csv", None, "is missing"),
        ("epochs.csv", b"garbage\n1\n", "is damaged: no column epoch"),
        ("epochs.csv", b"epoch,nu\n1,high\n", "is damaged: could not convert string to float"),
        ("epochs.csv", b"epoch,nu\n", "is damaged: no epoch"),
        ("thresholds.csv", None, "is missing"),
        ("thresholds.csv", b"epoch,threshold\n1,0.5\n", "is damaged: no column test_dice_image"),
        ("images.csv", b"garbage\n", "is damaged: column 'garbage' holds no numbers"),
        ("images.csv", b"\xff\xfe\x00", "is damaged: "),
        ("examples.npz", b"PK\x03\x04", "is damaged: File is not a zip file"),
        ("examples.npz", b"", "is damaged: File is not a zip file"),
    ],
)
def test_a_run_with_a_damaged_file_is_left_out(damaged, tmp_path, capsys, name, content, reason):
    file = damaged / name
    file.unlink() if content is None else file.write_bytes(content)
    words = ["--runs", str(damaged.parent), "--out", str(tmp_path), "--format", "svg"]
    assert main(["figures", "mine", *words]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file} {reason}")
    assert NOT_READ[name] == set(line.rpartition("left out of ")[2].rstrip(".").split(", "))
    expected = {spec.name for spec in FIGURES} - {"domain_against_batch_size"}
    expected |= {"threshold_masks"}
    assert {file.stem for file in (tmp_path / "mine").iterdir()} == expected


def test_a_cut_off_archive_leaves_its_row_out(damaged):
    file = damaged / "examples.npz"
    file.write_bytes(file.read_bytes()[:-100])
    runs = line_names(load_runs(damaged.parent))
    figures, (remark,) = drawn(runs, damaged.parent)
    assert remark.startswith(f"{file} is damaged")
    figure = dict((spec.name, figure) for spec, figure in figures)["examples"]
    assert len(figure.get_axes()) == 7


def test_a_file_without_permission_is_not_called_damaged(damaged, monkeypatch):
    def refusing(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    runs = line_names(load_runs(damaged.parent))
    monkeypatch.setattr(pd, "read_csv", refusing)
    _, remarks = drawn(runs, damaged.parent)
    assert all(" cannot be read (Permission denied); left out of " in one for one in remarks)
    assert len(remarks) == 9


def test_with_nothing_left_to_draw_the_command_says_so(add_run, tmp_path, capsys):
    for number in range(12):
        add_run("gce", seed=number).images.write_text("garbage")
    out = tmp_path / "out"
    assert main(["figures", "--runs", str(add_run.runs), "--out", str(out)]) == 1
    *files, more, last = capsys.readouterr().err.splitlines()
    assert (len(files), more) == (10, "And 2 more such runs.")
    assert last == "These runs have nothing to draw."
    assert not out.exists()


def test_a_swept_encoder_is_named_without_its_setting(add_run):
    for encoder in ("resnet18", "mobilenet_v2"):
        add_run("gce", settings={"model": {"encoder_name": encoder}})
    names = set(line_names(load_runs(add_run.runs))["line"])
    assert names == {"GCE resnet18", "GCE mobilenet_v2"}
