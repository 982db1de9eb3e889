"""Finished folders become the wandb runs that they would have been."""

import pytest
import wandb

from robustseg.cli.main import main
from robustseg.dashboards.card import make_card
from tests.dashboards.conftest import files, records, summaries


def upload(swept, logs, *options):
    return main(
        ["wandb", "upload", "mini", "--runs", str(swept.runs), "--logs", str(logs), *options]
    )


@pytest.fixture(scope="module")
def uploaded(swept, tmp_path_factory):
    """The logs folder after an upload of the sweep, which was logged live as well."""
    logs = tmp_path_factory.mktemp("logs")
    assert upload(swept, logs, "--offline", "--all") == 0
    return logs


def ours(tree):
    """Without wandb's own times and random names."""
    if isinstance(tree, dict):
        return {
            k: ours(v) for k, v in tree.items() if not k.startswith("_") and k != "artifact_path"
        }
    return tree


def test_an_upload_is_what_live_logging_gives(swept, uploaded):
    assert wandb.run is None
    found = {one["config"]["loss"]["name"]: one for one in summaries(uploaded / "uploads")}
    assert set(found) == set(swept.found)
    for loss, live in swept.found.items():
        late = found[loss]
        for part in ("run_id", "name", "tags", "config", "state", "exit_code", "project"):
            assert late[part] == live[part]
        assert ours(late["summary"]) == ours(live["summary"])


def test_curves_artifacts_and_pictures_are_the_same(swept, uploaded):
    (late,) = (f for f in files(uploaded / "uploads") if "-tloss-" in f.name)
    logged = []
    for file in (swept.file("tloss"), late):
        rows = records(file)
        (run,) = (r["run"] for r in rows if r["type"] == "run")
        media = sorted(f.name for f in (file.parent / "files" / "media").rglob("*.*"))
        logged.append(
            {
                "group": run["run_group"],
                "job type": run["job_type"],
                "history": [ours(r["history"]["item"]) for r in rows if r["type"] == "history"],
                "artifacts": {
                    r["artifact"]["name"]: r["artifact"]["digest"]
                    for r in rows
                    if r["type"] == "artifact"
                },
                "media": media,
            }
        )
    drop_artifact_paths(logged)
    assert logged[0] == logged[1]
    assert logged[0]["group"] == "mini"
    assert not [r for r in records(late) if str(swept.runs) in str(r)]


def drop_artifact_paths(logged):
    """wandb names the files of a table's artifact at random."""
    for one in logged:
        for row in one["history"]:
            for key in [k for k in row if k.endswith(("artifact_path", "._type"))]:
                del row[key]


def test_what_was_logged_or_uploaded_before_is_passed_over(swept, uploaded, tmp_path, capsys):
    before = files(uploaded / "uploads")
    assert upload(swept, uploaded, "--offline", "--all") == 0
    said = capsys.readouterr().out
    assert "3 written before" in said
    assert f"To send them: robustseg wandb sync {uploaded / 'uploads' / 'robustseg'}" in said
    assert files(uploaded / "uploads") == before
    assert upload(swept, tmp_path, "--offline") == 0
    said = capsys.readouterr().out
    assert "3 logged during training" in said
    assert said.endswith(f"training: robustseg wandb sync {tmp_path}\n")
    assert not list(tmp_path.rglob("*.wandb"))


def test_pictures_can_be_left_out_and_another_project_has_runs_of_its_own(swept, tmp_path, capsys):
    call = (swept, tmp_path, "--offline", "--all", "--images", "never")
    assert upload(*call) == 0
    assert len(files(tmp_path / "uploads")) == 3
    assert not list(tmp_path.rglob("*.png"))
    assert upload(*call, "--project", "mine", "--entity", "us") == 0
    assert capsys.readouterr().out.count("3 written\n") == 2
    assert len(files(tmp_path / "uploads" / "us" / "mine")) == 3


def test_without_an_experiment_all_runs_are_uploaded(swept, tmp_path, capsys):
    command = ["wandb", "upload", "--runs", str(swept.runs), "--logs", str(tmp_path)]
    assert main([*command, "--offline", "--all"]) == 0
    assert "3 written" in capsys.readouterr().out
    groups = {
        record["run"]["run_group"]
        for file in files(tmp_path / "uploads")
        for record in records(file)
        if record["type"] == "run"
    }
    assert groups == {"mini"}  # their own


def test_a_long_tag_is_cut_and_stays_its_own():
    labels = {"run_id": "x-1", "dataset": "d" * 80, "loss": "d" * 79, "noise": None}
    labels |= {"regularizer": "none", "alpha": 0}
    tags = make_card("x", labels, {}, None).tags
    assert [len(tag) for tag in tags] == [64, 64, 5]
    assert len(set(tags)) == 3


def test_an_unknown_experiment_is_named_with_the_nearest_known_one(swept, tmp_path, capsys):
    command = ["wandb", "upload", "minni", "--runs", str(swept.runs), "--logs", str(tmp_path)]
    assert main([*command, "--offline"]) == 1
    assert "did you mean mini?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_record_becomes_runs_with_its_curves_and_numbers(swept, tmp_path):
    record, logs = tmp_path / "record", tmp_path / "logs"
    assert main(["runs", "pack", "mini", "--runs", str(swept.runs), "-o", str(record)]) == 0
    command = ["wandb", "upload", "mini", "--runs", str(record), "--logs", str(logs)]
    assert main([*command, "--offline"]) == 0
    found = {one["config"]["loss"]["name"]: one for one in summaries(logs / "uploads")}
    assert set(found) == set(swept.found)
    for loss, live in swept.found.items():
        assert found[loss]["config"] == live["config"]
        told = ours(found[loss]["summary"])
        assert told == {name: ours(live["summary"])[name] for name in told} and "dice_image" in told
    (late,) = (f for f in files(logs / "uploads") if "-tloss-" in f.name)
    histories = [
        [ours(row["history"]["item"]) for row in records(file) if row["type"] == "history"]
        for file in (swept.file("tloss"), late)
    ]
    curves = [_curves(items) for items in histories]
    assert curves[0] == curves[1] and len(curves[1]) == len(histories[1]) > 1


def _curves(items):
    """Steps of a history without those that only hold pictures."""
    steps = [[one for one in item if "dice" in str(one)] for item in items]
    return [step for step in steps if step and not any("examples" in str(one) for one in step)]
