"""What a user typed and what is said of it."""

import errno
import shlex

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from robustseg.configuration.compose import composed
from robustseg.configuration.messages import explain
from robustseg.errors import ConfigError
from robustseg.terminal.suggestion import shorter

SAID = [
    ("lr=0.1", "unknown setting lr: did you mean optimizer.lr=0.1?"),
    ("epochs=5", "unknown setting epochs: did you mean trainer.max_epochs=5?"),
    ("bs=8", "unknown setting bs: did you mean dataset.batch_size=8?"),
    ("optimizer.learning_rate=1", "did you mean optimizer.lr=1?"),
    ("image_size=64", "did you mean dataset.image_size=64?"),
    ("noise.alhpa=0.3", "did you mean noise.alpha=0.3?"),
    ("lose=mae", "did you mean loss=mae?"),
    ("loss=tversky loss.alhpa=2", "did you mean loss.alpha=2?"),
    ("loss=gce loss.gamma=2", "loss has loss.name, loss.q. To pass gamma to what loss builds"),
    ("qqqqqqq=1", "unknown setting qqqqqqq; robustseg train --help lists them"),
    ("hydra.swep.dir=x", "unknown setting hydra.swep.dir: did you mean hydra.sweep.dir=x?"),
    ("hydra/launcher=local hydra.launcher.njobs=2", "did you mean hydra.launcher.n_jobs=2?"),
    ("hydra/launcher=local hydra.launcher.foo=2", "hydra.launcher has hydra.launcher.n_jobs, "),
    ("hydra.launcher.n_jobs=2", "has it: hydra/launcher=local, slurm or ray"),
    ("loss=tlos", "there is no loss=tlos: did you mean loss=tloss?"),
    ("+experiment=demmo", "did you mean +experiment=demo?"),
    ("experiment=demo", "unknown setting experiment: did you mean +experiment=demo?"),
    ("experiment=dmo", "unknown setting experiment: did you mean +experiment=demo?"),
    ("los=tlos", "unknown setting los: did you mean loss=tloss?"),
    ("los=qqqq", "unknown setting los: did you mean loss?"),
    ("noise=none", "there is no noise=none: noise.alpha=0 trains on the masks as they are"),
    ("noise.alpha=0.3 0.5 loss=tloss", "values are separated by commas: noise.alpha=0.3,0.5"),
    (
        "loss=tloss mae gce",
        "'mae' is not NAME=VALUE; values are separated by commas: loss=tloss,mae,gce",
    ),
    ("dataset.root=/my own set seed=1", "needs quotes: 'dataset.root=\"/my own set\"'"),
    ("seed=1 loss = mae", "write it without spaces, such as loss=mae"),
    ("seed=1 loss= mae", "write it without spaces, such as loss=mae"),
    ("loss = mae", "'loss' is not NAME=VALUE; write it without spaces, such as loss=mae"),
    ("loss", "'loss' is not NAME=VALUE; write it without spaces, such as loss=tloss"),
    ("loss=tloss,gce", "loss=tloss,gce has several values: add -m to train with each of them"),
    ("seed=[0,1,2]", "a whole number ≥ 0 and below 2^32. To train with each: -m seed=0,1,2"),
    ("model=smp model.features=[4]", "model has model.name, model.arch,"),
    ("dataset.root=/data/a=b", "needs quotes: 'dataset.root=\"/data/a=b\"'"),
    ("dataset.root=/data/brain[1]", "needs quotes: 'dataset.root=\"/data/brain[1]\"'"),
    ("+loss=mae", "there is one loss: write loss=mae, without +"),
    ("loss=all", "there is no loss=all; there are: ce, dice, dice_ce, "),
    ("loss=unet", "there is no loss=unet; there are: ce, dice, dice_ce, "),
    ("loss=tloss, gce seed=1", "no space after a comma, and none at the end: loss=tloss,gce"),
    ("loss=tloss, gce, mae,", "no space after a comma, and none at the end: loss=tloss,gce,mae"),
    ("loss=tloss,", "no space after a comma, and none at the end: loss=tloss"),
    ("/ seed=1", "'/' is a folder: write dataset=folder dataset.root=/"),
    ("loss=gce loss.gamma=2", "To pass gamma to what loss builds, write +loss.gamma=2"),
    ("dataset.source.gama=2", "To pass gama to what dataset.source builds, write +dataset"),
    ("dataset.root=[", "needs quotes: 'dataset.root=\"[\"'"),
]


@pytest.mark.parametrize(("call", "said"), SAID, ids=[call for call, _ in SAID])
def test_a_wrong_override_is_answered_with_what_was_meant(call, said):
    with pytest.raises(ConfigError) as error:
        composed(call.split())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("call", ["trainer.gpus=1", "dataset.qqqqq=1", "evaluation.qqqqq=1"])
def test_a_plus_is_offered_only_where_a_class_may_take_the_argument(call):
    with pytest.raises(ConfigError, match=r"unknown setting") as error:
        composed([call])
    assert "+" not in str(error.value)


@pytest.mark.parametrize("path", ["/data/brain (1)", "/a=b", "/x[1]", "/a{b}", "/a,b", "C:\\x y"])
def test_the_quoted_override_means_what_was_typed(path):
    override = f"dataset.root={path}"
    try:
        assert composed([override]).dataset.root == path  # needs no quotes
    except ConfigError as error:
        quoted = str(error).rpartition(": ")[2]
        assert composed(shlex.split(quoted)).dataset.root == path


def test_the_texts_of_a_list_are_quoted_one_by_one(tmp_path):
    folder = tmp_path / "rec ä"
    with pytest.raises(ConfigError, match=r"non-ASCII characters .*needs quotes: ") as error:
        composed([f"records=[{folder},b]"])
    quoted = str(error.value).rpartition(": ")[2]
    assert quoted == f'\'records=["{folder}","b"]\''
    assert composed(shlex.split(quoted)).records == [str(folder), "b"]


def test_few_names_and_plain_messages_are_left_as_they_are():
    for text in ("no 'a' in ['b', 'c']", "plain", "unknown `x` [1, 2]", ""):
        assert shorter(text) == text


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("name: mine\n_target_: x\n\tq: 1\n", 3, r"a tab: indent with spaces"),
        ("name: mine\n_target_: x\n  q: 1\n", 3, r"mapping values are not allowed here"),
        ("name: mine\nname: yours\n", 2, r"found duplicate key name"),
    ],
)
def test_a_slip_in_a_file_of_ones_own_is_named_by_file_and_line(
    text, line, why, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "conf" / "loss" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        composed(["loss=mine"])
    assert str(error.value) == f"{file}, line {line}: not valid YAML ({why})"


def test_a_grid_outside_of_params_is_named():
    sweeper = "hydra_plugins.robustseg_launchers.sweeper.BasicSweeper"
    with pytest.raises(InstantiationException) as error:
        instantiate({"_target_": sweeper, "max_batch_size": None, "noise.beta": "0.5,0.7"})
    said = explain(error.value)
    assert str(said) == "hydra.sweeper has no setting 'noise.beta': indent it under params"
    assert said.exit_code == 2


@pytest.mark.parametrize(
    ("overrides", "file", "hint"),
    [
        ([], "conf/loss/gce.yaml", False),
        ([], "logs/hydra/x", True),
        (["paths.logs=/full"], "/full/hydra", True),
        (["paths.logs=/full"], "logs/hydra", False),
    ],
)
def test_only_a_log_names_the_setting_of_logs(overrides, file, hint):
    error = explain(OSError(errno.ENOENT, "No such file or directory", file), None, overrides)
    assert str(error).startswith(f"{file} cannot be read or written (No such file or directory)")
    assert ("paths.logs=" in str(error)) == hint
