"""When a folder counts as the finished run, and what is said when conditions differ."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from robustseg.cli.main import main
from robustseg.errors import RunFailed
from robustseg.runs.folder import RunFolder
from robustseg.runs.lock import JOB, hold
from robustseg.runs.survey import look
from robustseg.runs.verify import verify
from robustseg.sweeps import sweep
from robustseg.training import conditions as conditions_module
from robustseg.training import own_code as own_code_module
from robustseg.training import recorder
from robustseg.training import run as run_module
from robustseg.training.conditions import differences
from robustseg.training.reported import said, warning
from robustseg.training.run import run
from tests.conftest import TINY, without_checksums

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_sweep(monkeypatch):
    """A sweep says at its end what a run alone says at once."""
    monkeypatch.setattr(sweep, "current", sweep.Sweep())
    monkeypatch.delenv(JOB, raising=False)


@pytest.fixture
def done(finished, copied):
    return RunFolder(copied(finished()))


def attempts(folder):
    return len(folder.read_status()["attempts"])


def trained_again(tiny, folder):
    """Whether the same call trains the run again, setting the old folder aside."""
    run(tiny())
    aside = [path for path in folder.path.parent.iterdir() if path.name.startswith(".")]
    return bool(aside)


def test_a_finished_run_is_verified_and_skipped(tiny, done, capsys):
    files = set(done.read_status()["files"])
    there = {str(p.relative_to(done.path)) for p in done.path.rglob("*") if p.is_file()}
    assert files == there - {"status.json"}
    assert verify(done).state == "verified"
    assert not trained_again(tiny, done)
    assert main(["runs", "verify", "--runs", str(done.path.parent)]) == 0
    assert capsys.readouterr().out.strip() == "1 run: 1 verified"


def test_verify_names_what_is_damaged(done, capsys):
    data = bytearray(done.weights.read_bytes())
    data[len(data) // 2] ^= 1
    done.weights.write_bytes(data)
    words = ["--runs", str(done.path.parent)]
    assert main(["runs", "verify", *words]) == 1
    assert f"{done.run_id}: damaged: weights.pt is damaged" in capsys.readouterr().out
    assert main(["runs", "verify", "--format", "json", *words]) == 1
    (verdict,) = json.loads(capsys.readouterr().out)
    assert verdict["state"] == "damaged"
    assert main(["export", str(done.path), "-o", str(done.path.parent / "x.onnx")]) == 1
    assert "weights.pt is damaged: its checksum" in capsys.readouterr().err


def test_a_run_of_before_is_unverified_and_skipped(tiny, done, capsys):
    without_checksums(done.path)
    assert verify(done).state == "unverified"
    assert main(["runs", "verify", "--runs", str(done.path.parent)]) == 0
    assert "1 run: 1 unverified" in capsys.readouterr().out
    assert not trained_again(tiny, done)


@pytest.mark.parametrize("name", ["images.csv", "checkpoints/weights.pt", "config.yaml"])
@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_of_a_run_of_before_the_files_have_to_be_there(tiny, done, name, damage):
    without_checksums(done.path)
    if damage == "missing":
        (done.path / name).unlink()
    else:
        (done.path / name).write_bytes(b"")
    assert trained_again(tiny, done)


@pytest.mark.parametrize("what", ["run", "settings", "fingerprint"])
def test_the_folder_of_another_run_is_not_the_finished_one(tiny, done, what):
    without_checksums(done.path)
    file = done.status if what == "fingerprint" else done.metrics
    content = json.loads(file.read_text())
    if what == "run":
        content["run"]["run_id"] = "synthetic-gce-clean-s0-00000000"
    elif what == "settings":
        content["settings"]["seed"] = 7.0
    else:
        content["fingerprint"] = "0" * 64
    file.write_text(json.dumps(content))
    assert trained_again(tiny, done)


def test_a_link_in_the_place_of_the_run_is_set_aside(tiny, done, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    done.path.rename(elsewhere)
    done.path.symlink_to(elsewhere)
    before = sorted(file.name for file in elsewhere.iterdir())
    run(tiny())
    assert look(done).state == "done" and not done.path.is_symlink()
    assert sorted(file.name for file in elsewhere.iterdir()) == before


def test_each_attempt_keeps_its_conditions(done):
    (attempt,) = done.read_status()["attempts"]
    assert attempt["versions"]["torch"] and attempt["processor"] and attempt["code"] == {}


def test_a_skip_under_another_commit_says_so(tiny, done, caplog, monkeypatch):
    commit = "0123456789abcdef" * 3
    monkeypatch.setattr(conditions_module, "_commit", lambda: f"{commit}+")
    status = done.read_status()
    done.update_status(attempts=[{**one, "commit": commit} for one in status["attempts"]])
    with caplog.at_level(logging.WARNING):
        run(tiny())
    said = "was finished under other conditions: commit 0123456789ab, now 0123456789ab+"
    assert said in caplog.text
    with pytest.raises(RunFailed, match=r"strict=true: it was finished .* commit 0123456789ab, "):
        run(tiny("strict=true"))


def test_a_skip_with_other_threads_says_so(tiny, done, caplog):
    before = done.read_status()["threads"]
    call = f"trainer.threads={before + 1}"
    with caplog.at_level(logging.WARNING):
        run(tiny(call))
    said = f"was finished under other conditions: threads {before}, now {before + 1}"
    assert said in caplog.text and attempts(done) == 1
    with pytest.raises(RunFailed, match=f"strict=true: it {said}"):
        run(tiny(call, "strict=true"))
    status = done.read_status()  # of a run that was trained when attempts did not note them
    old = [{k: v for k, v in one.items() if k != "threads"} for one in status["attempts"]]
    done.update_status(attempts=old)
    with pytest.raises(RunFailed, match=f"strict=true: it {said}"):
        run(tiny(call, "strict=true"))


def as_of_another_torch(folder):
    status = folder.read_status()
    attempts = [{**one, "versions": {**one["versions"], "torch": "1.0"}} for one in
                status["attempts"]]  # fmt: skip
    folder.update_status(attempts=attempts)


def test_a_skip_under_other_conditions_says_so_and_strict_refuses(tiny, done, caplog):
    as_of_another_torch(done)
    with caplog.at_level(logging.WARNING):
        run(tiny())
    assert "was finished under other conditions: torch 1.0, now" in caplog.text
    with pytest.raises(RunFailed, match=r"strict=true: it was finished .* torch 1\.0, now"):
        run(tiny("strict=true"))
    assert look(done).state == "done" and attempts(done) == 1


def test_a_resume_under_other_conditions_says_so_and_strict_refuses(
    tiny, only_run, caplog, monkeypatch
):
    save = recorder.Recorder.save

    def dying(self, trainer):
        save(self, trainer)
        if len(self.epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recorder.Recorder, "save", dying)
        run(tiny())
    folder = RunFolder(only_run())
    as_of_another_torch(folder)
    with pytest.raises(RunFailed, match=r"strict=true: it was resumed .* torch 1\.0, now"):
        run(tiny("strict=true"))
    assert look(folder).state == "interrupted" and folder.checkpoint.exists()
    with caplog.at_level(logging.WARNING):
        run(tiny("trainer.threads=2"))  # it keeps its own
    assert "was resumed under other conditions: torch 1.0, now" in caplog.text
    assert "threads" not in caplog.text
    versions = [one["versions"]["torch"] for one in folder.read_status()["attempts"]]
    assert len(versions) == 2 and versions[0] == "1.0" != versions[1]


LOSS = """
import torch
import helper_of_mine

class Mine(torch.nn.Module):
    def forward(self, logits, target, *_):
        return {0} * torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of one's own, outside of any distribution."""
    file = tmp_path / "own_loss_of_mine.py"
    file.write_text(LOSS.format(1))
    (tmp_path / "helper_of_mine.py").write_text("FACTOR = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    own_code_module._own.cache_clear()
    yield file
    for name in ("own_loss_of_mine", "helper_of_mine"):
        sys.modules.pop(name, None)


def test_a_finished_run_whose_own_class_has_changed_is_told(tiny, only_run, mine, caplog):
    def config(*more):
        made = tiny("loss=ce", *more)
        made.loss = {"name": "mine", "_target_": "own_loss_of_mine.Mine", "parameter_lr": None}
        return made

    run(config())
    assert list(RunFolder(only_run()).read_status()["attempts"][0]["code"]) == [
        "own_loss_of_mine.Mine",
        "helper_of_mine",
    ]
    run(config())
    assert "other conditions" not in caplog.text
    (mine.parent / "helper_of_mine.py").write_text("FACTOR = 2")
    with caplog.at_level(logging.WARNING):
        run(config())
    assert "under other conditions: the source of helper_of_mine has changed" in caplog.text
    mine.write_text(LOSS.format(3))
    with caplog.at_level(logging.WARNING):
        run(config())
    assert "the source of own_loss_of_mine.Mine has changed" in caplog.text
    with pytest.raises(RunFailed, match="own_loss_of_mine"):
        run(config("strict=true"))


def test_what_was_not_noted_does_not_differ():
    now = {"versions": {"torch": "2"}, "processor": "a", "commit": "c", "code": {"x": "1"}}
    assert differences({}, now) == []
    then = {"versions": {"torch": "1"}, "processor": "b", "commit": "d", "code": {"x": "2"}}
    assert differences(then, now) == [
        "torch 1, now 2",
        "processor b, now a",
        "commit d, now c",
        "the source of x has changed",
    ]


@pytest.mark.parametrize(
    ("epochs", "last", "every", "warned"),
    [(6, 10, 1, True), (20, 10, 1, False), (19, 10, 1, True), (1, 10, 1, False), (4, 2, 1, False),
     (30, 10, 5, True), (100, 10, 5, False), (6, 1, 1, False)],
)  # fmt: skip
def test_a_mean_over_more_than_half_of_the_training_is_warned_of(tiny, epochs, last, every, warned):
    from robustseg.configuration.checks import resolve

    cfg = tiny(
        f"trainer.max_epochs={epochs}", f"evaluation.last={last}", f"evaluation.every={every}"
    )
    assert bool(warning(resolve(cfg))) == warned


def test_the_end_says_what_the_numbers_are_the_mean_of(tiny, caplog):
    with caplog.at_level(logging.INFO):
        run(tiny("evaluation.last=10"))
    assert "mean over the last 4 evaluations" in caplog.text
    assert "from epoch 1 of 4 on, more than half of the training" in caplog.text
    assert said(1) == "last evaluation"


def test_experiments_of_processes_that_join_at_once_are_all_kept(done):
    code = """
import sys
from pathlib import Path
from robustseg.runs.folder import RunFolder
from robustseg.training.run import _join_experiment
sys.stdin.readline()
folder = RunFolder(Path(sys.argv[1]))
for number in range(5):
    _join_experiment(folder, f"{sys.argv[2]}-{number}", folder.read_status())
"""
    joining = [
        subprocess.Popen([sys.executable, "-c", code, str(done.path), str(n)],
                         stdin=subprocess.PIPE, text=True) for n in range(4)
    ]  # fmt: skip
    for process in joining:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait() for process in joining] == [0] * 4
    joined = done.read_status()["experiments"]
    assert sorted(joined) == sorted(f"{n}-{number}" for n in range(4) for number in range(5))
    assert verify(done).state == "verified" and not done.lock.exists()


def test_who_joins_waits_for_who_holds_the_run(done, monkeypatch):
    monkeypatch.setattr(run_module, "_PATIENCE", 0.05)
    with hold(done.lock):
        begin = time.monotonic()
        with pytest.raises(run_module.AlreadyRunning):
            run_module._join_experiment(done, "mine", done.read_status())
        assert time.monotonic() - begin >= 0.05
    run_module._join_experiment(done, "mine", done.read_status())
    assert done.read_status()["experiments"] == ["mine"]


def test_who_joins_outlasts_a_holder_that_died_on_another_host(done, monkeypatch, caplog):
    done.lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": "1"}))
    clock = [0.0]

    def sleep(_):
        clock[0] += 10  # without a sign of life
        os.utime(done.lock, (time.time() - clock[0],) * 2)

    waiting = SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep)
    monkeypatch.setattr(run_module, "time", waiting)
    run_module._join_experiment(done, "mine", done.read_status())
    assert done.read_status()["experiments"] == ["mine"]
    assert caplog.text.count("process 1 on elsewhere") == 1
    assert caplog.text.count("waiting to note that it belongs to mine") == 1


@pytest.mark.parametrize(
    "override",
    ["dataset.name=../escaped", "dataset.name=a/b", "dataset.name=.hidden", "loss.name='[/red]'",
     f"dataset.name={'x' * 70}", "noise.name='a:b'", "regularizer.name='a\tb'",
     "model.name='a?'", "experiment_name='#1'", "experiment_name='a\x1bb'"],
)  # fmt: skip
def test_a_name_that_cannot_be_in_a_run_id_is_refused(tiny, tmp_path, override):
    with pytest.raises(RunFailed, match=r"cannot be a name") as error:
        run(tiny(override))
    assert error.value.exit_code == 2
    assert not (tmp_path / "runs").exists()


def test_names_that_are_long_together_are_refused(tiny, tmp_path):
    with pytest.raises(RunFailed, match="more than 110"):
        run(tiny(f"dataset.name={'x' * 60}", f"loss.name={'y' * 60}"))
    assert not (tmp_path / "runs").exists()


def called(tmp_path, cache, *arguments, **environment):
    places = [f"paths.runs={tmp_path}/runs", f"paths.cache={cache}"]
    return subprocess.run(
        [sys.executable, "train.py", *arguments, *TINY, "trainer.max_epochs=1", *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("words", [[], ["-m", "seed=0,1"]])
def test_logs_that_cannot_be_written_are_one_line(tmp_path, cache, words):
    (tmp_path / "file").write_text("")
    ended = called(tmp_path, cache, *words, f"paths.logs={tmp_path}/file/logs")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr and "Traceback" not in ended.stdout
    assert "paths.logs" in ended.stderr and "Not a directory" in ended.stderr


def test_a_sweep_prints_to_an_output_of_any_encoding(tmp_path, cache):
    logs = f"paths.logs={tmp_path}/logs"
    ended = called(tmp_path, cache, "-m", "seed=0", logs, PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr
    assert "\\u03bd" in ended.stdout and "Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_command_prints_to_an_output_of_any_encoding(finished, encoding):
    code = "import sys; from robustseg.cli.main import main; sys.exit(main(sys.argv[1:]))"
    told = subprocess.run(
        [sys.executable, "-c", code, "status", "--runs", str(finished().parent)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert told.returncode == 0 and b"\\u25cf" in told.stdout
