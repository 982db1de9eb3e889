"""A run folder of anybody's is data: it reaches nothing else, hangs nothing and stops no other."""

import json
import os
import shutil
import socket
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from robustseg.cli.main import main
from robustseg.errors import AlreadyRunning, DamagedRun, DataError
from robustseg.finished.load import load_run
from robustseg.records import pack
from robustseg.runs.config import read_config, read_settings
from robustseg.runs.files import DamagedFile, read_bytes, read_json, write_text
from robustseg.runs.finished import NotFinished, check_resumable, read_finished
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import Identity
from robustseg.runs.lock import hold, holder
from robustseg.runs.survey import look, survey
from robustseg.runs.verify import verify
from tests.conftest import without_checksums

FILES = (
    *("config.yaml", "status.json", "metrics.json", "epochs.csv", "thresholds.csv", "images.csv"),
    *("noise.csv", "split.csv", "examples.npz", "checkpoints/weights.pt", "checkpoints", "lock"),
)


def link(path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path.symlink_to(secret)


def dangling(path, tmp_path):
    path.symlink_to(tmp_path / "nowhere")


def pipe(path, tmp_path):
    os.mkfifo(path)


def listening(path, tmp_path):
    here = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


@pytest.mark.parametrize("put", [link, dangling, pipe, listening])
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_of_the_run_is_refused_by_every_reader(two, tmp_path, name, put, capsys):
    path = two / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    put(path, tmp_path)
    state = look(RunFolder(two))
    assert state.state == "damaged" and path.name in state.reason
    with pytest.raises(NotFinished, match=path.name):
        read_finished(RunFolder(two))
    with pytest.raises(DataError, match=path.name if name != "checkpoints" else None):
        load_run(two)
    assert verify(RunFolder(two)).state == "damaged"
    with pytest.raises(DamagedRun, match=path.name):
        check_resumable(RunFolder(two), Identity(two.name, {}, ""))
    assert main(["table", "--runs", str(two.parent)]) == 0
    assert "secret" not in "".join(capsys.readouterr())
    assert main(["status", "--runs", str(two.parent)]) == 0
    assert "2 runs: 1 done, 1 damaged" in capsys.readouterr().out


def test_a_run_folder_that_is_a_link_is_none_and_the_folder_of_runs_may_be_one(two, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    two.rename(elsewhere)
    two.symlink_to(elsewhere)
    assert "is a link" in look(RunFolder(two)).reason
    with pytest.raises(NotFinished, match="is a link"):
        read_finished(RunFolder(two))
    (tmp_path / "linked").symlink_to(two.parent)
    assert [run.state for run in survey(tmp_path / "linked")].count("done") == 1
    assert main(["runs", "rm", "--yes", "--state", "damaged", "--runs", str(two.parent)]) == 0
    assert not two.is_symlink() and (elsewhere / "status.json").exists()


def test_nothing_is_staged_for_upload_from_behind_a_link(two, tmp_path):
    RunFolder(two).update_status(experiments=["mine"])
    without_checksums(two)
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    (two / "noise.csv").unlink()
    (two / "noise.csv").symlink_to(secret)
    words = ["mine", "--runs", str(two.parent), "--logs", str(tmp_path / "logs"), "--offline"]
    assert main(["wandb", "upload", *words]) == 1
    assert not [file for file in (tmp_path / "logs").rglob("*") if file.is_file()]


def test_temporary_names_cannot_be_guessed(tmp_path, monkeypatch):
    names = set()
    replace = os.replace

    def noted(source, target):
        names.add(os.path.basename(source))
        assert os.lstat(source).st_nlink == 1 and not os.path.islink(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    for _ in range(100):
        write_text(tmp_path / "status.json", "x")
    assert len(names) == 100
    assert not any(str(os.getpid()) == name.split(".")[-2] for name in names)


def test_links_among_temporary_files_lead_nowhere(kept, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".mine.tmp").write_text("mine")
    shutil.rmtree(kept / "checkpoints")
    (kept / "checkpoints").symlink_to(outside)
    (kept / ".status.json.1.tmp").symlink_to(outside / ".mine.tmp")
    RunFolder(kept).clear_temporary()
    assert (outside / ".mine.tmp").read_text() == "mine"


DEEP = 100_000
TEXTS = {
    "deep JSON": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "ten to the 400": '{"schema": 2, "state": "done", "dice_image": 1' + "0" * 400 + "}",
    "a larger exponent": '{"schema": 2, "state": "done", "epochs": 1e400}',
    "more digits than Python reads": '{"schema": 2, "epochs": ' + "9" * 5000 + "}",
    "NaN": '{"schema": 2, "state": "done", "dice_image": NaN}',
    "empty object": "{}",
    "no UTF-8": "\udcff",
    "number": "3",
}


@pytest.mark.parametrize("name", ["status.json", "metrics.json"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_json_beyond_what_is_written_is_damage_of_its_run(two, name, text, capsys):
    without_checksums(two)
    (two / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(NotFinished, match=name.replace(".", r"\.")):
        read_finished(RunFolder(two))
    for command in (["status"], ["table"], ["table", "--ci"]):
        assert main([*command, "--runs", str(two.parent)]) in (0, 2)
    assert main(["status", "--runs", str(two.parent)]) == 0
    assert "1 done" in capsys.readouterr().out


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)
CONFIGS = {
    "deep": "a: " + "[" * DEEP + "]" * DEEP,
    "deep blocks": "".join(f"{' ' * n}a:\n" for n in range(500)),
    "an alias bomb": BOMB,
    "an alias of itself": "a: &a [*a]",
    "a number of 400 digits": "seed: 1" + "0" * 400,
    "a number of 5000 digits": "seed: 1" + "0" * 5000,
    "an impossible date": "a: 2001-13-45",
    "a list for a key": "? [a, b]\n: 1",
    "a tag": "a: !!python/object/apply:os.system [true]",
    "cut short": "dataset:\n  name: 'syn",
    "of another schema": "data: {}\nnoise: 3\nloss: gce\n",
    "a list": "- 1",
    "nothing": "",
    "control characters": "a: \x1b[2J",
}


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_yaml_beyond_what_is_written_is_damage_of_its_run(two, text):
    without_checksums(two)
    (two / "config.yaml").write_text(text)
    with pytest.raises(DataError, match=r"config\.yaml"):
        read_settings(two / "config.yaml")
    with pytest.raises(DataError, match=r"config\.yaml"):
        load_run(two)
    assert main(["table", "--runs", str(two.parent)]) == 0


def test_a_report_is_made_beside_configurations_of_others(two, tmp_path):
    for name in ("an alias bomb", "of another schema", "deep"):
        folder = two.with_name(f"{two.name}{len(name)}")
        without_checksums(shutil.copytree(two, folder))
        (folder / "config.yaml").write_text(CONFIGS[name])
        status = json.loads((folder / "status.json").read_text())
        changed = {"state": "failed", "run_id": folder.name}
        (folder / "status.json").write_text(json.dumps({**status, **changed}))
    page = tmp_path / "report.html"
    assert main(["report", "--runs", str(two.parent), "-o", str(page)]) == 0
    assert page.exists()


def test_a_harmless_alias_is_read(tmp_path):
    (tmp_path / "config.yaml").write_text("a: &a [1, 2]\nb: *a\n")
    assert read_config(tmp_path / "config.yaml") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("status.json", {"threads": "x"}),
        ("status.json", {"threads": 0}),
        ("status.json", {"attempts": [{"versions": 3}]}),
        ("status.json", {"files": {"metrics.json": 3}}),
        ("status.json", {"experiments": ["\x1b[2J"]}),
        ("status.json", {"collapsed": "\x1b[2J"}),
        ("metrics.json", {"settings": {"noise": 3}}),
        ("metrics.json", {"settings": []}),
        ("metrics.json", {"dice_image": [1]}),
        ("metrics.json", {"dice\x1b[2J": 1.0}),
        ("metrics.json", {"run": {"alpha": -0.5}}),
        ("metrics.json", {"run": {"alpha": 1.5}}),
        ("metrics.json", {"run": {"loss": "a\x1b[2Jb"}}),
        ("metrics.json", {"run": {"beta": 0}}),
    ],
)
def test_a_value_of_another_type_or_range_is_damage(two, name, change, capsys):
    file = without_checksums(two) / name
    content = json.loads(file.read_text())
    for key, value in change.items():
        merged = {**content[key], **value} if key == "run" else value
        content[key] = merged
    file.write_text(json.dumps(content))
    with pytest.raises(NotFinished, match=name.replace(".", r"\.")):
        read_finished(RunFolder(two))
    assert main(["status", "--runs", str(two.parent)]) == 0
    assert main(["table", "--runs", str(two.parent)]) == 0
    output = "".join(capsys.readouterr())
    assert "\x1b" not in output


def test_names_of_folders_and_errors_are_shown_and_not_obeyed(two, capsys):
    RunFolder(two).mark_failed("Error", "say \x1b[31mred\x1b[0m and \x07")
    two.with_name("a\x1b[2Jb").mkdir()
    assert main(["status", "--runs", str(two.parent)]) == 0
    assert main(["table", "--runs", str(two.parent)]) == 0
    output = "".join(capsys.readouterr())
    assert "\x1b" not in output and "\x07" not in output
    assert r"a\x1b[2Jb" in output and r"say \x1b[31mred" in output


def test_a_copy_is_reported_and_not_counted(two, capsys):
    shutil.copytree(two, two.with_name(two.name + "-backup"))
    assert main(["status", "--runs", str(two.parent)]) == 0
    output = capsys.readouterr().out
    assert "3 runs: 2 done, 1 damaged" in output
    assert f"is a copy: its files belong to {two.name}" in output
    report = pack(None, [two.parent], two.parent.parent / "record")
    assert set(report.left_out) == {two.name + "-backup"}
    assert two.name in report.left_out[two.name + "-backup"] and len(report.added) == 2
    assert verify(RunFolder(two.with_name(two.name + "-backup"))).state == "damaged"


def test_a_lock_that_goes_while_its_folder_is_read_is_no_damage(kept, monkeypatch):
    """Where a file system does not give the kind of a file with its name, it is asked later."""
    unknown = dict.fromkeys(("is_symlink", "is_file", "is_dir"), lambda **_: False)
    gone, scandir = SimpleNamespace(path=str(kept / "lock"), **unknown), os.scandir

    @contextmanager
    def scan(folder):
        with scandir(folder) as entries:
            yield [*entries, gone]

    monkeypatch.setattr("robustseg.runs.folder.os.scandir", scan)
    assert look(RunFolder(kept)).state == "done"


OTHERS = {"host": "elsewhere", "pid": 1, "born": "1"}


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "3", '{"host": 3, "pid": 1}', "[" * DEEP, json.dumps({**OTHERS, "pid": 10**30}),
     json.dumps({"host": socket.gethostname(), "pid": 2**31, "born": "1"}),
     json.dumps({"host": socket.gethostname(), "pid": -1, "born": "1"}),
     json.dumps({**OTHERS, "host": "\x1b[2J"})],
)  # fmt: skip
def test_a_lock_that_names_no_holder_is_taken_over(tmp_path, text):
    path = tmp_path / "lock"
    path.write_text(text)
    os.utime(path, (1, 1))
    assert holder(path) is None
    with hold(path):
        assert holder(path)["pid"] == os.getpid()


@pytest.mark.parametrize("put", [link, dangling, pipe, listening])
def test_a_lock_that_is_no_file_is_taken_over_and_leads_nowhere(tmp_path, put):
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "lock"
    put(path, tmp_path)
    os.utime(path, (1, 1), follow_symlinks=False)
    assert holder(path) is None
    with hold(path):
        assert path.is_file() and not path.is_symlink()
    assert list((tmp_path / "run").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()
    assert put is not link or (tmp_path / "secret").read_text() == "secret"


def test_a_clock_that_is_wrong_takes_no_live_lock(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.write_text(json.dumps(OTHERS))
    real = os.lstat(path).st_mtime
    monkeypatch.setattr("time.time", lambda: real + 600)
    with pytest.raises(AlreadyRunning), hold(path):
        pass


def test_a_lock_from_the_future_does_not_live_for_ever(tmp_path):
    path = tmp_path / "lock"
    path.write_text(json.dumps(OTHERS))
    later = os.lstat(path).st_mtime + 3600
    os.utime(path, (later, later))
    assert holder(path) is None
    with hold(path):
        assert holder(path)["host"] == socket.gethostname()


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    file = tmp_path / "status.json"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(DamagedFile, match="more than"):
        read_json(file)
    with pytest.raises(DamagedFile, match="more than 10"):
        file.write_bytes(b"x" * 11)
        read_bytes(file, 10)
