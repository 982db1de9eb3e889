"""A results.csv gives its table again."""

import csv
import io

import pytest

from robustseg.results.load import load_runs
from robustseg.results.tables.comparison import add_intervals, compare
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.published import load_published
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results, write_csv
from robustseg.runs.files import read_json
from tests.results.test_published import EXPERIMENTS


def images(shift):
    return {f"image{at}": 0.4 + shift + at / 100 + (at * shift) % 0.01 for at in range(12)}


@pytest.fixture
def again(add_run, tmp_path):
    """Texts of a table, and of the one read from its CSV."""

    def render_both(layout="noise", decimals=3, **options):
        runs, folder = load_runs(add_run.runs), Images(add_run.runs)
        table = add_intervals(compare(make_table(runs, **options), folder), folder)
        file = tmp_path / "results.csv"
        file.write_text(render(table, "csv"), encoding="utf-8")
        return [
            [render(one, style, decimals, layout, intervals=True) for style in ("md", "html")]
            + [render(one, style) for style in ("csv", "json")]
            for one in (table, read_results(file))
        ]

    return render_both


def test_losses_by_noise_with_everything_that_is_marked(add_run, again):
    published = load_published("tloss_isic2017", "isic2017", EXPERIMENTS)
    for seed in (0, 1):
        add_run("gce", 0.3, images=images(0), seed=seed, dataset="isic2017")
        add_run("tloss", 0.3, images=images(0.1 + seed / 50), seed=seed, dataset="isic2017")
    add_run("tloss", 0.3, images=images(0.1), dataset="isic2017", collapsed="foreground")
    add_run("tloss", 0.0, images=images(0.2), dataset="isic2017")  # GCE has no clean run
    before, after = again(
        metrics=["dice_image", "dice_pooled", "epochs"], published=published, losses=["tloss"]
    )
    for mark in ("†", "‡", "[2]", "{", "– ", "published", "more than once", "Not tested"):
        assert mark in before[0]
    assert before == after


def test_rows_of_labels_of_every_type(add_run, again):
    for epsilon, kind in ((0.0, "none"), (0.1, "label_smoothing")):
        for rate, amsgrad in ((1e-6, False), (1e-6, True), (0.001, True)):
            settings = {"optimizer": {"betas": [0.9, rate], "amsgrad": amsgrad}}
            labels = {"epsilon": epsilon, "regularizer": kind}
            add_run("gce", images=images(rate), settings=settings, **labels)
    before, after = again(metrics=["dice_image"], decimals=5)
    assert all(word in before[0] for word in ("label_smoothing", "| True ", "0.9, 1e-06"))
    assert before == after


def test_the_slides_layout(add_run, again):
    for size in (8, 32):
        for domain, shift in (("image", 0), ("batch", 0.1)):
            add_run("dice", images=images(shift), domain=domain, batch_size=size)
    before, after = again("domain", metrics=["dice_image", "dice_pooled"], versus="domain")
    assert "the best domain at equal settings" in before[0]
    assert before == after


def test_several_datasets(add_run, again):
    add_run("gce", images=images(0), dataset="isic2017")
    add_run("gce", images=images(0), dataset="shenzhen")
    before, after = again(metrics=["dice_image"])
    assert "on isic2017, shenzhen" in before[0]
    assert before == after


def files_of(add_run, tmp_path, **datasets):
    """A results.csv of each data set, with two losses whose images are shifted."""
    texts = []
    for name, shift in datasets.items():
        for loss, better in (("gce", 0), ("tloss", 0.1)):
            add_run(loss, 0.3, images=images(shift + better), dataset=name)
        runs = load_runs(add_run.runs)
        runs = runs[runs["dataset"] == name].reset_index(drop=True)
        table = compare(make_table(runs, ["dice_image"]), Images(add_run.runs))
        texts.append(render(table, "csv"))
    return texts


def test_joined_files_keep_their_data_sets_apart(add_run, tmp_path):
    first, second = files_of(add_run, tmp_path, isic2017=0, shenzhen=0.2)
    file = tmp_path / "results.csv"
    file.write_text(first + second.split("\n", 1)[1])
    found = read_results(file)
    assert found.labels[:2] == ("dataset", "loss")
    assert len(found.cells) == 4 and found.test.family == 1
    assert "No marks" not in render(found, "md")
    means = [row["mean"] for text in (first, second) for row in csv.DictReader(io.StringIO(text))]
    assert [repr(cell.mean) for cell in found.cells.values()] == means


def test_joined_files_of_different_tests_have_no_marks(add_run, tmp_path):
    first, second = files_of(add_run, tmp_path, isic2017=0, shenzhen=0.2)
    file = tmp_path / "results.csv"
    file.write_text(first + second.split("\n", 1)[1].replace(",images,", ",tukey,"))
    found = read_results(file)
    assert found.test is None
    assert "No marks, since the tables that are joined here were tested differently" in render(
        found, "md"
    )
    assert not any(cell.comparison or cell.group for cell in found.cells.values())


def test_two_lines_of_one_cell_are_refused(add_run, tmp_path):
    (text,) = files_of(add_run, tmp_path, isic2017=0)
    file = tmp_path / "results.csv"
    file.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(ValueError, match="two lines are of dice_image of loss=gce"):
        read_results(file)


def test_data_whose_fingerprint_looks_like_a_number_stay_apart(add_run, tmp_path):
    for seed, fingerprint in enumerate(("1234e567", "4e999999", "00123456")):
        run = add_run("gce", 0.3, images=images(0), seed=seed)
        own = read_json(run.metrics)["run"]
        run.update_status(fingerprint=fingerprint * 8, data_folder="", run=own)
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    file = tmp_path / "results.csv"
    file.write_text(render(table, "csv"))
    found = read_results(file)
    assert found.labels == ("loss", "data") and len(found.rows) == 3
    assert found.rows == table.rows


def without_groups(text):
    """A results.csv as it was before there were groups."""
    rows = [{**row} for row in csv.DictReader(io.StringIO(text))]
    for row in rows:
        del row["group"]
    return write_csv(rows)


@pytest.mark.parametrize(
    ("losses", "test", "kind", "groups"),
    [
        (("gce", "tloss"), "images", "images", False),
        (("gce", "gce2"), "images", "images", True),
        (("gce", "mae", "tloss"), "images", "best", False),
        (("gce", "mae", "tloss"), "tukey", "tukey", True),
    ],
)
def test_a_file_of_the_former_rule_says_so(add_run, tmp_path, losses, test, kind, groups):
    """Of two that compete all pairs are the pairs with the best, so nothing changes."""
    shifts = {"gce": 0, "gce2": 0.001, "mae": 0.05, "tloss": 0.1}
    for at, loss in enumerate(losses):
        for seed in (0, 1):
            values = {name: dice + (-1) ** (at + n) / 9 for n, (name, dice) in
                      enumerate(images(0).items())} if groups else images(shifts[loss])  # fmt: skip
            add_run(loss, 0.3, images=values, seed=seed)
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    rule = "best" if kind == "best" else test
    table = compare(table, Images(add_run.runs), rule)
    file = tmp_path / "results.csv"
    file.write_text(
        without_groups(render(table, "csv").replace(",best,the best", ",images,the best"))
    )
    found = read_results(file)
    assert found.test.kind == kind
    assert render(found, "csv") == render(table, "csv")
    assert any(cell.group for cell in found.cells.values()) == groups
    assert ("the former rule" in render(found, "md")) == (kind == "best")


def test_a_test_over_seeds_by_the_former_rule_is_refused(add_run, tmp_path):
    for loss in ("gce", "mae", "tloss"):
        for seed in range(7):
            add_run(loss, 0.3, 0.5 + len(loss) / 99 + seed / 1000, seed=seed)
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    table = compare(table, Images(add_run.runs), "seeds")
    file = tmp_path / "results.csv"
    file.write_text(without_groups(render(table, "csv")))
    with pytest.raises(ValueError, match=r"for too few pairs.*--format csv"):
        read_results(file)


@pytest.mark.parametrize("experiment", ["tversky_histopathology", "tversky_regularizers"])
def test_the_results_that_are_kept_with_experiments_can_be_read(experiment):
    path = EXPERIMENTS / experiment / "results.csv"
    assert render(read_results(path), "csv") == path.read_text()


@pytest.mark.parametrize(
    "column, text",
    [("mean", "high"), ("runs", "two"), ("beta", ""), ("best", "1"), ("alpha", "True"),
     ("test", "mine"), ("family", "1.5"), ("metric", "")],
)  # fmt: skip
def test_values_of_wrong_content_are_refused(add_run, tmp_path, column, text):
    for loss, shift in (("gce", 0), ("tloss", 0.1)):
        add_run(loss, 0.3, images=images(shift))
    table = compare(make_table(load_runs(add_run.runs), ["dice_image"]), Images(add_run.runs))
    header, first, *rest = render(table, "csv").splitlines()
    cells = first.split(",")
    cells[header.split(",").index(column)] = text
    file = tmp_path / "results.csv"
    file.write_text("\n".join([header, ",".join(cells), *rest]))
    with pytest.raises(ValueError, match=rf"results\.csv is not a table of results .*{column}"):
        read_results(file)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "loss,noise,alpha\ngce,,zero\n", "loss,noise\n"]
)
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=r"other\.csv is not a table of results .*--format csv"):
        read_results(tmp_path / "other.csv")
    with pytest.raises(ValueError, match=r"absent\.csv cannot be read: No such file"):
        read_results(tmp_path / "absent.csv")
