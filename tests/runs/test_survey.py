"""States of run folders, the status command, and rm and archive."""

import json
import os
import shutil
import socket
from collections import Counter
from pathlib import Path

import pytest

from robustseg.cli.main import main
from robustseg.runs.files import write_csv, write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA
from robustseg.runs.lock import hold
from robustseg.runs.survey import look, survey
from robustseg.terminal.printable import printable


@pytest.fixture
def add(tmp_path):
    """Writes a run folder as the program leaves it."""

    def make(loss, seed=0, state="done", alpha=0.5, **status):
        name = f"synthetic-{loss}-a{alpha:g}-s{seed}-{abs(hash((loss, seed, alpha))) % 10**8:08d}"
        folder = RunFolder(tmp_path / "runs" / name)
        labels = {
            "dataset": "synthetic", "loss": loss, "domain": None, "regularizer": "none",
            "epsilon": 0, "noise": "morphological" if alpha else None, "alpha": alpha,
            "beta": 0.7 if alpha else None, "seed": seed,
        }  # fmt: skip
        given = {"schema": SCHEMA, "state": state, "run": labels, "epochs": 10, **status}
        write_json(folder.status, given)
        if state == "done":
            write_json(folder.metrics, {"dice_image": 0.5})
        return folder

    make.runs = tmp_path / "runs"
    return make


def call(*arguments, runs):
    return main([*arguments, "--runs", str(runs)])


def test_every_state_is_told_from_the_others(add):
    damaged = add("damaged")
    damaged.metrics.write_text("{")
    add("outdated", schema=SCHEMA - 1)
    add("failed", state="failed", error={"type": "OSError", "message": "disk full\nmore"})
    add("interrupted", state="running")
    running = add("running", state="running")
    write_csv(running.epochs, [{"epoch": n, "seconds": 2.0} for n in (1, 2, 3)])
    nothing = RunFolder(add.runs / "nothing")
    nothing.path.mkdir()
    add("done", collapsed="background")
    with hold(running.lock):
        states = {run.run_id.split("-")[1] if "-" in run.run_id else run.run_id: run
                  for run in survey(add.runs)}  # fmt: skip
    assert {name: run.state for name, run in states.items()} == {
        name: name for name in ("damaged", "outdated", "failed", "interrupted", "running", "done")
    } | {"nothing": "damaged"}
    assert states["failed"].reason == "OSError: disk full"
    progress = states["running"]
    assert (progress.epoch, progress.epochs, progress.seconds_left) == (3, 10, 14.0)
    assert progress.where == f"{socket.gethostname()}, process {os.getpid()}"
    assert states["done"].collapsed == "background"


def test_a_lock_whose_holder_is_gone_is_an_interruption(add):
    folder = add("gce", state="running")
    folder.lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": "1"}))
    assert look(folder).state == "running"
    os.utime(folder.lock, (1, 1))
    assert look(folder).state == "interrupted"


def test_the_grid_has_a_mark_for_each_seed(add, capsys):
    for seed in (2, 0):
        add("gce", seed)
    add("gce", 1, state="failed", error={"type": "ValueError", "message": "no"})
    add("mae", 0, alpha=0.0)
    add("mae", 1, alpha=0.0, collapsed="foreground")
    add("gce", 0, state="running", alpha=0.7)
    assert call("status", runs=add.runs) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "6 runs: 4 done, 1 interrupted, 1 failed; 1 collapsed"
    assert [line.split() for line in lines[3:6]] == [
        ["clean", "α=0.5", "β=0.7", "α=0.7", "β=0.7"],
        ["GCE", "●✗●", "◌"],
        ["MAE", "●○"],
    ]
    assert "failed. ValueError: no" in "\n".join(lines)
    assert "status.json" in "\n".join(lines)


def test_what_to_do_about_copies_and_failures(add, capsys):
    copy = RunFolder(shutil.copytree(add("gce").path, add.runs / "mycopy"))
    copy.update_status(run_id="the-original")
    move = "Move copies out of the folder of runs: a sweep neither uses nor retries them."

    def remedies():
        call("status", runs=add.runs)
        told = capsys.readouterr().out.strip().splitlines()
        assert any(
            "mycopy: damaged. mycopy is a copy: its files belong to the-orig" in t for t in told
        )
        return told[-1]

    assert remedies() == move
    failed = add("mae", state="failed", error={"type": "ValueError", "message": "no"})
    traceback = f"Tracebacks are in each run's status.json, such as {failed.status}."
    assert remedies() == f"{traceback} {move} Repeat the sweep to retry the others."


def test_a_folder_without_runs(add, capsys):
    add.runs.mkdir()
    assert call("status", runs=add.runs) == 1
    assert capsys.readouterr().out == f"No runs in {add.runs} yet.\n"
    assert call("status", "--state", "failed", runs=add.runs) == 1
    assert capsys.readouterr().out == f"There is no such run in {add.runs}.\n"


def test_status_as_json_and_with_filters(add, capsys):
    add("gce", experiments=["one"])
    add("mae", 1)
    assert call("status", "--format", "json", runs=add.runs) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["counts"]["done"] == len(whole["runs"]) == 2
    for filters, losses in (
        (["--experiment", "one"], ["gce"]),
        (["--where", "seed=1.0", "alpha=0.5"], ["mae"]),
        (["--where", "loss=gce,mae"], ["gce", "mae"]),
        (["--state", "failed"], []),
    ):
        call("status", "--format", "json", *filters, runs=add.runs)
        found = json.loads(capsys.readouterr().out)["runs"]
        assert [run["labels"]["loss"] for run in found] == losses
    assert call("status", "--where", "seed", runs=add.runs) == 2
    assert call("status", runs=add.runs / "none") == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--where", "alph=1"], 2, "no run has a setting 'alph'; did you mean alpha?"),
        (["--where", "optimiser.lr=1"], 2, "did you mean optimizer.lr?"),
        (["--where", "loss=gc"], 1, "none of the 2 runs has loss=gc; did you mean gce?"),
        (["--where", "optimizer.lr=3"], 1, "none of the 2 runs has optimizer.lr=3"),
        (["--experiment", "on"], 1, "no run belongs to the experiment 'on'; did you mean one?"),
    ],
)
def test_a_filter_that_no_run_passes_is_answered_as_by_tables(add, capsys, words, code, told):
    add("gce", experiments=["one"])
    write_settings(add("mae"), {"optimizer": {"lr": 0.1}})
    assert call("status", *words, runs=add.runs) == code
    assert told in capsys.readouterr().err


def test_runs_are_chosen_by_settings(add, capsys):
    add("gce")
    write_settings(add("mae"), {"optimizer": {"lr": 0.1}})
    assert call("status", "--where", "optimizer.lr=1e-1", runs=add.runs) == 0
    output = capsys.readouterr().out
    assert "1 run: 1 done" in output and "MAE" in output


def write_settings(folder, settings):
    write_json(folder.metrics, {"dice_image": 0.5, "settings": settings})


def test_no_file_of_a_run_is_read_twice(add, monkeypatch):
    for number in range(3):
        add("gce", number, alpha=0.3)
    read, opened = os.open, Counter()

    def counting(file, *args, **options):
        opened[str(file)] += 1
        return read(file, *args, **options)

    monkeypatch.setattr(os, "open", counting)
    assert len(survey(add.runs)) == 3
    assert {Path(file).name for file in opened} >= {"status.json", "metrics.json"}
    assert set(opened.values()) == {1}, opened


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("n", 3), ("", 3)])
def test_rm_asks_first(add, monkeypatch, capsys, answer, left):
    add("gce", 0, state="failed")
    add("gce", 1, state="failed")
    add("gce", 2)
    monkeypatch.setattr("builtins.input", lambda question: print(question) or answer)
    assert call("runs", "rm", "--state", "failed", runs=add.runs) == (0 if answer == "y" else 1)
    assert "Delete: 2 folders (2 failed)? [y/N]" in capsys.readouterr().out
    assert len(list(add.runs.iterdir())) == left


@pytest.mark.parametrize("command", ["rm", "archive"])
def test_what_changes_while_the_question_is_open_stays(add, monkeypatch, capsys, command):
    """A sweep beside it tries failed runs again."""
    finished, gone, failed = (add("gce", seed, state="failed") for seed in range(3))
    interrupted = add("mae", state="running")

    def answer(question):
        finished.update_status(state="done")
        write_json(finished.metrics, {"dice_image": 0.5})
        shutil.rmtree(gone.path)
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    words = ["runs", command, "--state", "failed", "interrupted"]
    assert call(*words, runs=add.runs) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line[0] != " "]
    assert said[0] == f"{finished.run_id} was failed, is now done and stays where it is"
    assert said[1] == f"{gone.run_id} is no longer there"
    assert said[2].startswith("2 folders ")
    assert [*add.runs.iterdir()] == [finished.path]
    assert {path.name for path in finished.path.iterdir()} >= {"status.json", "metrics.json"}
    assert not interrupted.path.exists() and not failed.path.exists()


@pytest.mark.parametrize("name", ["a\x1bb", "a\udcffb"])
def test_a_folder_whose_name_is_not_shown_as_it_is_can_be_deleted(add, capsys, name):
    folder, twin = add("gce"), add("mae", state="failed")
    folder.path.rename(add.runs / name)
    twin.path.rename(add.runs / printable(name))
    assert call("runs", "rm", "--yes", "--state", "failed", runs=add.runs) == 0
    assert [path.name for path in add.runs.iterdir()] == [name]
    assert call("runs", "rm", "--yes", "--state", "damaged", runs=add.runs) == 0
    assert "1 folder deleted" in capsys.readouterr().out
    assert [*add.runs.iterdir()] == []


def test_rm_needs_a_filter_and_spares_running_runs(add, capsys):
    folder = add("gce", state="running")
    assert call("runs", "rm", "--yes", runs=add.runs) == 2
    assert "which runs?" in capsys.readouterr().err
    with hold(folder.lock):
        assert call("runs", "rm", "--yes", "--where", "loss=gce", runs=add.runs) == 1
    assert folder.status.exists()
    assert call("runs", "rm", "--yes", "--where", "loss=gce", runs=add.runs) == 0
    assert not folder.path.exists()
    assert call("runs", "rm", "--yes", "no-such-run", runs=add.runs) == 2


def test_what_was_set_aside_can_be_deleted_and_nothing_else(add):
    folder, other = add("gce", alpha=0.25), add("mae")
    aside = folder.set_aside()
    write_json(folder.status, {"schema": SCHEMA, "state": "done"})
    (add.runs / ".hidden").mkdir()
    assert call("runs", "rm", "--yes", "--aside", runs=add.runs) == 0
    assert not aside.exists()
    assert {path.name for path in add.runs.iterdir()} == {
        folder.run_id, other.run_id, ".hidden"
    }  # fmt: skip


@pytest.mark.parametrize("place", [".", "..", "../runs"])
def test_archive_is_beside_the_runs_however_they_are_named(add, tmp_path, monkeypatch, place):
    add("tloss", 0)
    (folder,) = (tmp_path / "runs").iterdir()
    (tmp_path / "runs" / ".aside").mkdir()
    inside = {".": "runs", "..": "runs/.aside", "../runs": "runs"}[place]
    monkeypatch.chdir(tmp_path / inside)
    assert main(["runs", "archive", folder.name, "--runs", place, "--yes"]) == 0
    assert (tmp_path / "runs-archive" / folder.name / "status.json").exists()


def test_archive_moves_runs_to_where_tables_can_be_made(add, tmp_path, capsys):
    folder = add("gce")
    add("mae")
    assert call("runs", "archive", "--yes", "--where", "loss=gce", runs=add.runs) == 0
    archive = tmp_path / "runs-archive"
    assert [run.state for run in survey(archive)] == ["done"]
    assert not folder.path.exists()
    assert not (archive / folder.run_id / "lock").exists()
    add("gce")
    assert call("runs", "archive", "--yes", "--where", "loss=gce", runs=add.runs) == 2
    assert "exists already" in capsys.readouterr().err
    assert folder.status.exists()


def test_what_cannot_be_read_is_not_called_damaged(add, refused, capsys):
    add("gce")
    status, metrics, lock = (add(loss) for loss in ("mae", "rce", "nce"))
    lock.status.unlink()
    lock.lock.touch()
    files = (status.status, metrics.metrics, lock.lock)
    refused("os.open", lambda path: path in files)
    assert {run.reason for run in survey(add.runs) if run.state == "unreadable"} == {
        f"{file.name} cannot be read (Permission denied)" for file in files
    }
    assert call("status", runs=add.runs) == 0
    output = capsys.readouterr().out
    assert "4 runs: 1 done, 3 unreadable" in output
    assert f"{metrics.run_id}: metrics.json cannot be read (Permission denied)" in output
    assert "damaged" not in output and "Repeat the sweep" not in output
    assert [line.split() for line in output.splitlines()[4:6]] == [["GCE", "●"], ["RCE", "?"]]


@pytest.mark.parametrize(
    "entries",
    [{"experiments": None}, {"experiments": [1]}, {"run": []}, {"attempts": ["once"]},
     {"error": "no"}, {"epochs": "ten"}],
)  # fmt: skip
def test_a_status_of_wrong_content_is_damaged(add, capsys, entries):
    add("gce", **entries)
    (run,) = survey(add.runs)
    assert run.state == "damaged"
    assert run.reason.startswith(f"status.json is damaged: {next(iter(entries))}")
    assert call("status", "--experiment", "one", runs=add.runs) == 1
    assert call("status", runs=add.runs) == 0


def test_a_status_of_wrong_labels_tells_none(add, capsys):
    run = look(add("gce", run={"dataset": "synthetic", "loss": "gce", "alpha": None}))
    assert (run.state, run.labels) == ("done", {})
    assert call("status", runs=add.runs) == 0


def test_epochs_of_wrong_content_tell_no_progress(add):
    folder = add("gce", state="running")
    folder.epochs.write_text("epoch,seconds\n1,long\n")
    assert look(folder).seconds_left is None


@pytest.mark.parametrize("also", [[], ["config.yaml"]])
def test_a_run_that_was_killed_before_its_status_is_interrupted(tmp_path, also):
    folder = RunFolder(tmp_path / "some-run")
    folder.path.mkdir()
    for name in also:
        (folder.path / name).touch()
    folder.lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": "1"}))
    os.utime(folder.lock, (1, 1))
    assert (look(folder).state, look(folder).epochs) == ("interrupted", None)
    (folder.path / "metrics.json").touch()
    assert look(folder).state == "damaged"


def test_a_run_that_has_no_status_yet_is_starting(tmp_path, capsys):
    with hold(RunFolder(tmp_path / "some-run").lock):
        call("status", runs=tmp_path)
    assert "some-run: starting (" in capsys.readouterr().out
