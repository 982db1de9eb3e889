import json
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from robustseg.runs.finished import check_resumable
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA, Identity
from robustseg.runs.survey import look
from robustseg.sweeps import watch as module
from robustseg.sweeps.display import Display
from robustseg.sweeps.outcomes import Outcome, read_outcome, write_outcome
from robustseg.sweeps.watch import Watch

OTHERS = json.dumps({"host": "elsewhere", "pid": 1, "born": "1", "job": "another:0"})


@pytest.fixture
def watch(tmp_path):
    return Watch(tmp_path / "sweep", tmp_path / "runs", {0: ["loss=gce"]}, Display(1, 1), "mine")


LABELS = {"dataset": "synthetic", "loss": "gce", "alpha": 0.0, "seed": 0}


@pytest.mark.parametrize("before", [None, {"schema": SCHEMA, "state": "running", "run": LABELS}])
def test_a_run_whose_process_died_is_recorded_failed(tmp_path, watch, before):
    folder = RunFolder(tmp_path / "runs" / "some-run")
    folder.path.mkdir(parents=True)
    if before:
        folder.update_status(**before)
    write_outcome(tmp_path / "sweep", 0, Outcome("some-run", "running"))
    watch.started(0)
    watch.ended(0, "killed by signal 9 (Killed)")
    state = look(folder)
    assert (state.state, state.reason) == ("failed", "ProcessDied: killed by signal 9 (Killed)")
    assert state.labels == (before or {}).get("run", {})
    check_resumable(folder, Identity("some-run", {}, ""))  # and can be tried again
    assert not folder.lock.exists()
    outcome = read_outcome(tmp_path / "sweep", 0)
    assert outcome.state == "failed"
    assert "0.log" in outcome.message
    with pytest.raises(RuntimeError, match="signal 9"):
        _ = watch.returned[0].return_value


def test_a_full_disk_loses_no_other_run(tmp_path, watch, monkeypatch, caplog):
    folder = RunFolder(tmp_path / "runs" / "some-run")
    folder.update_status(schema=SCHEMA, state="running")
    write_outcome(tmp_path / "sweep", 0, Outcome("some-run", "running"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "hold", full)
    watch.started(0)
    watch.ended(0, "killed by signal 9")
    assert "some-run failed. killed by signal 9" in caplog.text
    assert "this could not be kept: [Errno 28]" in caplog.text
    with pytest.raises(RuntimeError, match="signal 9"):
        _ = watch.returned[0].return_value


def test_the_lock_of_a_job_that_died_on_another_host_is_freed(tmp_path, watch):
    folder = RunFolder(tmp_path / "runs" / "some-run")
    folder.update_status(schema=SCHEMA, state="running")
    folder.lock.write_text(OTHERS.replace("another:0", "mine:0"))  # with a fresh heartbeat
    write_outcome(tmp_path / "sweep", 0, Outcome("some-run", "running"))
    watch.started(0)
    watch.ended(0, "Slurm ended job 7")
    assert look(folder).state == "failed"
    assert not folder.lock.exists()


HOLD = """
import sys, time
from pathlib import Path
from robustseg.runs.lock import hold
with hold(Path(sys.argv[1]), "mine:0"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_process_that_is_still_dying_is_waited_for(tmp_path, watch):
    folder = RunFolder(tmp_path / "runs" / "some-run")
    folder.update_status(schema=SCHEMA, state="running")
    write_outcome(tmp_path / "sweep", 0, Outcome("some-run", "running"))
    watch.started(0)
    call = [sys.executable, "-c", HOLD, str(folder.lock)]
    with subprocess.Popen(call, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        killing = threading.Timer(0.5, process.kill)
        killing.start()
        watch.ended(0, "its worker died")
        killing.join()
    state = look(folder)
    assert (state.state, state.reason) == ("failed", "ProcessDied: its worker died")


def test_a_run_that_another_sweep_took_over_is_left_alone(tmp_path, watch):
    folder = RunFolder(tmp_path / "runs" / "some-run")
    folder.update_status(schema=SCHEMA, state="running")
    folder.lock.write_text(OTHERS)  # another host's, with a fresh heartbeat
    write_outcome(tmp_path / "sweep", 0, Outcome("some-run", "running"))
    watch.started(0)
    watch.ended(0, "killed by signal 9 (Killed)")
    assert look(folder).state == "running"
    assert folder.lock.read_text() == OTHERS


def test_a_job_that_ended_before_it_had_a_run_is_told_by_its_overrides(tmp_path, watch):
    watch.started(0)
    watch.ended(0, "its process ended with exit code 1")
    outcome = read_outcome(tmp_path / "sweep", 0)
    assert (outcome.run_id, outcome.state) == ("loss=gce", "failed")
    assert not (tmp_path / "runs").exists()


def test_a_look_while_the_machine_stood_still_is_soon_followed_by_another(watch, monkeypatch):
    clock, looks = [1000.0], []

    def slow(folder):
        looks.append(clock[0])
        clock[0] += 120
        return look(folder)

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(module, "look", slow)
    write_outcome(watch.sweep, 0, Outcome("some-run", "running"))
    watch.started(0)
    watch.tick()
    for _ in range(70):
        clock[0] += 1
        watch.tick()
    assert looks == [1000, 1180]


def test_a_failure_that_cannot_be_kept_is_told(watch, tmp_path, caplog):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "outcomes").touch()
    watch.started(0)
    watch.ended(0, "killed by signal 9 (Killed)")
    assert "loss=gce failed. killed by signal 9" in caplog.text
    assert watch.display.ended_as == {"failed": 1}
