"""One rule of exit codes for every command and train.py; see docs/reference/exit_codes.md.

0: done. 1: something failed, or there is nothing to show. 2: the call is wrong.
"""

import os
import sys
from pathlib import Path

import pytest

from robustseg import errors
from robustseg.cli import main as program
from robustseg.cli.main import main
from tests.conftest import TINY
from tests.program import call

ROOT = Path(__file__).parents[2]
SMALL = ["dataset.image_size=32", "dataset.source.train=4", "dataset.source.test=2"]

# The words RUN, RUNS, OUT, EMPTY and NOWHERE stand for paths.
CALLS = [
    (0, "table --runs RUNS"),
    (1, "table --runs EMPTY"),
    (1, "table --runs RUNS --dataset isic2017"),
    (1, "table nosuch --runs RUNS"),
    (2, "table --runs RUNS --metric nosuch"),
    (2, "table --runs RUNS --where nosuch=1"),
    (2, "table --runs RUNS --sort 3"),
    (2, "table nosuch --published-only"),
    (1, "claims --runs RUNS"),
    (1, "claims --runs EMPTY"),
    (2, "claims --runs RUNS --metric nosuch"),
    (1, "ranks --runs RUNS"),
    (1, "ranks --runs EMPTY"),
    (2, "ranks --runs RUNS --metric nosuch"),
    (0, "status --runs RUNS"),
    (1, "status --runs EMPTY"),
    (1, "status --runs NOWHERE"),
    (2, "status --runs RUNS --where alpha"),
    (2, "status --state nosuch"),
    (1, "runs rm --runs EMPTY --state failed"),
    (1, "runs rm --runs NOWHERE --state failed"),
    (2, "runs rm --runs RUNS"),
    (2, "runs rm nosuch --runs RUNS"),
    (2, "runs"),
    (0, "figures --runs RUNS -o OUT"),
    (1, "figures --runs EMPTY --out OUT"),
    (2, "figures --runs RUNS --images some"),
    (0, "results mine --runs RUNS -o OUT"),
    (1, "results yours --runs RUNS --out OUT"),
    (2, "results mine --runs RUNS --out OUT --test nosuch"),
    (0, "report --runs RUNS -o OUT/r.html"),
    (1, "report yours --runs RUNS -o OUT/r.html"),
    (2, "report --runs RUNS --where alhpa=0.3 -o OUT/r.html"),
    (0, "init OUT/project"),
    (2, "init RUNS"),
    (0, "train --cfg job"),
    (2, "train -m --cfg job"),
    (2, "train loss=tlos"),
    (2, "train --config-dir NOWHERE"),
    (0, "data check SMALL"),
    (1, "data check dataset=folder dataset.root=NOWHERE"),
    (1, "data check SMALL dataset.train_size=99"),
    (2, "data check dataset=isic"),
    (2, "data check noise.alpha=2"),
    (2, "data check dataset.image_size=8"),
    (2, "data check +dataset.nosuch=1"),
    (2, "data download nosuch"),
    (0, "noise preview SMALL noise.alpha=1 -o OUT/n.png"),
    (1, "noise preview SMALL -o OUT/n.png"),
    (2, "noise preview SMALL noise.alpha=2 -o OUT/n.png"),
    (2, "noise preview SMALL noise.alpha=1 --count 0 -o OUT/n.png"),
    (2, "noise preview SMALL noise=markov noise.model.theta2=7 -o OUT/n.png"),
    (0, "noise export OUT/masks SMALL noise.alpha=1"),
    (1, "noise export OUT/masks dataset=folder dataset.root=NOWHERE"),
    (2, "noise export OUT/masks noise.alhpa=1"),
    (1, "predict RUN NOWHERE -o OUT"),
    (1, "predict NOWHERE EMPTY -o OUT"),
    (2, "predict RUN EMPTY -o OUT --threshold 2"),
    (0, "evaluate RUN dataset=synthetic SMALL"),
    (1, "evaluate NOWHERE dataset=synthetic SMALL"),
    (1, "evaluate RUN dataset=synthetic_chest SMALL"),
    (2, "evaluate RUN"),
    (2, "evaluate RUN dataset=syntetic"),
    (1, "export NOWHERE -o OUT/m.onnx"),
    (2, "export RUN"),
    (0, "suspects RUN"),
    (1, "suspects NOWHERE"),
    (2, "suspects RUN noise.alpha=0"),
    (1, "wandb workspace nosuch --runs RUNS"),
    (1, "wandb sync NOWHERE"),
    (0, "wandb sync EMPTY"),
    (1, "wandb upload nosuch --runs RUNS --offline"),
    (2, "wandb sync --limit soon"),
    (2, "nosuch"),
    (2, ""),
]


@pytest.fixture(scope="module")
def run_folder(finished):
    return finished("noise.alpha=0.5", "loss=tloss", "experiment_name=mine")


@pytest.fixture
def called(run_folder, tmp_path, cache, monkeypatch):
    """A function from a call to its exit code, in an empty folder."""
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)  # which training sets, with the environment
    for name in ("PYTHONPATH", "ROBUSTSEG_CONFIG_DIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    (tmp_path / "empty").mkdir()
    paths = {
        "RUN": run_folder,
        "RUNS": run_folder.parent,
        "OUT": tmp_path / "out",
        "EMPTY": tmp_path / "empty",
        "NOWHERE": tmp_path / "nowhere",
    }

    def call(text):
        words = []
        for word in text.split():
            for name, path in paths.items():
                head, slash, rest = word.partition("/")
                if head.rpartition("=")[2] == name:
                    word = f"{head.removesuffix(name)}{path}{slash}{rest}"
            words += SMALL if word == "SMALL" else [word]
        try:
            return main(words)
        except SystemExit as stop:  # argparse
            return stop.code

    return call


@pytest.mark.parametrize(("code", "text"), CALLS, ids=[text or "nothing" for _, text in CALLS])
def test_a_call_ends_with_the_code_of_the_rule(called, code, text, capsys):
    assert called(text) == code
    output = capsys.readouterr()
    assert "Traceback" not in output.err
    if code == 2:
        assert output.out == ""


def test_every_command_is_in_the_table():
    commands = set(program._COMMANDS)
    assert commands == {text.split()[0] for _, text in CALLS if text} - {"nosuch"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data check noise.alpha=2", "robustseg data check: noise.alpha=2 is out of range"),
        ("export NOWHERE -o OUT/m.onnx", "robustseg export: "),
        ("evaluate RUN", "robustseg evaluate: name the data set"),
        ("noise preview SMALL -o OUT/n.png", "robustseg noise preview: no mask is noisy"),
        (
            "noise preview SMALL noise.alpha=0.01 -o OUT/n.png",
            "robustseg noise preview: no mask is noisy: noise.alpha=0.01 of ",
        ),
        (
            "train loss=[ce,mae]",
            "robustseg train: loss=[ce,mae]: a run has one loss. To train "
            "with each: -m loss=ce,mae",
        ),
        ("train -m noise=[markov,swap]", "robustseg train: noise=[markov,swap]: a run has one"),
        (
            "train logger=null",
            "robustseg train: logger=null: there is no logger of that name; "
            "there are: none, tensorboard, wandb",
        ),
        ("data check loss=1", "robustseg data check: loss=1: there is no loss of that name"),
        ("train --experiment demo", "robustseg train: --experiment: no such option. Settings are"),
        ("train --loss=tloss", "robustseg train: --loss=tloss: no such option. Settings are"),
        (
            "data check dataset.root=OUT",
            "robustseg data check: dataset=synthetic does not read dataset.root=",
        ),
        (
            "runs rm mine --runs RUNS",
            "robustseg runs rm: there is no run mine in runs; mine is an experiment: "
            "--experiment mine",
        ),
    ],
)
def test_the_message_names_the_command(called, run_folder, text, said, capsys):
    called(text)
    output = capsys.readouterr()
    errors = output.err.removeprefix("robustseg train: reading the settings\n")
    assert errors.replace(f"{run_folder.parent}", "runs").startswith(said)
    assert output.out == ""


@pytest.mark.parametrize(
    "command", ["table", "claims", "figures", "report", "results", "wandb upload"]
)
@pytest.mark.parametrize("there", [False, True])
def test_an_experiment_that_was_never_trained_is_answered_with_its_call(
    called, run_folder, there, command, tmp_path, capsys
):
    if there:
        (tmp_path / "runs").symlink_to(run_folder.parent)
    file = tmp_path / "experiments" / "demo" / "results.csv"
    file.parent.mkdir(parents=True)
    file.touch()
    assert called(f"{command} demo") == 1
    said = f"robustseg {command}: demo has not been trained here: robustseg train +experiment=demo"
    if command == "table":
        said += "; its committed table: robustseg table --from experiments/demo/results.csv"
    assert capsys.readouterr() == ("", f"{said}\n")


def test_ctrl_c_ends_with_130(called, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("robustseg.finished.load.load_run", interrupted)
    assert called("suspects RUN") == 130
    assert capsys.readouterr().err == "\nrobustseg suspects: interrupted\n"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["dataset.source.train=8", "trainer.max_epochs=1"]),
        (1, ["dataset.image_size=31"]),  # odd, and the network has two stages
        (1, ["dataset=folder", "dataset.root=nowhere"]),
        (2, ["dataset=folder"]),
        (1, ["-m", "dataset.image_size=31"]),
        (1, ["-m", "loss=gce", "loss.q=7,0.5", "trainer.max_epochs=1"]),
        (2, ["noise.alpha=2"]),
        (2, ["noise.alhpa=1"]),
        (2, ["loss=gce", "loss.q=7"]),
        (2, ["-m", "minutes=1,2"]),
        (2, ["-m", "noise.alpha=0.3,1.7", "loss=tloss,mae"]),
        (2, ["--nosuch"]),
    ],
)
def test_train(code, arguments, tmp_path, cache):
    places = [f"paths.runs={tmp_path}/r", f"paths.logs={tmp_path}", f"paths.cache={cache}"]
    own = TINY
    if "dataset=folder" in arguments:
        own = [one for one in TINY if not one.startswith("dataset.source.")]
    done = call(tmp_path, *own, *places, *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_every_kind_of_error_has_a_code_of_the_rule():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.UserError)
    ]
    assert len(kinds) > 10
    assert {kind.exit_code for kind in kinds} == {1, 2}
    wrong = {kind for kind in kinds if kind.exit_code == 2}
    assert wrong == {errors.ConfigError, errors.OptionError}


@pytest.mark.parametrize(
    ("call", "ending"),
    [
        (["noise", "preview", "-o", "sheet.txt"], ".png"),
        (["suspects", "run", "--sheet", "sheet.jpg"], ".png"),
        (["export", "run", "-o", "model.txt"], ".onnx"),
    ],
)
def test_a_file_of_another_format_is_refused_before_any_work(call, ending, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(call)
    assert refusal.value.code == 2
    assert f"{call[-1]}: name a file that ends in {ending}" in capsys.readouterr().err
