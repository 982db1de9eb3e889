import argparse
import json

import pytest

from robustseg.results.cli import add_parser


@pytest.fixture
def table(add_run, capsys):
    def run(*arguments):
        parser = argparse.ArgumentParser()
        add_parser(parser.add_subparsers())
        options = parser.parse_args(["table", "--runs", str(add_run.runs), *arguments])
        return options.main(options), *capsys.readouterr()

    return run


def losses(output):
    return [line.split("|")[1].strip() for line in output.splitlines() if line.startswith("|")][2:]


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


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--metric", "dice_imag"], 2, "no run has a number 'dice_imag'; did you mean dice_image?"),
        (["--dataset", "syntetic"], 1, "did you mean synthetic?"),
        (["other"], 1, "none of the 1 finished runs has any experiment"),
        (["--where", "alpha"], 2, "KEY=VALUE"),
        (["--where", "alhpa=0.3"], 2, "did you mean alpha?"),
        (["--runs", "/nowhere"], 1, "there is no folder /nowhere; make some with: python train.py"),
    ],
)
def test_mistakes_are_answered_with_what_would_help(add_run, table, arguments, code, message):
    add_run("gce")
    found, output, errors = table(*arguments)
    assert (found, output) == (code, "")
    assert message in errors
