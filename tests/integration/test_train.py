"""train.py as a user calls it."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from robustseg.cli.train import main
from tests.conftest import TINY
from tests.program import call

ROOT = Path(__file__).parents[2]


def train(*arguments, python=()):
    return subprocess.run(
        [sys.executable, *python, "train.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.fixture
def places(tmp_path, cache):
    return [f"paths.runs={tmp_path}/runs", f"paths.logs={tmp_path}/logs", f"paths.cache={cache}"]


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_help_and_configuration_import_nothing_heavy(arguments):
    done = train(*arguments, python=["-X", "importtime"])
    assert done.returncode == 0
    assert "noise" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"torch", "pytorch_lightning", "albumentations", "wandb", "pandas"}


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("noise.alhpa=0.3", "did you mean noise.alpha=0.3?"),
        ("+loss.qq=1", "there are: learn, log_nu, log_precision"),
        ("loss=tlos", "did you mean loss=tloss?"),
        ("lose=tloss", "did you mean loss=tloss?"),
    ],
)
def test_a_wrong_override_is_refused_with_a_suggestion(override, suggestion, places, tmp_path):
    done = train(override, "logger=none", *places)
    assert done.returncode == 2
    assert suggestion in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_choice_of_ones_own_without_a_name_is_named_by_its_file(places, tmp_path):
    file = tmp_path / "own" / "loss" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("_target_: robustseg.losses.MAELoss\n", encoding="utf-8")
    done = call(tmp_path, f"--config-dir={tmp_path}/own", "loss=mine", *places)
    assert done.returncode == 2
    assert f"loss has no name: add name: to {file}\n" in done.stderr


def test_a_sweep_goes_on_after_a_failure_and_then_skips_what_is_done(places, tmp_path):
    # 31 is odd and the network has two stages, so these runs fail.
    grid = ["-m", *TINY, "trainer.max_epochs=1", *places, "dataset.image_size=32,31"]
    done = call(tmp_path, *grid, "loss=mae,gce", "noise.alpha=0", "noise.beta=0.5,0.7")
    assert done.returncode == 1
    assert "4 runs: 2 done, 2 failed" in done.stdout
    assert "is not a multiple of 2" in done.stdout
    again = call(tmp_path, "loss=mae,gce", *grid, "noise.alpha=0")  # on both sides of -m
    assert "4 runs: 2 skipped, 2 failed" in again.stdout
    assert again.returncode == 1
    assert len(list((tmp_path / "runs").iterdir())) == 4


def test_a_sweep_in_one_process_forces_a_run_of_two_cells_once(places, tmp_path):
    twice = ["noise.alpha=0", "noise.beta=0.5,0.7"]  # without noise β changes nothing
    done = call(tmp_path, "-m", *TINY, "trainer.max_epochs=1", *places, *twice, "force=true")
    assert done.returncode == 0
    assert len(list((tmp_path / "runs").iterdir())) == 1  # nothing was set aside


def test_skipping_imports_nothing_heavy(places):
    arguments = [*TINY, "trainer.max_epochs=1", *places]
    assert train(*arguments).returncode == 0
    again = train(*arguments, python=["-X", "importtime"])
    assert "finished before, skipped" in again.stdout
    assert "| torch\n" not in again.stderr


def test_a_sweep_over_experiments_with_grids_is_refused(places, tmp_path):
    done = call(tmp_path, "-m", "+experiment=demo,own_data", *places)
    assert done.returncode == 2
    assert "demo, own_data: a sweep over experiments would not train the grid" in done.stderr
    assert not (tmp_path / "runs").exists()
    done = call(tmp_path, "+experiment=demo,own_data", *places)
    assert (
        "+experiment=demo,own_data has several values: run the command once per experiment"
        in done.stderr
    )


def test_a_failure_that_could_not_be_kept_is_one(places, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "outcomes").touch()
    words = [*TINY, *places, "dataset.image_size=31", "loss=mae,gce"]
    done = call(tmp_path, "-m", *words, f"hydra.sweep.dir={tmp_path}/sweep")
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "this could not be kept" in line]
    said = [line for line in lines if ": failed " in line]
    assert len(said) == 2 and all("is not a multiple of 2" in line for line in said)


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_a_run_that_would_change_its_folder_is_refused(places, tmp_path, sweep):
    done = call(tmp_path, *sweep, *TINY, *places, "hydra.job.chdir=true")
    assert done.returncode == 2
    assert "hydra.job.chdir=true" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_batches_of_a_sweep_go_on_after_a_failure_and_an_old_sweep_is_forgotten(places, tmp_path):
    words = ["-m", *TINY, *places, f"hydra.sweep.dir={tmp_path}/sweep"]
    done = call(tmp_path, *words, "optimizer.lr=1e30,1e-3,1e-2", "hydra.sweeper.max_batch_size=1")
    assert done.returncode == 1
    assert "3 runs: 1 failed, 2 done." in done.stdout
    again = call(tmp_path, *words, "optimizer.lr=1e-3")
    assert again.returncode == 0
    assert "1 run: 1 skipped." in again.stdout


def test_what_is_forced_is_not_resumed_by_the_same_command(places, tmp_path):
    done = call(tmp_path, *TINY, *places, "force=true", "minutes=0.0001")
    assert done.returncode == 0
    assert done.stdout.endswith("Leave out force=true to resume what was interrupted.\n")


def test_a_sweep_goes_on_when_nobody_reads_its_output_any_more(places, tmp_path):
    words = [*TINY, "trainer.max_epochs=1", *places, "loss=gce,mae,mse"]
    command = shlex.join([sys.executable, "train.py", "-m", *words])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "3 runs, one after another\n")
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 3


def test_ctrl_c_before_anything_or_in_the_summary_is_one_line(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("robustseg.terminal.output.print_anything", interrupted)
    assert main(["loss=gce"]) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"
