"""The tutorial's commands, one after the other, on miniature data."""

import itertools
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from robustseg.cli.main import main
from robustseg.training.run import run
from tests.docs.test_commands import commands

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
SMALL = ["dataset.image_size=32", "dataset.source.train=10", "dataset.source.test=5"]


@pytest.fixture
def shown():
    text = TUTORIAL.read_text(encoding="utf-8")
    return [shlex.split(command.text) for command in commands("", text) if not command.inline]


def cells(words):
    """Every combination of the values of a call of train.py."""
    overrides = [word for word in words if "=" in word and not word.startswith("hydra/")]
    parsed = OverridesParser.create().parse_overrides(overrides)
    values = [
        [f"{one.key_or_group}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [word]
        for word, one in zip(overrides, parsed, strict=True)
    ]
    return itertools.product(*values)


def test_the_tutorial_ends_in_a_table(shown, tiny, tmp_path, cache, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(cache))
    counts = []
    for program, *words in shown:
        if program == "python":
            caplog.clear()
            with caplog.at_level("INFO"):
                for cell in cells(words[1:]):
                    run(tiny(*cell, "trainer.max_epochs=2"))
            skipped = caplog.text.count("finished before, skipped")
            counts.append((len(list(Path("runs").iterdir())), skipped))
        elif program == "robustseg":
            small = SMALL if words[0] == "noise" else []
            capsys.readouterr()
            assert main([*words, *small]) == 0, words
            if words == ["table", "tutorial", "--metric", "dice_image"]:
                table = capsys.readouterr().out
    assert counts == [(1, 0), (4, 1), (6, 4), (8, 0)]  # runs there are, runs skipped
    assert [line.split()[1] for line in table.splitlines()[2:5]] == ["GCE", "MAE", "T-Loss"]
    heads = {part.strip() for part in table.splitlines()[0].split("|")}
    assert {"α=0.5 β=0.7", "clean"} <= heads
    assert Path("sheet.png").exists()
    assert Path("figures/tutorial/memorisation.svg").exists()
