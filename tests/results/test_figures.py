"""Figures show what is in the run folders."""

import numpy as np
import pandas as pd
import pytest

from robustseg.cli import main
from robustseg.commands.figures import _told_apart
from robustseg.results import curves, panels
from robustseg.results.runs import load_runs
from robustseg.run import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture
def runs(tiny, folder, cache):
    for overrides in (["loss=tloss"], ["loss=gce"], ["noise.alpha=0"]):
        run(
            tiny(
                "trainer.max_epochs=2", "noise.alpha=0.5", "noise.beta=0.7", *overrides,
                f"paths.runs={folder}", "experiment_name=mine",
            )
        )  # fmt: skip
    return load_runs(folder)


def lines(axis, style):
    return [
        line for line in axis.get_lines() if line.get_linestyle() == style and len(line.get_xdata())
    ]


def test_memorisation_shows_the_columns_of_epochs_csv(runs, folder):
    figure = curves.memorisation(runs, folder)
    (axis,) = figure.get_axes()
    assert axis.get_title() == "α = 0.5, β = 0.7"
    (tloss,) = runs[(runs.loss == "tloss") & (runs.alpha == 0.5)].run_id
    epochs = pd.read_csv(folder / tloss / "epochs.csv")
    assert lines(axis, "--")[0].get_ydata() == pytest.approx(epochs["train_dice_noisy"])
    assert lines(axis, "-")[0].get_ydata() == pytest.approx(epochs["train_dice_clean"])
    floor = pd.read_csv(folder / tloss / "noise.csv")["dice"].mean()
    assert lines(axis, ":")[0].get_ydata() == pytest.approx([floor, floor])


def test_nu_is_drawn_for_each_noise_setting(runs, folder):
    (axis,) = curves.nu(runs, folder).get_axes()
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["clean", "α = 0.5, β = 0.7"]


def test_dice_against_alpha_starts_at_the_clean_run(runs):
    (axis,) = curves.dice_against_alpha(runs).get_axes()
    clean = runs[runs.alpha == 0].dice_image.iloc[0]
    first = axis.get_lines()[0]
    assert list(first.get_xdata()) == [0.0, 0.5]
    assert first.get_ydata()[0] == pytest.approx(clean)


def test_examples_are_of_the_hardest_setting(runs, folder):
    figure = panels.examples(runs, folder)
    assert figure._suptitle.get_text() == "α = 0.5, β = 0.7"
    assert len(figure.get_axes()) == 2 * 7
    (tloss,) = runs[(runs.loss == "tloss") & (runs.alpha == 0.5)].run_id
    with np.load(folder / tloss / "examples.npz") as file:
        worst = float(file["dice"][list(file["role"]).index("worst")])
    assert f"worst: Dice {worst:.2f}" in figure.get_axes()[7].get_title()


def test_the_command_writes_png_and_svg(runs, folder, tmp_path, capsys):
    assert main(["figures", "mine", "--runs", str(folder), "--out", str(tmp_path)]) == 0
    names = {file.name for file in (tmp_path / "mine").iterdir()}
    for figure in ("memorisation", "nu", "dice_against_alpha", "examples"):
        assert {f"{figure}.png", f"{figure}.svg"} <= names
    assert "Figures in" in capsys.readouterr().out


def test_unlike_runs_are_not_averaged(tiny, folder, runs, tmp_path, capsys):
    for domain in ("image", "batch"):
        run(
            tiny(
                "trainer.max_epochs=1", "loss=dice", f"loss.domain={domain}",
                f"paths.runs={tmp_path}/runs",
            )
        )  # fmt: skip
    apart = _told_apart(load_runs(tmp_path / "runs"))
    assert sorted(apart["loss"]) == ["dice batch", "dice image"]
    run(tiny("trainer.max_epochs=1", "dataset=synthetic_chest", f"paths.runs={tmp_path}/runs"))
    assert main(["figures", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 1
    assert "synthetic, synthetic_chest" in capsys.readouterr().err


def test_without_runs_the_command_says_so(tmp_path, capsys):
    assert main(["figures", "--runs", str(tmp_path)]) == 1
    assert "no finished run" in capsys.readouterr().err
