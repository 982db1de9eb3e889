from robustseg.cli import main
from robustseg.run import run


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
    capsys.readouterr()
    assert main(["table", "--from", str(kept / "results.csv")]) == 0
    assert capsys.readouterr().out == text
    assert main(["results", "yours", *places]) == 1
    assert "experiment=yours; there are: mine" in capsys.readouterr().err
    assert main(["results", "mine", *places, "--test", "seeds"]) == 2
    assert not (tmp_path / "out" / "yours").exists()
