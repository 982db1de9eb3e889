"""Offline runs are sent within limits, once, and every failure is told."""

import os
import subprocess
import sys
import time

import pytest

from robustseg.cli.main import main
from robustseg.dashboards import wandb_sync
from robustseg.dashboards.wandb_sync import find, sync

# In wandb's place: marks what it is given as synced, refuses runs called bad, hangs on slow ones.
STAND_IN = """
import pathlib, sys, time
for file in map(pathlib.Path, sys.argv[1:]):
    if "bad" in file.name:
        sys.exit("wandb: Error: permission denied")
    if "slow" in file.name:
        time.sleep(3600)
    file.with_suffix(".wandb.synced").touch()
"""


@pytest.fixture
def offline(tmp_path):
    """A function that makes the files of an offline run of long ago."""

    def make(run_id, day="20260101", below="wandb"):
        folder = tmp_path / "logs" / below / f"offline-run-{day}_120000-{run_id}"
        folder.mkdir(parents=True)
        file = folder / f"run-{run_id}.wandb"
        file.touch()
        os.utime(file, (0, 0))
        return file

    return make


class Patient(subprocess.Popen):
    """A process whose time counts only where it hangs, not where the machine is slow."""

    def communicate(self, input=None, timeout=None):
        hangs = any("slow" in word for word in self.args)
        return super().communicate(input, timeout if hangs else None)


@pytest.fixture
def stand_in(tmp_path):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    return [sys.executable, str(tmp_path / "stand_in.py")]


def states(results):
    return [(result.run_id, result.state) for result in results]


def test_only_what_is_not_synced_is_found_by_run_and_in_order(offline, tmp_path):
    late, early = offline("a-1", "20260103"), offline("a-1", "20260101", "uploads/wandb")
    other, done = offline("b-2", "20260102"), offline("c-3")
    done.with_suffix(".wandb.synced").touch()
    offline("d-4", below=".upload-half/wandb")
    runs, before = find(tmp_path / "logs")
    assert [(run.run_id, run.files) for run in runs] == [("a-1", (early, late)), ("b-2", (other,))]
    assert before == 1


def test_a_run_that_has_grown_since_it_was_synced_is_synced_again(offline, tmp_path, stand_in):
    file = offline("long-epochs")
    runs, _ = find(tmp_path / "logs")
    assert states(sync(runs, 600, 600, lambda at, result: None, stand_in)) == [
        ("long-epochs", "synced")
    ]
    assert find(tmp_path / "logs") == ([], 1)
    os.utime(file, (time.time() + 60,) * 2)  # its next epoch
    runs, before = find(tmp_path / "logs")
    assert ([run.run_id for run in runs], before) == (["long-epochs"], 0)
    refuses = [sys.executable, "-c", "raise SystemExit('wandb: Error: no network')"]
    os.utime(file, (0, 0))
    (result,) = sync(runs, 600, 600, lambda at, result: None, refuses)
    assert (result.state, result.reason) == ("failed", "Error: no network")


def test_a_refusal_or_a_hang_leaves_the_others_synced(offline, tmp_path, stand_in, monkeypatch):
    monkeypatch.setattr(wandb_sync.subprocess, "Popen", Patient)
    for at, name in enumerate(("bad", "good", "slow", "also-good"), start=1):
        offline(name, f"2026010{at}")
    told = []
    runs, _ = find(tmp_path / "logs")
    results = sync(runs, 3, 3600, lambda at, result: told.append(at), stand_in)
    assert told == [1, 2, 3, 4]
    assert states(results) == [
        ("bad", "failed"),
        ("good", "synced"),
        ("slow", "failed"),
        ("also-good", "synced"),
    ]
    assert results[0].reason == "Error: permission denied"
    assert "not finished in 3 s" in results[2].reason
    left, before = find(tmp_path / "logs")
    assert ([run.run_id for run in left], before) == (["bad", "slow"], 2)


def test_the_limit_in_all_ends_the_work(offline, tmp_path, stand_in):
    for at, name in enumerate(("slow", "good"), start=1):
        offline(name, f"2026010{at}")
    runs, _ = find(tmp_path / "logs")
    results = sync(runs, 600, 2, lambda at, result: None, stand_in)
    assert [result.state for result in results] == ["failed", "failed"]
    assert results[1].reason.startswith("not tried")


def test_a_run_that_is_still_written_is_left_for_later(swept, offline, tmp_path, stand_in):
    unfinished = offline("live")
    logged = swept.file("gce").read_bytes()
    unfinished.write_bytes(logged[: len(logged) // 2])
    ended = offline("ended", "20260102")
    ended.write_bytes(logged)
    runs, _ = find(tmp_path / "logs")
    results = sync(runs, 600, 600, lambda at, result: None, stand_in)
    assert states(results) == [("live", "running"), ("ended", "synced")]
    os.utime(unfinished, (time.time() - 3600,) * 2)  # its process was killed long ago
    runs, _ = find(tmp_path / "logs")
    assert states(sync(runs, 600, 600, lambda at, result: None, stand_in)) == [("live", "synced")]


def test_a_fresh_file_that_cannot_be_read_is_a_failure_of_that_run_only(
    offline, tmp_path, stand_in
):
    offline("bad").write_text("no record")
    offline("good", "20260102")
    runs, _ = find(tmp_path / "logs")
    results = sync(runs, 600, 600, lambda at, result: None, stand_in)
    assert states(results) == [("bad", "failed"), ("good", "synced")]


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A home without a key, and a server that does not answer."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


def test_without_a_key_or_a_network_the_real_wandb_fails_in_time(
    offline, swept, tmp_path, nowhere, in_a_process
):
    offline("one").write_bytes(swept.file("gce").read_bytes())
    code, told = in_a_process("wandb", "sync", "logs")
    assert code == 1
    assert told.splitlines()[-1].startswith("robustseg wandb sync: wandb has no API key")
    keyed = {"WANDB_API_KEY": "0" * 40, "WANDB_MODE": "offline"}  # the mode of training
    code, told = in_a_process("wandb", "sync", "logs", "--run-limit", "4", **keyed)
    assert code == 1
    assert "1/1 one failed" in told
    assert "not finished in 4 s" in told
    code, told = in_a_process("wandb", "sync", "logs", WANDB_API_KEY="short")
    assert code == 1
    assert told.startswith("robustseg wandb sync: WANDB_API_KEY invalid")


@pytest.fixture
def in_a_process(tmp_path):
    """A function that calls robustseg in a process of its own: wandb reads its settings once."""

    def call(*arguments, **environment):
        code = "import sys; from robustseg.cli.main import main; sys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    return call


def test_nothing_to_sync_needs_no_key(tmp_path, nowhere, capsys, offline):
    offline("a").with_suffix(".wandb.synced").touch()
    assert main(["wandb", "sync", str(tmp_path / "logs")]) == 0
    assert "1 offline run, all synced" in capsys.readouterr().out
    assert main(["wandb", "sync", str(tmp_path / "none")]) == 1
    assert "no such directory" in capsys.readouterr().err
