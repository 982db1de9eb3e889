"""Tab behind `robustseg` and behind `python train.py`, in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from robustseg.cli.main import _COMMANDS, main

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

# What bash does when Tab is pressed behind a line.
TAB = """
tab() {
    COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=($1)
    if [[ $1 == *" " ]]; then COMP_WORDS+=(""); fi
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMPREPLY=()
    hydra_bash_completion
    echo "${COMPREPLY[*]}"
}
"""


@pytest.fixture
def tab(tmp_path):
    """A function from a call that installs and lines to what bash offers behind each."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, words in (("robustseg", "-m robustseg"), ("python", "")):
        script = place / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        script.chmod(0o755)

    def press(install, *lines, cwd=ROOT):
        script = "\n".join([f'eval "$({install})"', TAB, *(f"tab '{line}'" for line in lines)])
        path = {"PATH": f"{place}:{os.environ['PATH']}"}
        shown = subprocess.run(
            ["bash", "-c", script], cwd=cwd, env=os.environ | path, capture_output=True, text=True
        )
        assert (shown.returncode, shown.stderr) == (0, "")
        return [line.split() for line in shown.stdout.splitlines()]

    return press


def test_robustseg_offers_commands_and_overrides_also_those_of_the_folder(tab, tmp_path):
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "diceful.yaml").write_text("name: diceful\n")
    lines = ["robustseg ", "robustseg ta", "robustseg train loss=dice", "robustseg table noise.al"]
    found = tab("robustseg train -sc install=bash", *lines, cwd=tmp_path)
    assert found[0] == list(_COMMANDS)
    assert found[1] == ["table"]
    assert found[2] == ["loss=dice", "loss=dice_ce", "loss=diceful"]
    assert found[3] == []


def test_paths_are_completed_that_begin_with_a_slash_or_a_dot(tab, tmp_path):
    (tmp_path / "ev" / "nine").mkdir(parents=True)
    starts = (f"{tmp_path}/ev/", "./ev/", f"../{tmp_path.name}/ev/")
    lines = [f"robustseg train dataset.root={start}n" for start in (*starts, "ev/")]
    found = tab("robustseg train -sc install=bash", *lines, cwd=tmp_path)
    assert found == [*([f"dataset.root={start}nine"] for start in starts), []]


def test_train_py_offers_overrides(tab):
    (found,) = tab("python train.py -sc install=bash", "python train.py seed=1 noise.al")
    assert found == ["noise.alpha="]


@pytest.mark.parametrize("words", [["-sc"], ["train", "-sc"], ["train", "-sc", "install=cmd"]])
def test_a_call_for_no_known_shell_is_told_in_a_line(words, capsys, monkeypatch):
    monkeypatch.delenv("COMP_LINE", raising=False)
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "robustseg train: -sc is for Tab: write -sc install=bash or -sc install=fish"
    )
