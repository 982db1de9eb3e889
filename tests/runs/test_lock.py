import json
import os
import socket
import subprocess
import sys
import threading
import time
from unittest.mock import Mock

import pytest

from robustseg.errors import AlreadyRunning
from robustseg.runs import lock
from robustseg.runs.lock import hold, holder


def test_a_held_lock_cannot_be_held_again(tmp_path):
    path = tmp_path / "run" / "lock"
    with hold(path):
        assert holder(path)["pid"] == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())), hold(path):
            pass
    assert not path.exists()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    path = tmp_path / "lock"
    child = subprocess.run(
        [sys.executable, "-c", f"""
import os
from pathlib import Path
from robustseg.runs.lock import hold
with hold(Path({str(path)!r})):
    os.kill(os.getpid(), 9)
"""])  # fmt: skip
    assert child.returncode == -9
    assert path.exists()
    assert holder(path) is None
    with hold(path):
        assert holder(path)["pid"] == os.getpid()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_process_that_died_and_was_not_waited_for_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    holding = f"""
import time
from pathlib import Path
from robustseg.runs.lock import hold
with hold(Path({str(path)!r})):
    time.sleep(3600)
"""
    with subprocess.Popen([sys.executable, "-c", holding]) as child:
        deadline = time.monotonic() + 240
        while (holder(path) or {}).get("pid") != child.pid:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and still listed
        assert holder(path) is None


def test_a_later_process_of_the_same_pid_is_not_the_holder(tmp_path):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "born": "1"}))
    assert holder(path) is None


def test_another_hosts_lock_dies_with_its_heartbeat(tmp_path):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": "1"}))
    assert holder(path)["host"] == "elsewhere"
    old = time.time() - lock.DEAD_AFTER - 1
    os.utime(path, (old, old))
    assert holder(path) is None
    with hold(path):
        assert holder(path)["host"] == socket.gethostname()


@pytest.mark.parametrize("namespace", ["pid:[1]", f"{os.readlink('/proc/self/ns/pid')} another"])
def test_a_pid_of_another_container_or_host_of_this_name_tells_nothing(tmp_path, namespace):
    path = tmp_path / "lock"
    there = {"host": socket.gethostname(), "namespace": namespace, "pid": os.getpid(), "born": "1"}
    path.write_text(json.dumps(there))
    assert holder(path) == there
    old = time.time() - lock.DEAD_AFTER - 1
    os.utime(path, (old, old))
    assert holder(path) is None


def test_a_process_of_the_same_container_is_known_by_its_pid(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        owner = json.loads(path.read_text())
        if os.path.exists("/proc/self/ns/pid"):
            assert owner["namespace"].startswith(f"{os.readlink('/proc/self/ns/pid')} ")
        os.utime(path, (1, 1))
        assert holder(path) == owner


def test_a_job_that_begins_again_on_another_host_takes_over_its_own_lock(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": "1", "job": "sweep:7"}))
    for other in (None, "sweep:8", "another:7"):
        with pytest.raises(AlreadyRunning, match="elsewhere"), hold(path, other):
            pass
    monkeypatch.setenv(lock.JOB, "sweep:7")
    with hold(path):
        assert holder(path)["job"] == "sweep:7"
        assert holder(path)["host"] == socket.gethostname()
    assert not path.exists()


def test_processes_of_one_allocation_are_not_one_job(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": "1", "job": None}))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(AlreadyRunning, match="elsewhere"), hold(path):
        pass


def test_a_live_process_keeps_its_lock_also_from_its_own_job(tmp_path):
    path = tmp_path / "lock"
    with hold(path, "sweep:7"), pytest.raises(AlreadyRunning), hold(path, "sweep:7"):
        pass


def test_a_holder_that_lost_its_lock_leaves_it_to_the_new_one(tmp_path):
    path = tmp_path / "lock"
    with hold(path):
        path.write_text(json.dumps({"host": "elsewhere", "pid": os.getpid(), "born": "1"}))
    assert holder(path)["host"] == "elsewhere"


DEAD = json.dumps({"host": "elsewhere", "pid": 1, "born": "1"})
OTHER = json.dumps({"host": "quick", "pid": 1, "born": "1"})


@pytest.mark.parametrize("dead", [DEAD, ""], ids=["named", "empty"])
@pytest.mark.parametrize("third", [False, True])
def test_of_two_that_find_a_lock_dead_one_takes_it_over(tmp_path, monkeypatch, dead, third):
    path = tmp_path / "lock"
    path.write_text(dead)
    os.utime(path, (1, 1))
    monkeypatch.setattr(lock, "HEARTBEAT", 3600)  # the quick one is alive, however slow this is
    quick = json.dumps({"host": "quick", "pid": 1, "born": "1"}) if dead else ""
    late = json.dumps({"host": "late", "pid": 1, "born": "1"})
    rename = os.rename

    def overtaken(source, grave):
        """The lock was judged dead; before it is taken away, a quicker process takes it over."""
        path.unlink()
        path.write_text(quick)
        rename(source, grave)
        if third:
            path.write_text(late)

    monkeypatch.setattr(lock.os, "rename", overtaken)
    with pytest.raises(AlreadyRunning, match="late" if third else "quick" if quick else None):
        with hold(path):
            pass
    assert path.read_text() == (late if third else quick)
    assert list(tmp_path.iterdir()) == [path]  # the grave is gone


@pytest.mark.parametrize("name", [OTHER, "{"], ids=["another", "one without a name"])
def test_who_stood_still_before_it_wrote_its_name_holds_no_lost_lock(tmp_path, monkeypatch, name):
    path = tmp_path / "lock"
    fdopen = os.fdopen

    def late(descriptor, mode):
        path.unlink()  # taken for a dead one's
        path.write_text(name)
        monkeypatch.setattr(lock.os, "fdopen", fdopen)
        return fdopen(descriptor, mode)

    monkeypatch.setattr(lock, "HEARTBEAT", 3600)
    monkeypatch.setattr(lock.os, "fdopen", late)
    with pytest.raises(AlreadyRunning), hold(path):
        pass
    assert path.read_text() == name


def test_a_lock_that_was_put_back_is_held(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    read, looks = lock._read, []

    def without(path):
        looks.append(path)
        return None if len(looks) == 2 else read(path)  # in its grave for a moment

    monkeypatch.setattr(lock, "_read", without)
    with hold(path):
        assert holder(path)["pid"] == os.getpid()
    assert not path.exists()


def test_a_damaged_lock_is_dead_after_a_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 3600)
    path = tmp_path / "lock"
    path.write_text("{")
    assert holder(path) is not None
    os.utime(path, (time.time() - lock.HEARTBEAT,) * 2)
    assert holder(path) is None


def test_the_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.02)
    path = tmp_path / "lock"
    with hold(path):
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 240
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 2


@pytest.mark.parametrize("mine", [True, False])
def test_the_heart_beats_for_its_own_lock_only(tmp_path, mine):
    path = tmp_path / "lock"
    me = {"host": "here", "pid": 1, "born": "1", "job": None}
    path.write_text(json.dumps(me) if mine else DEAD)
    os.utime(path, (1, 1))
    lock._beat(path, me, Mock(wait=Mock(side_effect=[False, True])))
    assert (path.stat().st_mtime > 1) == mine


def test_an_interruption_right_after_the_lock_is_taken_leaves_none(tmp_path, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), hold(tmp_path / "lock"):
        pass
    assert not (tmp_path / "lock").exists()
