"""What else differs between runs that are compared, where no row or column says so."""

import pytest

from robustseg.cli.main import main
from robustseg.results.load import load_runs
from robustseg.results.tables.confounders import confounders
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.notes import notes
from robustseg.runs.folder import RunFolder

IMAGES = {f"i{at}": 0.5 + 0.01 * at for at in range(8)}
SAID = (
    "Runs that are compared also differ in model: smp (MAE), nnunet_tiny (T-Loss); image_size: "
    "32 (MAE), 64 (T-Loss); trainer.max_epochs: 4 (MAE), 1 (T-Loss)."
)


def said(add_run):
    table = make_table(load_runs(add_run.runs), ["dice_image"], losses=["tloss"])
    return confounders(table, table.contests)


def epochs(number):
    return {"trainer": {"max_epochs": number}}


@pytest.fixture
def two(add_run):
    """Two losses of different networks, sizes and lengths."""
    worse = {name: value - 0.1 for name, value in IMAGES.items()}
    tiny = {"name": "nnunet_tiny", "features": [4.0, 8.0]}
    other = {"name": "smp", "encoder": "resnet18"}
    add_run("tloss", 0.7, images=IMAGES, settings={**epochs(1.0), "model": tiny})
    add_run("mae", 0.7, images=worse, settings={**epochs(4.0), "model": other},
            model="smp", image_size=32)  # fmt: skip
    return add_run.runs


@pytest.mark.parametrize("command", ["table", "claims", "ranks"])
def test_what_else_differs_is_said_below(two, capsys, command):
    assert main([command, "--runs", str(two)]) == 0
    out = capsys.readouterr().out
    assert SAID in out.replace("\\", "")
    assert main([command, "--runs", str(two), "--format", "latex"]) == 0
    assert "Runs that are compared also differ" in capsys.readouterr().out


def test_the_report_says_it_of_tables_and_claims(two, tmp_path):
    page = tmp_path / "report.html"
    assert main(["report", "--runs", str(two), "--metric", "dice_image", "-o", str(page)]) == 0
    assert page.read_text().count("Runs that are compared also differ in model: ") == 2


def test_ranks_by_a_metric_that_no_table_compares_say_it_too(add_run, capsys):
    for loss, number in (("tloss", 1.0), ("mae", 4.0)):
        add_run(loss, 0.7, {"dice_image": 0.5, "area_ratio": number}, settings=epochs(number))
    assert main(["ranks", "--runs", str(add_run.runs), "--metric", "area_ratio"]) == 0
    assert "differ in trainer.max_epochs: 4 (MAE), 1 (T-Loss)." in capsys.readouterr().out


def test_what_a_row_or_a_column_shows_is_not_said_again(add_run):
    for loss in ("tloss", "mae"):
        for number in (1.0, 4.0):
            add_run(loss, 0.7, settings={**epochs(number), "optimizer": {"lr": 0.1}})
    assert said(add_run) == []


def test_a_shown_choice_tells_what_comes_with_it(add_run):
    for name, of in (("a", {"features": [4.0, 8.0]}), ("b", {"depth": 3.0})):
        add_run("tloss", 0.7, model=name, settings={"model": {"name": name, **of}})
    assert said(add_run) == []
    add_run("mae", 0.7, model="a", settings={"model": {"name": "a", "features": [8.0]}})
    assert said(add_run) == [
        "Runs that are compared also differ in model.features: [4,8] (T-Loss a), not set "
        "(T-Loss b), 8 (MAE a)."
    ]


def test_settings_of_the_loss_its_noise_and_its_seed_are_its_own(add_run):
    one = {"loss": {"name": "tloss", "parameter_lr": 0.05}, "evaluation": {"hd95": True}}
    other = {"loss": {"name": "mae", "domain": "image"}, "evaluation": {"hd95": False}}
    add_run("tloss", 0.7, settings=one | {"noise": {"seed": 1.0}}, noise_seed=1)
    add_run("mae", 0.7, settings=other | {"noise": {"seed": 1.0}}, noise_seed=1, seed=3,
            domain="image")  # fmt: skip
    assert said(add_run) == []


def test_nothing_is_said_of_what_is_not_compared(add_run):
    add_run("tloss", 0.7, settings=epochs(1.0), dataset="isic2017")
    add_run("mae", 0.7, settings=epochs(4.0), dataset="shenzhen")
    add_run("mae", 0.3, settings=epochs(1.0), dataset="isic2017")
    assert said(add_run) == []


def test_a_regulariser_that_one_loss_has_is_said(add_run):
    add_run("tloss", 0.7)
    add_run("mae", 0.7, regularizer="label_smoothing", epsilon=0.1)
    (note,) = said(add_run)
    assert note.endswith("differ in regularizer: none (T-Loss), label_smoothing (MAE).")


def test_many_rows_and_values_are_counted(add_run):
    for at in range(12):
        add_run(f"own{at:02}", 0.7, settings=epochs(float(max(at, 5))))
    (note,) = said(add_run)
    assert note == (
        "Runs that are compared also differ in trainer.max_epochs: 5 (own00, own01, own02 and 3 "
        "more), 6 (own06), 7 (own07), 8 (own08), 9 (own09) and 2 more."
    )


def on(folder, processor):
    folder.update_status(processor=processor)


@pytest.mark.parametrize(
    "values, told",
    [
        (("Gamma, 1", "Gamma, 2"), "…1 (T-Loss), …2 (MAE)"),
        (("Blur", "Flip"), "…Blur (T-Loss), …Flip (MAE)"),
    ],
)
def test_long_values_are_cut_where_they_differ(add_run, values, told):
    for loss, value in zip(("tloss", "mae"), values, strict=True):
        settings = {"augmentation": {"list": "Random, " * 5 + value}}
        add_run(loss, 0.7, images=IMAGES, settings=settings)
    (sentence,) = said(add_run)
    assert sentence == f"Runs that are compared also differ in augmentation.list: {told}."


def test_several_types_of_processor_are_said(two, capsys):
    for folder, name in zip(sorted(two.iterdir()), ("Intel_A", "AMD_B"), strict=True):
        on(RunFolder(folder), name)
    for command in ("table", "claims", "ranks"):
        assert main([command, "--runs", str(two)]) == 0
        assert (
            "come from several types of processor (AMD_B, Intel_A), which give the same"
        ) in capsys.readouterr().out


def test_also_where_runs_are_averaged_only(add_run):
    on(add_run("tloss", 0.7), "A")
    on(add_run("tloss", 0.7, seed=1), "B")
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    assert any("processor (A, B)" in note for note in notes(table, False))


@pytest.mark.parametrize("others", ["A", None])
def test_one_or_an_unknown_type_is_not_said(add_run, others):
    on(add_run("tloss", 0.7), "A")
    on(add_run("mae", 0.7), others)
    on(add_run("mae", 0.3), "B")  # compared with none
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    assert not any("processor" in note for note in notes(table, False))
