"""The tables kept beside the experiments are those of the results kept beside them."""

from pathlib import Path

import pytest

from robustseg.cli.main import main

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
KEPT = sorted(file.parent for file in EXPERIMENTS.glob("*/table.md"))
LAYOUT = {"tversky_histopathology": "domain"}


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_the_table_is_that_of_the_results(folder, capsys):
    layout = LAYOUT.get(folder.name, "noise")
    assert main(["table", "--from", str(folder / "results.csv"), "--layout", layout]) == 0
    table = capsys.readouterr().out
    assert table == (folder / "table.md").read_text(encoding="utf-8")
    assert table in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("experiment", ["tloss_isic2017", "tloss_shenzhen"])
def test_the_papers_table_is_that_of_what_it_published(experiment, capsys, monkeypatch):
    monkeypatch.chdir(EXPERIMENTS.parent)
    assert main(["table", experiment, "--published-only"]) == 0
    readme = (EXPERIMENTS / experiment / "README.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out in readme


def test_there_are_some():
    assert KEPT
