"""Errors of the system, and of files, as the command `robustseg` tells them."""

import argparse
import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from robustseg.cli.main import _COMMANDS, _command, main

ROOT = Path(__file__).parents[2]


def told(capsys):
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    return output.err


def test_a_folder_that_cannot_be_read_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    scandir = os.scandir

    def refuse(path):
        if Path(path) == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["status", "--runs", str(tmp_path)]) == 1
    expected = f"robustseg status: {tmp_path} cannot be read or written (Permission denied)\n"
    assert told(capsys) == expected


def test_a_file_in_the_place_of_a_folder_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["status", "--runs", str(tmp_path / "file")]) == 1
    assert "file cannot be read or written (Not a directory)" in told(capsys)
    sheet = ["noise", "preview", "noise.alpha=1", "dataset.image_size=32"]
    assert main([*sheet, "dataset.source.train=4", "-o", str(tmp_path / "file" / "x.png")]) == 1
    assert f"{tmp_path / 'file'} cannot be read or written (not a directory)" in told(capsys)


def test_an_error_that_names_no_file_keeps_its_traceback(tmp_path, monkeypatch):
    def faulty(*_):
        raise OSError("a library's own words")

    monkeypatch.setattr("robustseg.runs.survey.run_folders", faulty)
    with pytest.raises(OSError, match="own words"):
        main(["status", "--runs", str(tmp_path)])


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "robustseg", "table", "--help"],
        ["-m", "robustseg", "table", "tloss_isic2017", "--published-only"],
        ["train.py", "--help"],
        ["train.py", "--cfg", "job"],
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(words):
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as gone:
        ran = subprocess.run(
            [sys.executable, *words], cwd=ROOT, stdout=gone, stderr=subprocess.PIPE, text=True
        )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tabel"], "robustseg: error: there is no command 'tabel'; did you mean table?"),
        (["wandb", "snc"], "robustseg wandb: error: there is no command 'snc'; did you mean sync?"),
        (["qqq"], "there is no command 'qqq'; there are: claims, data, evaluate"),
    ],
)
def test_a_misspelt_command_is_answered_with_the_one_that_was_meant(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["suspects", "evaluate"])
def test_only_what_is_required_is_called_required(command, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([command])
    assert capsys.readouterr().err.endswith("error: the following arguments are required: RUN\n")


def test_a_record_that_is_not_there_is_not_called_damaged(tmp_path, capsys):
    nowhere = tmp_path / "nowhere"
    assert main(["runs", "merge", str(nowhere), "-o", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == f"robustseg runs merge: no such directory: {nowhere}\n"
    assert not (tmp_path / "out").exists()


def test_help_on_runs_says_what_it_is_for(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["runs", "--help"])
    assert "Keep the numbers of finished runs" in capsys.readouterr().out


def leaves(parser, *words):
    """The words of every command that has no commands of its own."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        return [words]
    return [leaf for n, p in groups[0].choices.items() for leaf in leaves(p, *words, n)]


def commands():
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for command in _COMMANDS:
        _command(command).add_parser(subparsers)
    return [words for words in leaves(parser) if words != ("train",)]  # its help is Hydra's


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_fits_a_terminal_and_ends_with_an_example_to_copy(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--help"])
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith(" ".join(["robustseg", *words])) and lines[-2] == ""


def test_claims_has_a_default_metric_of_its_own(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["claims", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "(default: dice_image)" in words and "area_ratio" not in words


def test_a_project_in_a_folder_with_a_space_is_entered_as_the_line_says(tmp_path, capsys):
    folder = tmp_path / "Läsionen test"
    assert main(["init", str(folder)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("  cd ")]
    assert shlex.split(line) == ["cd", str(folder)]


def test_a_command_imports_only_itself():
    script = (
        "import sys; from robustseg.cli.main import main; main(['train', '--cfg', 'job']); "
        "sys.exit('robustseg.results' in sys.modules or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
