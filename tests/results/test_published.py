import csv
import math
import re
from pathlib import Path

import pytest

from robustseg.results.load import load_runs
from robustseg.results.tables.grid import SLIDES as SHOWN
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.published import experiments_folder, load_published, read_published
from robustseg.results.tables.published_table import published_table
from robustseg.results.tables.render import render

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
# Table 1 of "Robust T-Loss for Medical Image Segmentation" (MICCAI 2023), ISIC 2017, as printed,
# but for its zero padding: 0.788(08) is 0.788(8) here.
ISIC2017 = """
gce      0.828(7) 0.805(9) 0.785(14) 0.772(15) 0.736(17) 0.743(12) 0.691(22)
mae      0.826(6) 0.803(7) 0.786(12) 0.771(10) 0.742(14) 0.751(9)  0.698(20)
rce      0.827(5) 0.802(6) 0.791(11) 0.779(11) 0.745(17) 0.752(10) 0.695(16)
sce      0.828(6) 0.806(9) 0.793(11) 0.774(12) 0.738(14) 0.756(10) 0.691(20)
ngce     0.825(6) 0.803(7) 0.788(8)  0.773(11) 0.745(16) 0.745(11) 0.688(19)
nce_rce  0.829(6) 0.799(8) 0.792(12) 0.777(11) 0.751(18) 0.746(11) 0.696(13)
ngce_mae 0.828(5) 0.802(8) 0.788(13) 0.774(10) 0.741(18) 0.748(11) 0.693(15)
ngce_rce 0.827(7) 0.807(7) 0.790(11) 0.776(13) 0.736(17) 0.748(10) 0.689(17)
tloss    0.825(5) 0.809(6) 0.804(5)* 0.800(11)* 0.790(5)* 0.788(7)* 0.761(6)*
"""
# The same paper's table of Shenzhen.
SHENZHEN = """
gce      0.948(1)  0.933(6)  0.930(8)  0.909(12) 0.880(19) 0.856(14) 0.807(23)
mae      0.949(2)  0.937(6)  0.931(8)  0.910(11) 0.880(16) 0.864(20) 0.823(23)
rce      0.949(2)  0.938(4)  0.931(8)  0.910(10) 0.886(20) 0.863(15) 0.818(26)
sce      0.949(3)  0.938(4)  0.930(6)  0.908(9)  0.881(18) 0.865(15) 0.821(24)
ngce     0.949(2)  0.936(7)  0.933(9)  0.906(12) 0.875(23) 0.865(17) 0.822(24)
nce_rce  0.949(2)  0.936(7)  0.928(9)  0.906(12) 0.879(18) 0.863(18) 0.818(23)
ngce_mae 0.949(1)  0.938(5)  0.934(6)  0.906(11) 0.877(19) 0.865(16) 0.824(21)
ngce_rce 0.949(2)  0.936(5)  0.930(10) 0.909(10) 0.884(17) 0.862(12) 0.821(26)
tloss    0.949(1)  0.948(1)* 0.939(1)* 0.914(5)* 0.904(8)* 0.896(7)* 0.870(31)*
"""
NAMES = dict(
    zip(
        [line.split()[0] for line in ISIC2017.strip().splitlines()],
        ["GCE", "MAE", "RCE", "SCE", "NGCE", "NCE + RCE", "NGCE + MAE", "NGCE + RCE", "T-Loss"],
        strict=True,
    )
)
# The Tversky slides, "Results on the positive images".
SLIDES = """
average_precision ↑ 0.746 0.809 0.694 0.771 0.703 0.783 0.717 0.778
balanced_accuracy ↑ 0.873 0.878 0.870 0.877 0.877 0.888 0.860 0.885
dice_image ↑        0.635 0.690 0.606 0.665 0.641 0.705 0.593 0.667
jaccard_image ↑     0.493 0.549 0.465 0.529 0.476 0.548 0.424 0.502
hd95 ↓              0.164 0.151 0.171 0.149 0.270 0.184 0.377 0.313
"""
SETTINGS = [(0.0, None), (0.3, 0.5), (0.3, 0.7), (0.5, 0.5), (0.5, 0.7), (0.7, 0.5), (0.7, 0.7)]


def printed(text):
    """The cells of a paper's table, with its names of losses."""
    lines = [line.split() for line in text.strip().splitlines()]
    return [[NAMES[loss], *numbers] for loss, *numbers in lines]


def cells(markdown):
    """Cells of a Markdown table's lines, bold or not, without its heading and notes."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("**", "") for cell in line.split("|")[1:-1]] for line in lines]


def add_published_runs(add_run, dataset):
    """Two runs a published cell whose mean and sample deviation are the published ones."""
    path = EXPERIMENTS / f"tloss_{dataset}" / "published.csv"
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            mean, step = float(row["dice_mean"]), float(row["dice_std"]) / math.sqrt(2)
            beta = {"beta": float(row["beta"])} if row["beta"] else {}
            for seed, value in enumerate([mean - step, mean + step]):
                labels = {"seed": seed, "dataset": dataset, **beta}
                add_run(row["loss"], float(row["alpha"]), value, **labels)


def rendered(add_run, dataset):
    published = load_published(None, dataset, EXPERIMENTS)
    table = make_table(load_runs(add_run.runs), ["dice_image"], published, published.losses)
    return render(table, "md")


def test_the_isic_table_comes_out_as_printed(add_run):
    add_published_runs(add_run, "isic2017")
    lines = cells(rendered(add_run, "isic2017"))
    paper = printed(ISIC2017)
    ours, published, differences = lines[::3], lines[1::3], lines[2::3]
    assert [[line[0], *line[2:]] for line in ours] == [
        [cell.rstrip("*") for cell in line] for line in paper
    ]
    assert [line[2:] for line in published] == [line[1:] for line in paper]
    assert {cell for line in differences for cell in line[2:]} == {"+0.000"}


def test_the_shenzhen_table_equals_its_data(add_run):
    add_published_runs(add_run, "shenzhen")
    lines = cells(rendered(add_run, "shenzhen"))
    assert len(lines) == 3 * 9
    for ours, published in zip(lines[::3], lines[1::3], strict=True):
        assert ours[2:] == [cell.rstrip("*") for cell in published[2:]]
    assert lines[-2][2:] == [
        "0.949(1)",
        "0.948(1)*",
        "0.939(1)*",
        "0.914(5)*",
        "0.904(8)*",
        "0.896(7)*",
        "0.870(31)*",
    ]


def test_the_best_published_losses_are_bold(add_run):
    add_published_runs(add_run, "isic2017")
    bold = re.findall(r"\*\*(.*?)\*\*", rendered(add_run, "isic2017"))
    best = ["0.829(6)", "0.809(6)", "0.804(5)", "0.800(11)", "0.790(5)", "0.788(7)", "0.761(6)"]
    assert bold == best


@pytest.mark.parametrize(
    "experiment, text, best",
    [
        # NCE+RCE where masks are clean, then the T-Loss; a tie of eight losses, then the T-Loss.
        ("tloss_isic2017", ISIC2017, {"NCE + RCE": 1, "T-Loss": 6}),
        ("tloss_shenzhen", SHENZHEN, {"GCE": 0, "T-Loss": 7}),
    ],
)
def test_the_paper_s_own_tables_need_no_runs(experiment, text, best):
    published = read_published(EXPERIMENTS / experiment / "published.csv")
    rendered = render(published_table(published), "md")
    assert cells(rendered) == printed(text)
    bold = {
        line.split("|")[1].strip(): line.count("**") // 2 for line in rendered.splitlines()[2:-2]
    }
    assert {loss: bold[loss] for loss in best} == best
    assert sum(bold.values()) == (7 if experiment == "tloss_isic2017" else 8 + 6)
    assert rendered.splitlines()[-1] == (
        "dice_image: as published, mean(std). *: significant according to the paper."
    )


def test_the_slides_own_table_in_its_shape():
    published = read_published(EXPERIMENTS / "tversky_histopathology" / "published.csv")
    table = published_table(published, SHOWN, versus="domain")
    rendered = render(table, "md", layout="domain")
    heading, _, *lines = rendered.splitlines()
    assert heading.replace(" ", "") == "|loss|batch_size|8|8|16|16|32|32|64|64|"
    domains, *numbers = cells("\n\n".join(["|", "|", *lines]))
    assert domains == ["", "domain", *["image", "batch"] * 4]
    printed = [line.rsplit(maxsplit=8) for line in SLIDES.strip().splitlines()]
    assert [line[1:] for line in numbers] == printed
    # The batchwise loss is the better one everywhere, HD95 being better when lower.
    bold = re.findall(r"\*\*(.*?)\*\*", rendered)
    assert bold == [number for line in printed for number in line[2::2]]


def test_parts_of_a_published_table():
    published = read_published(EXPERIMENTS / "tversky_histopathology" / "published.csv")
    assert {column.metric for column in published_table(published, ["hd95"]).columns} == {"hd95"}
    with pytest.raises(ValueError, match=r"has the metrics dice_image, .* of the losses dice"):
        published_table(published, ["dice"])
    tloss = read_published(EXPERIMENTS / "tloss_isic2017" / "published.csv")
    assert published_table(tloss, losses=["mae", "gce"]).rows == (("gce",), ("mae",))
    with pytest.raises(ValueError, match="do not differ in domain"):
        published_table(tloss, versus="domain")


def test_presets_of_the_tloss_are_compared_with_it_and_other_losses_with_nothing(add_run):
    add_run("tloss_paper", 0.7, 0.77, beta=0.7)
    add_run("tloss_fixed_nu", 0.7, 0.77, beta=0.7)
    add_run("tloss", 0.7, 0.77, beta=0.6)
    lines = {line[0]: line for line in cells(rendered(add_run, "isic2017")) if line[1] == "ours"}
    assert lines.keys() == {"tloss_paper", "tloss_fixed_nu", "T-Loss"}
    others = {tuple(line[1:]) for line in cells(rendered(add_run, "isic2017")) if not line[0]}
    assert ("published", "–", "0.761(6)*") in others
    assert ("difference", "–", "+0.009") in others
    assert ("published", "–", "–") not in others


def test_published_values_stand_also_where_we_have_no_run(add_run):
    add_run("gce", 0.7)
    add_run("mae", 0.0)
    lines = cells(rendered(add_run, "isic2017"))
    assert lines[0] == ["GCE", "ours", "–", "0.800"]
    assert lines[1] == ["", "published", "0.828(7)", "0.743(12)"]
    assert lines[2] == ["", "difference", "–", "+0.057"]


def test_the_tversky_slides_compare_by_batch_size_and_domain(add_run):
    numbers = {"dice_image": 0.7, "hd95": 0.1}
    add_run("dice", 0.0, numbers, dataset="histopathology", subset="positive", domain="batch")
    add_run("dice", 0.0, numbers, dataset="histopathology", subset="all", domain="batch")
    published = load_published("tversky_histopathology", "histopathology", EXPERIMENTS)
    table = make_table(load_runs(add_run.runs), ["dice_image", "hd95"], published)
    found = {
        row: cell.published
        for (row, column), cell in table.cells.items()
        if column.metric == "hd95"
    }
    assert found[("dice", "all")] is None
    assert (found[("dice", "positive")].mean, found[("dice", "positive")].starred) == (0.149, False)
    assert "0.665" in render(table, "md")


def test_without_data_there_is_nothing_published(tmp_path):
    assert load_published("tloss_isic2017", "isic2017", None) is None
    assert load_published("tloss_isic2017", "isic2017", tmp_path) is None
    assert load_published(None, "synthetic", EXPERIMENTS) is None


def test_an_experiment_of_its_own_comes_before_the_dataset():
    own = load_published("tloss_shenzhen", "isic2017", EXPERIMENTS)
    assert own.path.parent.name == "tloss_shenzhen"
    fallback = load_published("tloss_isic2017_code", "isic2017", EXPERIMENTS)
    assert fallback.path.parent.name == "tloss_isic2017"


def test_experiments_are_found_from_the_working_directory_or_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert experiments_folder() == EXPERIMENTS
    (tmp_path / "experiments").mkdir()
    assert experiments_folder() == tmp_path / "experiments"


@pytest.mark.parametrize("name", ["tloss_isic2017", "tloss_shenzhen"])
def test_the_published_data_is_complete(name):
    published = load_published(name, "", EXPERIMENTS)
    assert len(published.losses) == 9
    for loss in published.losses:
        for alpha, beta in SETTINGS:
            labels = {"loss": loss, "alpha": alpha, "beta": beta}
            assert published.find("dice_image", labels) is not None


def test_a_number_that_is_none_is_told_with_its_line(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("loss,alpha,beta,dice\ngce,0,,0.8\nmae,0,,O.8\n")
    with pytest.raises(ValueError, match=r"published\.csv, line 3: .*'O\.8'"):
        read_published(path)
