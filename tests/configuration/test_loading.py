"""Classes of one's own that cannot be loaded: what is said, and where."""

import pytest

from robustseg.configuration.loading import load_target
from robustseg.errors import ConfigError


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        (
            "own_missing",
            "import nosuchlib\n",
            "line 1: ModuleNotFoundError: No module named 'nosuchlib'",
        ),
        ("own_failing", "x = 1\n\ny = 1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("own_slip", "x = 1\ndef f(:\n", "line 2: invalid syntax"),
    ],
)
def test_a_module_that_fails_is_named_by_file_and_line(module, text, said, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / f"{module}.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_target(f"{module}.Mine", "loss")
    assert str(error.value) == f"loss._target_={module}.Mine: {file}, {said}"


def test_a_class_that_is_not_in_a_module_is_answered_with_the_nearest(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_losses.py"
    file.write_text("class Mine:\n    pass\n", encoding="utf-8")
    assert load_target("own_losses.Mine", "loss").__name__ == "Mine"
    with pytest.raises(ConfigError) as error:
        load_target("own_losses.Nine", "loss")
    said = f"loss._target_=own_losses.Nine: {file} has no Nine; did you mean own_losses.Mine?"
    assert str(error.value) == said
    assert not caplog.records  # it is said once


def test_a_module_that_does_not_exist():
    with pytest.raises(ConfigError, match=r"there is no module nosuch, neither .* nosuch\.py"):
        load_target("nosuch.Mine", "loss")


@pytest.mark.parametrize("target", ["", ".mine", "robustseg.losses.TLoss.nosuch"])
def test_what_is_no_name_of_a_class(target):
    with pytest.raises(ConfigError, match=r"^loss\._target_="):
        load_target(target, "loss")
