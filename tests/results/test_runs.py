import json
import math
import re
import subprocess
import sys
import time

import pytest

from robustseg.errors import NoRuns
from robustseg.results.load import count_reasons, load_runs, metric_names
from robustseg.runs.files import read_json, write_json
from robustseg.runs.identity import SCHEMA


def test_a_row_has_labels_numbers_and_settings(add_run):
    add_run("gce", 0.3, {"dice_image": 0.5, "hd95": None}, experiments=["a", "b"], name="one")
    (row,) = load_runs(add_run.runs).to_dict("records")
    assert row["run_id"] == "one"
    labels = (row["loss"], row["alpha"], row["beta"], row["noise"])
    assert labels == ("gce", 0.3, 0.5, "morphological")
    assert row["experiments"] == ("a", "b")
    assert row["settings"]["trainer.max_epochs"] == 30
    assert row["dice_image"] == 0.5
    assert row["noise.noisy"] == 5
    assert math.isnan(row["hd95"])


def test_numbers_are_what_tables_can_show(add_run):
    add_run("gce", 0.3)
    assert metric_names(load_runs(add_run.runs)) == [
        "dice_image",
        "dice_pooled",
        "epochs",
        "noise.reached",
        "noise.noisy",
    ]


def test_runs_that_are_not_finished_are_left_out_and_counted_with_the_reason(add_run):
    add_run("gce", name="good")
    add_run("gce", name="running").update_status(state="running")
    error = {"type": "DataError", "message": "no mask"}
    add_run("gce", name="failed").update_status(state="failed", error=error)
    add_run("gce", name="no status").status.unlink()
    add_run("gce", name="old").update_status(schema=0)
    add_run("gce", name="no metrics").metrics.unlink()
    add_run("gce", name="torn").metrics.write_text('{"dice_image": 0.')
    add_run("gce", name="list").metrics.write_text("[]")
    add_run("gce", name="no names").update_status(experiments=None)
    add_run("gce", name=".aside")
    (add_run.runs / "a file").write_text("")
    runs = load_runs(add_run.runs)
    assert list(runs["run_id"]) == ["good"]
    left_out = runs.attrs["left_out"]
    assert left_out["running"] == "unfinished"
    assert left_out["failed"] == "failed: DataError: no mask"
    assert left_out["no status"] == "without a readable status.json"
    assert left_out["no names"] == (
        "without a readable status.json: it is damaged: experiments is None"
    )
    assert left_out["old"] == f"of schema 0 instead of {SCHEMA}"
    for name in ("no metrics", "torn", "list"):
        assert left_out[name].startswith("with a damaged metrics.json")
    assert len(left_out) == 8
    assert "3 with a damaged metrics.json" in count_reasons(left_out)


def test_values_of_a_filter_that_no_run_has_are_told(add_run):
    add_run("tloss", 0.7)
    add_run("mae", seed=1)
    runs = load_runs(add_run.runs, loss=["tloss", "mea", "mae"], seed=[0.0, 1.0, 7.0])
    assert list(runs["loss"]) == ["tloss", "mae"]
    assert runs.attrs["absent"] == [
        "No finished run has loss=mea (did you mean mae?).",
        "No finished run has seed=7 (there are: 0, 1).",
    ]
    alone = load_runs(add_run.runs, loss=["mae"], alpha=[0.0])  # mae has no other, tloss has
    assert alone.attrs["absent"] == []


NOISY = {"dataset": "a", "loss": "gce", "alpha": 0.5, "seed": 0, "noise": "swap", "beta": 0.5}


@pytest.mark.parametrize(
    "content, reason",
    [
        ({"run": {}}, "run.dataset is None"),
        ({"run": "gce"}, "run is 'gce'"),
        ({"run": {**NOISY, "alpha": None}}, "run.alpha is None"),
        ({"run": {**NOISY, "beta": None}}, "contradict each other"),
        ({"run": {**NOISY, "batch_size": [8]}}, r"run.batch_size is \[8\]"),
        ({"settings": None}, "settings is None"),
        ({"collapsed": 1}, "collapsed is 1"),
        ({"dice_image": "abc"}, "dice_image is 'abc'"),
        ({"noise": {"noisy": [5]}}, r"noise.noisy is \[5\]"),
    ],
)
def test_numbers_and_labels_of_wrong_content_are_damage(add_run, content, reason):
    add_run("gce", name="good")
    folder = add_run("mae", 0.5, name="bad")
    write_json(folder.metrics, {**read_json(folder.metrics), **content})
    left_out = load_runs(add_run.runs).attrs["left_out"]
    assert re.match(f"with a damaged metrics.json: .*{reason}", left_out["bad"])


def test_what_cannot_be_read_is_not_called_damaged(add_run, refused):
    add_run("gce", name="good")
    files = [add_run("mae", name="one").metrics, add_run("mae", name="two").status]
    refused("os.open", lambda path: path in files)
    left_out = load_runs(add_run.runs).attrs["left_out"]
    assert left_out == dict.fromkeys(("one", "two"), "that cannot be read (Permission denied)")


def test_filters(add_run):
    add_run("gce", 0.3, experiments=["one"])
    add_run("mae", 0.5, seed=1, experiments=["one", "two"])
    add_run("mae", settings={"trainer": {"max_epochs": 100.0}})

    def chosen(**filters):
        return list(load_runs(add_run.runs, **filters)["run_id"])

    assert chosen(loss="mae") == ["run00001", "run00002"]
    assert chosen(loss=["mae"], alpha=0.5) == ["run00001"]
    assert chosen(alpha=[0, 0.3]) == ["run00000", "run00002"]
    assert chosen(beta=None) == ["run00002"]
    assert chosen(experiment="one") == ["run00000", "run00001"]
    assert chosen(experiment="two") == ["run00001"]
    assert chosen(**{"trainer.max_epochs": 100}) == ["run00002"]


def test_questions_without_an_answer_say_what_would_help(add_run, tmp_path):
    with pytest.raises(NoRuns, match=r"no such directory: .*absent.*robustseg train -m loss="):
        load_runs(tmp_path / "absent")
    add_run("gce", name="running").update_status(state="running")
    with pytest.raises(
        NoRuns, match=r"no finished run in .*\(1 unfinished\).*robustseg train -m loss="
    ):
        load_runs(add_run.runs)
    add_run("gce", 0.3, experiments=["tloss"])
    with pytest.raises(NoRuns, match="dataset=syntetic; did you mean synthetic"):
        load_runs(add_run.runs, dataset="syntetic")
    with pytest.raises(NoRuns, match="experiment=other; there are: tloss"):
        load_runs(add_run.runs, experiment="other")
    with pytest.raises(NoRuns, match="has any domain"):
        load_runs(add_run.runs, domain="batch")
    with pytest.raises(ValueError, match=r"'trainer.max_epoch'; did you mean trainer.max_epochs"):
        load_runs(add_run.runs, **{"trainer.max_epoch": 3})


def test_many_runs_are_read_fast(add_run):
    """1,000 of them in well under the half second that 10,000 in five seconds allow."""
    for number in range(1000):
        add_run("gce", 0.3, name=f"run{number}")
    begin = time.process_time()
    assert len(load_runs(add_run.runs)) == 1000
    assert time.process_time() - begin < 0.5


def test_results_import_neither_torch_nor_hydra_and_fast():
    program = """
import json, sys, time
begin = time.process_time()
import robustseg.cli.table
heavy = [name for name in ("torch", "hydra", "omegaconf") if name in sys.modules]
print(json.dumps([heavy, time.process_time() - begin]))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    heavy, seconds = json.loads(output.stdout)
    assert heavy == []
    assert seconds < 2
