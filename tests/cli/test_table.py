import errno
import json

import pytest

from robustseg.cli.main import main
from robustseg.runs.folder import RunFolder


@pytest.fixture
def table(add_run, capsys):
    def run(*arguments):
        no_runs = {"--from", "--published-only"} & {*arguments}
        runs = [] if no_runs else ["--runs", str(add_run.runs)]
        code = main(["table", *runs, *arguments])
        return code, *capsys.readouterr()

    return run


def losses(output):
    lines = [line.split("|")[1].strip() for line in output.splitlines() if line.startswith("|")]
    return [line.lower().replace("-", "") for line in lines[2:]]


def test_the_table_of_a_dataset(add_run, table):
    add_run("gce", 0.3, 0.7)
    add_run("mae", 0.3, 0.8, dataset="isic2017")
    code, output, errors = table("--dataset", "synthetic")
    assert (code, errors) == (0, "")
    assert losses(output) == ["gce"]
    assert "0.700" in output


def test_published_values_can_be_left_out(add_run, table):
    add_run("mae", 0.3, 0.8, dataset="isic2017")
    assert "0.803(7)" in table()[1]
    assert "−0.003" in table()[1]
    assert "published" not in table("--no-published")[1]


def test_what_is_chosen(add_run, table):
    add_run("gce", 0.3, experiments=["one"])
    add_run("mae", 0.5)
    add_run("tloss", 0.5, experiments=["one"])
    assert losses(table("one")[1]) == ["gce", "tloss"]
    assert losses(table("--loss", "tloss", "mae")[1]) == ["tloss", "mae"]
    assert losses(table("--loss", "tloss,mae")[1]) == ["tloss", "mae"]
    assert losses(table("--where", "alpha=0.5", "trainer.max_epochs=30")[1]) == ["mae", "tloss"]
    assert losses(table("--where", "alpha=0.3,0.5")[1]) == ["gce", "mae", "tloss"]
    (record,) = json.loads(table("--loss", "gce", "--format", "json", "--metric", "epochs")[1])
    assert record["mean"] == 30


def test_unfinished_runs_are_counted_on_the_error_channel(add_run, table):
    add_run("gce")
    add_run("gce", seed=1).update_status(state="running")
    code, output, errors = table()
    assert code == 0
    assert "unfinished" not in output
    assert errors == f"Left out of {add_run.runs}: 1 unfinished.\n"


def test_seeds_are_chosen(add_run, table):
    for seed, value in enumerate([0.7, 0.8, 0.9]):
        add_run("gce", 0.3, value, seed=seed)
    assert "0.850(71)" in table("--seeds", "1,2")[1]
    assert "0.700 " in table("--seeds", "0")[1]


def images(shift):
    return {f"image{at}": 0.5 + shift + at / 100 + at * shift / 100 for at in range(12)}


def test_cells_are_compared_and_their_intervals_shown_on_request(add_run, table):
    for loss, shift in (("gce", 0), ("mae", 0.1)):
        add_run(loss, 0.3, images=images(shift))
    code, output, errors = table()
    assert (code, errors) == (0, "")
    assert "0.555†" in output and "Wilcoxon" in output and "{" not in output
    assert "0.555† {0.5" in table("--ci")[1]
    assert "†" not in table("--test", "none")[1]
    assert "†: differs from GCE" in table("--against", "gce")[1]
    (record, _) = json.loads(table("--format", "json", "--test", "none")[1])
    assert record["low"] < record["mean"] < record["high"]
    assert record["p"] is None


def test_what_has_nothing_to_be_compared_with_is_named(add_run, table):
    for at, (loss, alpha) in enumerate(
        [("gce", 0.3), ("mae", 0.3), ("gce", 0.5), ("tloss", 0.5), ("ce", 0.7), ("mae", 0.7)]
    ):
        add_run(loss, alpha, images=images(at / 50))
    said = table("--against", "mae", "--metric", "dice_image")[1]
    words = "Not compared with MAE, which has no run there that is alike in all else, or several: "
    assert f"{words}α=0.5 β=0.5." in said
    assert "Not compared" not in table("--metric", "dice_image")[1]
    assert "Not compared" not in table("--against", "mae", "--where", "alpha=0.3")[1]


def test_noise_that_is_not_the_paper_s_is_named(add_run, table):
    add_run("gce", 0.3, noise="markov")
    assert "markov α=0.3 β=0.5" in table("--metric", "dice_image")[1]
    add_run("gce", 0.5)
    shown = table("--metric", "dice_image", "--where", "noise=morphological")[1]
    assert "α=0.5 β=0.5" in shown and "morphological" not in shown


def test_a_loss_may_be_called_as_a_number_is(add_run, table):
    for loss in ("1", "1e3", "gce"):
        add_run(loss, 0.3)
    assert losses(table("--where", "loss=1")[1]) == ["1"]
    assert losses(table("--where", "loss=1e3,gce")[1]) == ["1e3", "gce"]
    assert "did you mean gce?" in table("--loss", "GCE")[2]


def test_a_domain_of_one_s_own_has_columns_behind_those_of_the_slides(add_run, table):
    for domain in ("volume", "batch", "image"):
        for size in (8, 16):
            add_run("dice", domain=domain, batch_size=size)
    code, output, _ = table("--layout", "domain", "--metric", "dice_image")
    assert code == 0
    (head,) = (line for line in output.splitlines() if "volume" in line)
    assert head.index("image") < head.index("batch") < head.index("volume")


def test_no_option_is_ignored(add_run, table):
    for loss, shift in (("gce", 0), ("mae", 0.1)):
        add_run(loss, 0.3, images=images(shift))
    code, output, errors = table("--test", "none", "--against", "gce")
    assert (code, output) == (2, "")
    assert "--test none compares nothing: leave out --against gce" in errors
    code, output, errors = table("--metric", "dice_pooled", "epochs", "--ci")
    assert (code, "{" in output) == (0, False)
    assert errors == "No intervals of dice_pooled, epochs: they are not means over images.\n"
    assert table("--metric", "dice_pooled", "dice_image", "--ci")[2] == ""
    code, _, errors = table("--metric", "dice_pooled", "--against", "gce")
    assert code == 0
    assert errors == "Nothing is compared: dice_pooled: it is not a mean over images.\n"
    code, output, errors = table("--select", "last", "--by", "class")
    assert (code, output) == (2, "")
    assert "untested: leave out by class" in errors


def test_what_cannot_be_tested_is_told_and_refused_when_asked_for(add_run, table):
    add_run("gce", 0.3, images=images(0))
    add_run("mae", 0.3, 0.8)
    code, output, errors = table()
    assert (code, "0.800" in output, "†" in output) == (0, True, False)
    assert "No test over images: " in errors and "images.csv is missing" in errors
    code, output, errors = table("--test", "images")
    assert (code, output) == (1, "")
    assert "images.csv is missing" in errors
    assert table("--ci", "--test", "none")[0] == 1
    errors = table("--test", "seeds")[2]
    assert "the same 6 seeds or more" in errors
    assert "gce has seeds 0 and mae has seeds 0;" in errors or "mae has seeds 0 and gce" in errors


def test_images_that_may_not_be_read_ask_for_no_training(add_run, table, monkeypatch):
    add_run("gce", 0.3, images=images(0))
    file = add_run("mae", 0.3, images=images(0.1)).images
    real = RunFolder.read

    def refusing(folder, path, status=None):
        if path == file:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(folder, path, status)

    monkeypatch.setattr(RunFolder, "read", refusing)
    code, _, errors = table()
    assert code == 0
    assert f"No test over images: {file} cannot be read (Permission denied).\n" in errors


def test_a_paper_s_own_table(table):
    code, output, _ = table("tloss_isic2017", "--published-only", "--loss", "tloss,mae")
    assert (code, losses(output)) == (0, ["mae", "tloss"])
    assert "0.761(6)*" in output
    slides = ("tversky_histopathology", "--published-only")
    assert "| hd95 ↓ " in table(*slides, "--layout", "domain")[1]
    assert "dice_pooled" not in table(*slides)[1]
    (code, _, errors) = table("tloss_isic", "--published-only")
    assert (code, "did you mean tloss_isic2017?" in errors) == (2, True)
    assert "leave out seeds" in table("tloss_isic2017", "--published-only", "--seeds", "0")[2]


def test_a_table_from_its_csv(add_run, table, tmp_path):
    for loss, shift in (("gce", 0), ("mae", 0.1)):
        add_run(loss, 0.3, images=images(shift))
    file = tmp_path / "results.csv"
    file.write_text(table("--format", "csv")[1])
    for options in (["--ci"], ["--format", "latex"], ["--format", "json"]):
        assert table("--from", str(file), *options)[1] == table(*options)[1]
    assert "leave out metric" in table("--from", str(file), "--metric", "hd95")[2]
    refused = ("--by", "class", "--runs", "here", "--duplicates", "all")
    code, output, errors = table("--from", str(file), *refused)
    assert (code, output) == (2, "")
    assert "leave out runs, by, duplicates" in errors
    file.write_text(table("--metric", "dice_pooled", "--format", "csv")[1])
    assert table("--from", str(file), "--ci")[2] == f"No intervals: {file} holds none.\n"
    (code, output, errors) = table("--from", str(tmp_path / "absent.csv"))
    assert (code, output) == (1, "")
    assert "absent.csv cannot be read" in errors


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--metric", "dice_imag"], 2, "no run has a number 'dice_imag'; did you mean dice_image?"),
        (
            ["--metric", "dice_image_tuned"],
            2,
            "none, train with dataset.val_fraction=0.2",
        ),
        (
            ["--metric", "threshold"],
            2,
            "binary masks and a validation split",
        ),
        (["--dataset", "syntetic"], 1, "did you mean synthetic?"),
        (["other"], 1, "none of the 1 finished runs has any experiment"),
        (["--where", "alpha"], 2, "KEY=VALUE"),
        (["--layout", "domain"], 2, "no run has a number 'average_precision'"),
        (["--layout", "domain", "--metric", "dice_image"], 2, "the runs do not differ in domain"),
        (["--against", "gc"], 2, "no row has loss='gc'; did you mean gce?"),
        (["--where", "alhpa=0.3"], 2, "did you mean alpha?"),
        (["--runs", "/nowhere"], 1, "no such directory: /nowhere; make some with: robustseg train"),
        (["--published-only"], 2, "--published-only: name the experiment"),
        (["--by", "class"], 2, "--by class: these runs have one class of foreground only"),
        (["--metric", "dice_image/heart"], 2, "no run has a number 'dice_image/heart'"),
        (["--seeds", "zero"], 2, "--seeds zero: not a number"),
    ],
)
def test_mistakes_are_answered_with_what_would_help(add_run, table, arguments, code, message):
    add_run("gce")
    found, output, errors = table(*arguments)
    assert (found, output) == (code, "")
    assert message in errors


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ("--where alpha=0.3 alpha=0.5", "--where has alpha twice; write several values "
         "as one filter: alpha=0.3,0.5"),
        ("--where alpha=0.3 --where alpha=0.5", "--where has alpha twice"),
        ("--where loss=mae --loss gce", "loss is chosen by --loss and by --where loss"),
        ("--where seed=1 --seeds 0", "seed is chosen by --seeds and by --where seed"),
        ("--where dataset=a --dataset b", "dataset is chosen by --dataset and by --where dataset"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["table", "claims", "ranks", "report", "figures", "status"])
def test_no_filter_is_dropped_for_another_of_its_name(add_run, capsys, command, filters, said):
    for loss in ("gce", "mae"):
        for alpha in (0.3, 0.5):
            add_run(loss, alpha, experiments=["one"])
    if command == "status" and not filters.startswith("--where alpha"):
        return  # it has no other filters
    assert main([command, "--runs", str(add_run.runs), *filters.split()]) == 2
    assert f"robustseg {command}: {said}" in capsys.readouterr().err


def test_an_experiment_is_chosen_once(add_run, table, capsys):
    for name in ("one", "two"):
        add_run("gce", 0.3, experiments=[name])
    code, output, errors = table("one", "--where", "experiment=two")
    assert (code, output) == (2, "")
    assert "experiment is chosen by the name of an experiment and by --where experiment" in errors
    assert table("--where", "experiment=one,two")[0] == 0  # a filter's value, not its experiment
    call = ["status", "--runs", str(add_run.runs)]
    capsys.readouterr()
    for words in (["status", "one", *call[1:]], [*call, "one"], [*call, "--experiment", "one"]):
        assert main(words) == 0
        assert capsys.readouterr().out.startswith("1 run: 1 done")
    assert main([*call, "--experiment", "one", "--where", "experiment=two"]) == 2
    assert main(["status", "two", *call[1:], "--experiment", "one"]) == 2
    assert "two experiments, two and one: leave one out" in capsys.readouterr().err


def test_filters_of_repeated_options_all_count(add_run, table):
    for loss in ("gce", "mae"):
        for seed in (0, 1):
            add_run(loss, 0.3, seed=seed)
    (record,) = json.loads(
        table("--where", "loss=mae", "--where", "seed=1", "--metric", "dice_image", "--format",
              "json")[1]
    )  # fmt: skip
    assert (record["loss"], record["runs"]) == ("mae", 1)
    assert losses(table("--loss", "mae", "--loss", "gce")[1]) == ["mae", "gce"]


@pytest.mark.parametrize("command", ["table", "claims", "ranks", "report", "figures", "results"])
@pytest.mark.parametrize("option", ["--loss gce", "--seeds 0", "--where alpha=0.3", "--dataset x"])
def test_an_experiment_behind_an_option_is_not_taken_for_its_value(
    add_run, capsys, command, option
):
    add_run("gce", 0.3, experiments=["one"])
    add_run("mae", 0.3, experiments=["two"])
    first = ["one"] if command == "results" else []
    words = [command, *first, "--runs", str(add_run.runs), *option.split(), "one"]
    assert main(words) == 2
    name = option.split()[0]
    assert f"robustseg {command}: {name} one" in capsys.readouterr().err


def test_an_experiment_without_runs_is_known_by_its_folder(add_run, table):
    add_run("gce", 0.3)
    assert "is an experiment; name it before --loss" in table("--loss", "gce", "demo")[2]


def test_classes_of_other_runs_make_no_columns(add_run, table):
    lungs = {"dice_image": 0.8, "dice_image/left": 0.7, "dice_image/right": 0.9}
    add_run("gce", 0.3, lungs, experiments=["lungs"])
    add_run("gce", 0.3, {**lungs, "dice_image/heart": 0.5}, seed=1, experiments=["chest"])
    add_run("gce", 0.3, experiments=["binary"])
    rows = json.loads(table("lungs", "--by", "class", "--format", "json")[1])
    assert [row["metric"] for row in rows if "/" in row["metric"]] == [
        "dice_image/left",
        "dice_image/right",
    ]
    for words in (["--by", "class"], ["--metric", "dice_image/heart"]):
        assert table("binary", *words)[:2] == (2, "")
    assert (
        "no run has a number 'dice_image/heart'"
        in table("lungs", "--metric", "dice_image/heart")[2]
    )


def test_a_metric_that_is_named_twice_counts_once(add_run, table):
    for loss, shift in (("gce", 0), ("mae", 0.1)):
        add_run(loss, 0.3, images=images(shift))
    once, twice = (table("--metric", *["dice_image"] * n)[1] for n in (1, 2))
    assert once == twice
    classes = {"dice_image": 0.8, "dice_image/heart": 0.7, "dice_image/lung": 0.9}
    add_run("gce", 0.5, classes)
    words = ["--where", "alpha=0.5", "--by", "class", "--format", "json", "--metric"]
    rows = json.loads(table(*words, "dice_image", "dice_image/heart")[1])
    assert [row["metric"] for row in rows] == sorted(classes)


def test_data_sets_may_be_joined_by_commas_or_not(add_run, table):
    for name in ("isic2017", "shenzhen", "other"):
        add_run("gce", 0.3, dataset=name)
    assert table("--dataset", "isic2017", "shenzhen") == table("--dataset", "isic2017,shenzhen")
    assert "other" not in table("--dataset", "isic2017", "shenzhen")[1]


def test_settings_that_are_lists_are_selected_as_tables_head_them(add_run, table):
    for at, panel in enumerate((["over"], ["under"], ["over", "under"])):
        settings = {"noise": {"name": "annotator", "alpha": 0.3, "model": {"panel": panel}}}
        add_run("gce", 0.3, 0.1 * (at + 1), settings=settings, noise="annotator")

    def means(value):
        words = ["--where", f"noise.model.panel={value}", "--format", "json"]
        return [round(row["mean"], 3) for row in json.loads(table(*words)[1])
                if row["metric"] == "dice_image"]  # fmt: skip

    assert means("over") == means("[over]") == [0.1]
    assert means("[over,under]") == [0.3]
    assert means("over,under") == [0.1, 0.2]
    assert "did you mean over?" in table("--where", "noise.model.panel=ovr")[2]


def test_a_file_that_holds_no_table_is_refused_in_words(table, tmp_path):
    for text in ("", "# Robust\n", "loss,noise,alpha\ngce,,0\n"):
        (tmp_path / "README.md").write_text(text)
        code, output, errors = table("--from", str(tmp_path / "README.md"))
        assert (code, output) == (1, "")
        assert "is not a table of results (" in errors and "no column" in errors
        assert "Error(" not in errors and "list" not in errors


@pytest.mark.parametrize("decimals", ["0", "-1", "2.5", "16", "many"])
def test_decimals_are_a_whole_number(table, decimals, capsys):
    with pytest.raises(SystemExit, match="2"):
        table(f"--decimals={decimals}")
    assert f"'{decimals}' is not a whole number from 1 to 15" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--published-only", "--no-published"], "leave out no-published"),
        (["--published-only", "--ci"], "leave out ci"),
        (["--published-only", "--by", "class"], "leave out by"),
        (["--published-only", "--runs", "here"], "leave out runs"),
        (["--published-only", "--duplicates", "all"], "leave out duplicates"),
    ],
)
def test_what_a_published_table_has_not_is_not_asked_of_it(table, words, told):
    found, output, errors = table("tloss_isic2017", *words)
    assert (found, output) == (2, "")
    assert told in errors


def left_over(folder, state, experiments=(), **labels):
    """Make a finished run of the fixture one that is not, with the labels of its status."""
    run = {**json.loads(folder.metrics.read_text())["run"], **labels}
    folder.update_status(state=state, run=run, experiments=list(experiments))


def test_what_is_left_out_is_counted_as_far_as_it_passes_the_filters(add_run, table):
    add_run("gce", experiments=["one"])
    left_over(add_run("gce", seed=1), "running", ["one"])
    left_over(add_run("gce", seed=2), "running", ["other"])
    left_over(add_run("mae", seed=3), "failed", ["one"])
    left_over(add_run("gce", dataset="isic2017"), "failed", ["one"])
    unknown = add_run("gce", seed=4)
    unknown.status.write_text("garbage")

    def left_out(*filters):
        said = table(*filters)[2].removeprefix(f"Left out of {add_run.runs}: ").rstrip(".\n")
        return dict(reversed(part.split(" ", 1)) for part in said.split(", "))

    lost = {"without a readable status.json": "1"}
    assert left_out() == {"unfinished": "2", "failed": "2"} | lost
    assert left_out("one") == {"unfinished": "1", "failed": "2"} | lost
    assert left_out("one", "--loss", "gce") == {"unfinished": "1", "failed": "1"} | lost
    assert left_out("--dataset", "synthetic") == {"unfinished": "2", "failed": "1"} | lost
    assert left_out("--where", "seed=0") == {"failed": "1"} | lost
    assert left_out("--where", "trainer.max_epochs=30") == left_out()  # they do not tell


@pytest.mark.parametrize("command", ["table", "claims"])
def test_no_run_is_denied_that_is_there_and_damaged(add_run, command, capsys):
    add_run("gce", dataset="mine")
    damaged = add_run("gce", name="broken", images={"a": 0.5})
    left_over(damaged, "done")
    damaged.update_status(files=damaged.files())
    damaged.images.unlink()
    call = [command, "--runs", str(add_run.runs), "--dataset"]
    assert main([*call, "synthetic"]) == 1
    said = capsys.readouterr().err
    assert "none of the 1 finished runs has dataset=synthetic; there are: mine" in said
    assert "; 1 run was left out: broken (with a damaged images.csv: " in said
    assert main([*call, "isic2017"]) == 1
    assert "left out" not in capsys.readouterr().err
