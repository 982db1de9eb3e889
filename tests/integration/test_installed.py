"""The installed package, outside of any checkout: from `robustseg init` to a table."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import robustseg

ROOT = Path(__file__).parents[2]


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """Where the wheel is installed, beside the libraries of this environment."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    pip("install", "--no-deps", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture(scope="module")
def command(site, tmp_path_factory):
    """The installed command, called in a folder."""

    def call(folder, *arguments, **environment):
        return subprocess.run(
            [sys.executable, site / "bin" / "robustseg", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"} | environment,
            capture_output=True,
            text=True,
        )

    return call


@pytest.fixture(scope="module")
def project(command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("projects")
    made = command(folder, "init", "lesions")
    assert made.returncode == 0, made.stderr
    return folder / "lesions"


def test_a_project_trains_an_own_loss_on_own_images_in_a_sweep(command, project):
    trained = command(
        project,
        *("train", "+experiment=first", "trainer.max_epochs=1", "evaluation.every=1"),
        *("loss=poly1,mae", "noise.alpha=0.5", "dataset.image_size=32"),
    )
    assert trained.returncode == 0, trained.stderr
    assert "2 runs: 2 done" in trained.stdout
    table = command(project, "table", "first")
    assert "| poly1 |" in table.stdout and "| MAE " in table.stdout
    assert "dice_image on mine" in table.stdout
    checked = command(project, "data", "check", "dataset=mine")
    assert checked.returncode == 0 and "96×96 (40)" in checked.stdout


@pytest.fixture
def fresh(wheel, tmp_path):
    """The command in an environment of its own, to which pip brought all that the wheel asks for.

    It takes gigabytes, so it is removed.
    """
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    outside = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}

    def call(place, program, *arguments):
        made = subprocess.run(
            [folder / "bin" / program, *arguments],
            cwd=place,
            env=outside,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    call(tmp_path, "pip", "install", "--quiet", "--no-cache-dir", str(wheel))
    yield call
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_fresh_environment_has_all_that_training_needs(fresh, tmp_path):
    small = ("dataset.image_size=32", "model.features=[4,8]", "trainer.max_epochs=1")
    empty = tmp_path / "empty"
    empty.mkdir()
    fresh(empty, "robustseg", "train", *small, f"paths.cache={tmp_path}/cache")
    assert "| T-Loss |" in fresh(empty, "robustseg", "table", "--runs", "runs")
    assert fresh(empty, "robustseg", "init", "lesions")
    project = empty / "lesions"
    trained = fresh(
        project,
        *("robustseg", "train", "+experiment=own_data", "dataset.root=data", *small),
        *("dataset.folds=2", "dataset.fold=0,1", "loss=mae,dice_ce", "evaluation.last=1"),
        f"paths.cache={tmp_path}/cache",
    )
    assert "4 runs: 4 done" in trained
    table = fresh(project, "robustseg", "table", "own_data")
    assert "| MAE " in table and "| Dice + CE " in table


def test_a_project_is_not_written_over_another_folder(command, project):
    refused = command(project.parent, "init", "lesions")
    assert refused.returncode == 2
    assert "lesions is not empty" in refused.stderr


def test_every_command_finds_a_folder_of_settings(command, project, tmp_path):
    own = tmp_path / "settings" / "dataset"
    own.mkdir(parents=True)
    text = (project / "conf" / "dataset" / "mine.yaml").read_text()
    (own / "theirs.yaml").write_text(text.replace("root: data", f"root: {project / 'data'}"))
    call = ("data", "check", "dataset=theirs")
    assert "there is no dataset=theirs" in command(tmp_path, *call).stderr
    for found in (
        command(tmp_path, *call, "--config-dir", str(own.parent)),
        command(tmp_path, *call, ROBUSTSEG_CONFIG_DIR=str(own.parent)),
        command(tmp_path, *call, "-cd", "settings"),
    ):
        assert found.returncode == 0 and "96×96 (40)" in found.stdout, found.stderr
    shown = command(tmp_path, "train", "--config-dir", "settings", "dataset=theirs", "--cfg", "job")
    assert "name: mine" in shown.stdout
    missing = command(tmp_path, *call, "--config-dir", "nowhere")
    assert missing.returncode == 2 and "nowhere, of --config-dir" in missing.stderr


def test_a_choice_of_ones_own_never_hides_behind_ours(command, tmp_path):
    loss = tmp_path / "conf" / "loss"
    loss.mkdir(parents=True)
    (loss / "dice.yaml").write_text("name: dice\n_target_: mine.Dice\n")
    refused = command(tmp_path, "train", "loss=mae", "--cfg", "job")
    assert refused.returncode == 2
    assert f"{loss / 'dice.yaml'} has the name of one of robustseg's own choices" in refused.stderr


def test_what_the_papers_published_is_installed(command, site, tmp_path):
    code = (
        "from robustseg.results.tables.published import load_published\n"
        "print(load_published(None, 'isic2017', None).find("
        "'dice_image', {'loss': 'tloss', 'alpha': 0.7, 'beta': 0.7, 'noise': 'morphological'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert "mean=0.761" in shown.stdout, shown.stderr


def test_the_version_and_the_module(command, site, tmp_path):
    assert command(tmp_path, "--version").stdout == f"robustseg {robustseg.__version__}\n"
    listed = subprocess.run(
        [sys.executable, "-m", "robustseg", "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert "train one run, or with -m a sweep" in listed.stdout
