"""`records=[…]`: runs that a record has are skipped, and join the experiment all the same."""

import json
import shlex
import shutil

import pytest

from robustseg.cli.main import main
from robustseg.errors import RunFailed
from robustseg.records import pack, run_ids
from robustseg.runs.folder import RunFolder
from robustseg.runs.joined import joined
from robustseg.runs.lock import hold
from robustseg.training.run import run
from tests.integration.conftest import HELD_LOSS


@pytest.fixture
def record(tmp_path):
    """A function that makes a record of the run that `name_of` trained."""

    def make(run_id):
        assert pack(None, [tmp_path / "other"], tmp_path / "record").added == [run_id]
        return f"records=[{tmp_path}/record]"

    return make


@pytest.fixture
def name_of(tiny, tmp_path):
    """A function that gives the id of a run."""

    def train(*overrides):
        run(tiny(*overrides, f"paths.runs={tmp_path}/other"))
        (folder,) = (tmp_path / "other").iterdir()
        return folder.name

    return train


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_a_recorded_run_is_skipped_by_each_launcher(
    sweep, tmp_path, name_of, record, launcher, capsys
):
    recorded = name_of("loss=gce", "trainer.max_epochs=1")
    given = record(recorded)
    grid = ["loss=gce,mae", "trainer.max_epochs=1", "experiment_name=mine", given]
    for _ in range(2):
        with sweep(*grid, f"hydra/launcher={launcher}") as program:
            assert program.wait() == 0
        output = (tmp_path / "output").read_text()
        logs = "".join(log.read_text() for log in tmp_path.glob("sweeps/*/*/*.log"))
        assert f"{recorded}: recorded before, skipped" in output + logs
        assert f"{recorded}: recorded before in {tmp_path}/record" in output
        assert "2 runs: 1 skipped, 1 done." in output or "2 runs: 2 skipped." in output
    assert "2 runs: 2 skipped." in output
    metrics = RunFolder(tmp_path / "other" / recorded).metrics
    (row,) = (line for line in output.splitlines() if line.split()[:2] == [recorded, "skipped"])
    assert row.split()[2] == f"{json.loads(metrics.read_text())['dice_image']:.3f}"
    command = shlex.split(output.rpartition("Table: ")[2].splitlines()[0])
    capsys.readouterr()
    assert command[0] == "robustseg" and main(command[1:]) == 0
    table = capsys.readouterr().out
    assert "GCE" in table and "MAE" in table
    (trained,) = (f for f in (tmp_path / "runs").iterdir() if not f.name.startswith("."))
    assert "-mae-" in trained.name
    assert joined(tmp_path / "runs") == {recorded: ["mine"]}


def test_a_record_that_is_missing_stops_all_before_anything(sweep, tmp_path):
    given = ["loss=gce,mae", "trainer.max_epochs=1", f"records=[{tmp_path}/nowhere]"]
    for launcher in ("basic", "local"):
        with sweep(*given, f"hydra/launcher={launcher}") as program:
            assert program.wait() == 2
        said = f"records=[…]: not a record: {tmp_path}/nowhere\n"
        assert (tmp_path / "output").read_text().count(said) == 1
    assert not (tmp_path / "runs").exists()


def test_a_finished_run_and_force_come_before_a_record(tiny, tmp_path, name_of, record):
    one = ["loss=gce", "trainer.max_epochs=1"]
    recorded = name_of(*one)
    given = record(recorded)
    run(tiny(*one, given))
    assert not (tmp_path / "runs").exists()  # without an experiment there is nothing to note
    run(tiny(*one, given, "force=true"))
    folder = RunFolder(tmp_path / "runs" / recorded)
    assert folder.read_status()["state"] == "done"
    run(tiny(*one, given, "experiment_name=mine"))
    assert folder.read_status()["experiments"] == ["mine"]
    assert joined(tmp_path / "runs") == {}


def test_a_run_alone_is_refused_before_its_data_is_read(tiny, tmp_path):
    with pytest.raises(RunFailed, match=r"not a record: nowhere$"):
        run(tiny("records=[nowhere]", "dataset.source.train=-1"))


def test_a_sweep_beside_another_has_not_failed(sweep, tmp_path, name_of):
    busy = name_of("loss=gce", "trainer.max_epochs=1")
    with (
        hold(RunFolder(tmp_path / "runs" / busy).lock),
        sweep("loss=gce,mae", "trainer.max_epochs=1", forked=True) as program,
    ):
        assert program.wait() == 0
    output = (tmp_path / "output").read_text()
    assert "2 runs: 1 busy, 1 done." in output
    assert f"{busy} is being trained by process" in output


def test_two_sweeps_that_share_a_run_end_in_one_table(tiny, tmp_path):
    def train(runs, experiment, *overrides):
        one = [f"paths.runs={tmp_path}/{runs}", f"experiment_name={experiment}", *overrides]
        run(tiny("trainer.max_epochs=1", *one))

    train("away", "first", "loss=gce")
    pack("first", [tmp_path / "away"], tmp_path / "first")
    train("runs", "second", "loss=mae", f"records=[{tmp_path}/first]")
    train("runs", "second", "loss=gce", f"records=[{tmp_path}/first]")
    (shared,) = run_ids(tmp_path / "first")
    assert not (tmp_path / "runs" / shared).exists()

    words = ["runs", "pack", "second", "-o", str(tmp_path / "second")]
    assert main([*words, "--runs", str(tmp_path / "runs"), str(tmp_path / "first")]) == 0
    shutil.copytree(tmp_path / "runs", tmp_path / "real")
    shutil.copytree(tmp_path / "away" / shared, tmp_path / "real" / shared)
    RunFolder(tmp_path / "real" / shared).update_status(experiments=["first", "second"])
    tables = []
    for source in ("second", "real"):
        where = ["--runs", str(tmp_path / source), "--out", str(tmp_path / f"of {source}")]
        assert main(["results", "second", *where, "--images", "none"]) == 0
        tables.append((tmp_path / f"of {source}" / "second" / "results.csv").read_bytes())
    assert tables[0] == tables[1] and b"gce" in tables[0] and b"mae" in tables[0]


def test_a_recorded_run_of_other_conditions_is_told_and_with_strict_refused(
    tiny, tmp_path, name_of, record, caplog
):
    one = ["loss=gce", "trainer.max_epochs=1", "trainer.threads=2"]
    recorded = name_of("loss=gce", "trainer.max_epochs=1")
    given = record(recorded)
    run(tiny(*one, given))
    assert f"{recorded}: was recorded under other conditions: threads 1, now 2" in caplog.text
    with pytest.raises(RunFailed, match=r"was recorded under other conditions: threads 1, now 2"):
        run(tiny(*one, given, "strict=true", "experiment_name=mine"))
    assert not (tmp_path / "runs").exists()


def test_the_source_of_a_recorded_run_is_unknown(tiny, name_of, record):
    one = ["loss=tloss", HELD_LOSS, "trainer.max_epochs=1"]
    given = record(name_of(*one))
    run(tiny(*one, given))
    with pytest.raises(RunFailed, match=r"record does not tell the source of tests\."):
        run(tiny(*one, given, "strict=true"))
