import re

import pytest

from robustseg.cli.main import main
from robustseg.training.run import run


def test_an_experiment_s_folder_keeps_its_table_and_figures(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "cache"))
    for loss in ("tloss", "gce"):
        run(tiny("trainer.max_epochs=1", "noise.alpha=0.5", f"loss={loss}", "experiment_name=mine"))
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main(["results", "mine", *places]) == 0
    kept = tmp_path / "out" / "mine"
    assert {"results.csv", "table.md", "nu.png"} <= {file.name for file in kept.iterdir()}
    assert not (kept / "examples.png").exists()  # it is published: no images unless asked
    assert not (kept / "disagreement.png").exists()
    text = (kept / "table.md").read_text()
    assert "Wilcoxon's signed-rank test over 5 test images" in text
    assert main(["results", "mine", *places, "--images", "all"]) == 0
    assert (kept / "examples.png").exists()
    other = str(tmp_path / "other")
    assert main(["results", "mine", *places[:3], other, "--loss", "gce"]) == 0
    assert not (tmp_path / "other" / "mine" / "nu.png").exists()  # figures are of the table's runs
    capsys.readouterr()
    assert main(["table", "--from", str(kept / "results.csv")]) == 0
    assert capsys.readouterr().out == text
    assert main(["results", "yours", *places]) == 1
    assert "experiment=yours; there are: mine" in capsys.readouterr().err
    assert main(["results", "mine", *places, "--test", "seeds"]) == 2
    assert not (tmp_path / "out" / "yours").exists()


def test_table_and_figures_belong_together(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "cache"))
    run(tiny("trainer.max_epochs=1", "experiment_name=mine"))
    (folder,) = (tmp_path / "runs").iterdir()
    places = ["--runs", str(folder.parent), "--out", str(tmp_path / "out")]
    command = ["results", "mine", *places, "--images", "all"]
    kept = tmp_path / "out" / "mine"

    def faulty(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("robustseg.results.figures.figure_specs.drawn", faulty)
        main(command)
    assert not kept.exists()
    assert main(command) == 0
    (folder / "examples.npz").write_bytes(b"")
    capsys.readouterr()
    assert main(command) == 0
    errors = capsys.readouterr().err
    assert "examples.npz is damaged" in errors
    assert f"Left in {kept} from an earlier command: examples.\n" in errors


def test_several_noise_models_have_a_table_but_no_figures(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "cache"))
    for noise in ("morphological", "swap"):
        how = ["noise.alpha=0.5", f"noise={noise}", "experiment_name=mine"]
        run(tiny("trainer.max_epochs=1", *how))
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main(["results", "mine", *places]) == 0
    said = capsys.readouterr().err
    assert "No figures: the runs differ in noise (morphological, swap): choose with" in said
    chosen = re.search(r"--where noise=\S+", said)[0]
    assert [file.name for file in sorted((tmp_path / "out" / "mine").iterdir())] == [
        "results.csv", "table.md",
    ]  # fmt: skip
    assert main(["results", "mine", *places, *chosen.split()]) == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["figures", "--out", "file/x"], "file/x cannot be read or written (Not a directory)"),
        (["report", "-o", "folder"], "folder cannot be read or written (Is a directory)"),
        (["report", "-o", "file/r.html"], "file cannot be read or written (not a directory)"),
        (["results", "mine", "--out", "file"], "file/mine cannot be read or written (Not a dir"),
    ],
)
def test_where_nothing_can_be_written_is_told_in_one_line(
    tiny, tmp_path, monkeypatch, capsys, command, said
):
    monkeypatch.setenv("ROBUSTSEG_CACHE", str(tmp_path / "cache"))
    run(tiny("trainer.max_epochs=1", "experiment_name=mine"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    capsys.readouterr()
    assert main([*command, "--runs", "runs"]) == 1
    assert f"robustseg {command[0]}: {said}" in capsys.readouterr().err.splitlines()[-1]
