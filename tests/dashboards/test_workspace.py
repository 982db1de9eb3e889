"""The dashboard as code: complete, of keys that runs log, and always the same."""

import json
import re
import shutil

import pytest

from robustseg.cli.main import main
from robustseg.results.load import load_runs
from robustseg.runs.folder import RunFolder
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def made(swept, tmp_path_factory):
    file = tmp_path_factory.mktemp("workspace") / "workspace.json"
    command = ["wandb", "workspace", "mini", "--runs", str(swept.runs), "-o", str(file)]
    assert main(command) == 0
    return command, json.loads(file.read_text())


def panels(view):
    sections = view["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in sections}


def test_there_is_a_section_for_every_question(made):
    assert list(panels(made[1])) == [
        "Dice against α by loss",
        "Memorisation",
        "ν of the T-Loss",
        "Domain against batch size",
        "Failed runs",
        "Images",
    ]
    assert all(panels(made[1]).values())


def test_every_panel_shows_what_runs_log(made, swept):
    one = swept.found["tloss"]
    text = json.dumps(panels(made[1]))
    for path in re.findall(r'"config:([^"]+)"|"groupBy": "([^"]*value[^"]*)"', text):
        keys = [key for key in "".join(path).split(".") if key != "value"]
        if keys == ["loss", "domain"]:  # of region losses only
            continue
        found = one["config"]
        for key in keys:
            found = found[key]
    shown = re.findall(r'"summary:([^"]+)"', text)
    for config in (panel["config"] for of in panels(made[1]).values() for panel in of):
        shown += config.get("metrics", []) + config.get("mediaKeys", [])
    assert {"dice_image", "nu", "train_dice_noisy", "examples/test"} <= set(shown)
    assert set(shown) <= set(one["summary"])


def test_runs_of_the_experiment_have_the_colour_of_their_loss(made, swept):
    section = made[1]["spec"]["section"]
    (filtered,) = section["runSets"][0]["filters"]["filters"]
    assert (filtered["key"]["name"], filtered["value"]) == ("group", "mini")
    ids = {one["run_id"] for one in swept.found.values()}
    assert set(section["customRunColors"]) == ids
    assert len(set(section["customRunColors"].values())) == 3


def test_without_an_experiment_all_runs_are_shown(swept, capsys):
    assert main(["wandb", "workspace", "--runs", str(swept.runs)]) == 0
    section = json.loads(capsys.readouterr().out)["spec"]["section"]
    assert set(section["customRunColors"]) == {one["run_id"] for one in swept.found.values()}
    assert section["runSets"][0]["filters"]["filters"] in ([], [{"op": "AND", "filters": []}])


def test_the_same_call_gives_the_same_file(made, capsys):
    command, view = made
    assert main(command[:-2]) == 0
    assert json.loads(capsys.readouterr().out) == view


def test_an_unknown_experiment_is_named_with_the_nearest_known_one(swept, capsys, tmp_path):
    assert main(["wandb", "workspace", "minni", "--runs", str(swept.runs)]) == 1
    assert "did you mean mini?" in capsys.readouterr().err
    assert main(["wandb", "workspace", "mini", "--runs", str(tmp_path / "none")]) == 1
    assert "no such directory" in capsys.readouterr().err


def test_losses_of_a_whole_table_have_colours_of_their_own(capsys):
    record = ROOT / "experiments/tloss_isic2017_small/record"
    assert main(["wandb", "workspace", "tloss_isic2017_small", "--runs", str(record)]) == 0
    section = json.loads(capsys.readouterr().out)["spec"]["section"]
    losses = set(load_runs(record, experiment="tloss_isic2017_small")["loss"])
    assert len(losses) > 7
    assert len(set(section["customRunColors"].values())) == len(losses)


def test_runs_trained_for_another_experiment_are_chosen_by_id(swept, tmp_path, capsys):
    shutil.copytree(swept.runs, tmp_path / "runs")
    for folder in (tmp_path / "runs").iterdir():
        if not folder.name.startswith("."):
            run = RunFolder(folder)
            run.update_status(experiments=[*run.read_status()["experiments"], "second"])
    capsys.readouterr()
    assert main(["wandb", "workspace", "second", "--runs", str(tmp_path / "runs")]) == 0
    section = json.loads(capsys.readouterr().out)["spec"]["section"]
    (filtered,) = section["runSets"][0]["filters"]["filters"]
    ids = sorted(one["run_id"] for one in swept.found.values())
    assert (filtered["key"]["name"], filtered["op"], filtered["value"]) == ("name", "IN", ids)
