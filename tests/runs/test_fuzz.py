"""Every file that is read from a run folder or record, changed at random.

With checksums the outcome is the same as of the whole file, or damage that names it; without (a
folder of before, or of somebody who can write what he likes) there may be another number, but never
a traceback, and never an end that does not come.
"""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from robustseg.errors import DamagedRun, DataError
from robustseg.finished.load import _read_weights
from robustseg.records import pack
from robustseg.records.layout import DamagedRecord, NotKept
from robustseg.records.record import Record
from robustseg.results.sources import FolderRun
from robustseg.runs.config import read_settings
from robustseg.runs.files import DamagedFile
from robustseg.runs.finished import NotFinished, read_finished
from robustseg.runs.folder import RunFolder
from robustseg.runs.lock import holder
from robustseg.runs.pictures import read_examples
from robustseg.runs.sealed import check_sealed, seal
from robustseg.runs.survey import look
from robustseg.runs.verify import verify
from robustseg.training.restoring import epochs_saved
from tests.conftest import within, without_checksums

QUICK, THOROUGH = 40, 3000  # mutations of a file
SECONDS = 10
REFUSALS = (DamagedFile, DamagedRecord, DamagedRun, DataError, NotFinished, NotKept)


@pytest.fixture(scope="module")
def whole(noisy_run, tmp_path_factory):
    """A finished run with a checkpoint and a lock beside its files, and a record of it."""
    place = tmp_path_factory.mktemp("fuzz")
    folder = Path(shutil.copytree(noisy_run, place / "runs" / noisy_run.name))
    pack(None, [place / "runs"], place / "record")
    checkpoint = folder / "checkpoints" / "last.ckpt"
    torch.save({"epoch": 3, "state": torch.arange(1000.0)}, checkpoint)
    seal(checkpoint)
    owner = {"host": "elsewhere", "pid": 1, "born": "1", "job": None}
    (folder / "lock").write_text(json.dumps(owner))
    return place


def run_of(place):
    (folder,) = (place / "runs").iterdir()
    return RunFolder(folder)


def finished(place):
    folder = run_of(place)
    found = read_finished(folder)
    state = look(folder)
    assert state.state in ("done", "damaged"), "one reader takes what another refuses"
    return found.run_id, found.labels, repr(found.numbers), found.settings, found.experiments


def table(kind):
    return lambda place: getattr(FolderRun(run_of(place)), kind)().to_csv()


def rows(name):
    return lambda place: repr(run_of(place).read_rows(getattr(run_of(place), name)))


def weights(place):
    states = _read_weights(run_of(place))
    return [
        (part, key, tensor.numpy().tobytes())
        for part in ("network", "loss")
        for key, tensor in states[part].items()
    ] + [states["in_channels"]]


def examples(place):
    arrays = read_examples(run_of(place).examples)
    return [(name, array.tobytes()) for name, array in sorted(arrays.items())]


def checkpoint(place):
    path = run_of(place).checkpoint
    check_sealed(path)
    saved = epochs_saved(path)
    state = torch.load(path, weights_only=True)
    return saved, state["state"].numpy().tobytes()


def recorded(place):
    record = Record(place / "record")
    found = record.runs()
    if record.damages:
        raise DamagedRecord(Path(record.damages[0]), "")
    if not found:
        return None  # an index of nothing: a record without runs
    (run,) = found
    known = run.finished
    tables = [run.table(kind).to_pandas().to_csv() for kind in ("epochs", "thresholds", "images")]
    return known.run_id, known.labels, repr(known.numbers), known.settings, repr(run.status), tables


READERS = {
    "status.json": finished,
    "metrics.json": finished,
    "config.yaml": lambda place: read_settings(run_of(place).config).plain(),
    "epochs.csv": table("epochs"),
    "thresholds.csv": table("thresholds"),
    "images.csv": table("images"),
    "noise.csv": rows("manifest"),
    "split.csv": rows("split"),
    "examples.npz": examples,
    "checkpoints/weights.pt": weights,
    "checkpoints/last.ckpt": checkpoint,
    "record.json": recorded,
    "record/runs": recorded,
    "record/epochs": recorded,
    "record/images": recorded,
}
# They hold no checksum of the whole: a changed name of a folder, say, is another one.
WITHOUT = {"record.json"}


def file_of(place, name):
    if name == "record.json":
        return place / "record" / name
    if name.startswith("record/"):
        (file,) = (place / name).iterdir()
        return file
    return run_of(place).path / name


def flipped(data, rng):
    at = rng.randrange(8 * len(data))
    changed = bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def overwritten(data, rng):
    at, length = rng.randrange(len(data)), rng.choice([1, 4, 16])
    return data[:at] + bytes(rng.choice([0, 255, 128]) for _ in range(length)) + data[at + length :]


def inserted(data, rng):
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at : at + rng.randrange(64)] * rng.choice([2, 50]) + data[at:]


JUNK = [None, True, -1, 0, 1e308, -(10**18), "", "x", "\x1b[2J", "\ud800", [], {}, [[]], {"a": {}}]
RAW = ["1" + "0" * 400, "NaN", "-Infinity", "1e999", "[" * 100_000, '{"a":' * 100_000, "9" * 5000]
CELLS = ["", "x", "nan", "inf", "1e999", "9" * 5000, "\x1b[2J", '"', "\x00", "1,2", "-1", "é"]


def retyped(value, rng):
    """Another value in a random place of nested ones."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: retyped(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], retyped(value[at], rng), *value[at + 1 :]]
    return "@@" if rng.random() < 0.3 else rng.choice(JUNK)


def of_type(name):
    def change(data, rng):
        if name.endswith(".json"):
            text = json.dumps(retyped(json.loads(data), rng))
        elif name.endswith(".yaml"):
            text = yaml.safe_dump(retyped(yaml.safe_load(data), rng))
        elif name.endswith(".csv"):
            lines = [line.split(",") for line in data.decode().splitlines()]
            line = rng.choice(lines)
            line[rng.randrange(len(line))] = rng.choice(CELLS)
            return "\n".join(map(",".join, lines)).encode() + b"\n"
        else:
            return overwritten(data, rng)
        for quoted in ('"@@"', "'@@'", "@@"):
            text = text.replace(quoted, rng.choice(RAW))
        return text.encode("utf-8", "surrogatepass")

    return change


def mutate(place, name, count, expected, *, checked):
    """Read a file after each of some mutations."""
    rng = random.Random(f"{name} {checked}")
    file, read = file_of(place, name), READERS[name]
    before = file.read_bytes()
    changes = [flipped, flipped, cut, overwritten, inserted, of_type(name)]
    outcomes = {"equal": 0, "refused": 0, "other": 0}
    for number in range(count):
        changed = changes[number % len(changes)](before, rng)
        file.write_bytes(changed)
        label = f"mutation {number} of {name}"
        try:
            with within(SECONDS):
                found = read(place)
        except REFUSALS as refusal:
            outcomes["refused"] += 1
            assert not checked or file.name in str(refusal) or "schema" in str(refusal), label
        else:
            same = found == expected
            outcomes["equal" if same else "other"] += 1
            assert same or not checked, label
        if name not in ("checkpoints/last.ckpt",) and not name.startswith("record"):
            with within(SECONDS):
                look(run_of(place))
                verify(run_of(place))
    file.write_bytes(before)
    assert outcomes["refused"] > 0
    return outcomes


def copied(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "fuzz"))


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_refused_or_reads_the_same(whole, tmp_path, name):
    place = copied(whole, tmp_path)
    mutate(place, name, QUICK, READERS[name](place), checked=name not in WITHOUT)


OF_A_RUN = [name for name in READERS if not name.startswith("record")]


@pytest.mark.parametrize("name", OF_A_RUN)
def test_without_checksums_nothing_is_raised_but_refusals(whole, tmp_path, name):
    place = copied(whole, tmp_path)
    without_checksums(run_of(place).path)
    mutate(place, name, QUICK, READERS[name](place), checked=False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "checked"),
    [*((name, True) for name in READERS), *((name, False) for name in OF_A_RUN)],
)
def test_thousands_of_changes_of_each_file(whole, tmp_path, name, checked):
    place = copied(whole, tmp_path)
    if not checked:
        without_checksums(run_of(place).path)
    expected = READERS[name](place)
    checked = checked and name not in WITHOUT
    print(name, checked, mutate(place, name, THOROUGH, expected, checked=checked))


@pytest.mark.parametrize("count", [300, pytest.param(THOROUGH, marks=pytest.mark.slow)])
def test_a_changed_lock_has_a_holder_or_none(whole, tmp_path, count):
    place = copied(whole, tmp_path)
    lock, rng = run_of(place).lock, random.Random(0)
    before = lock.read_bytes()
    for number in range(count):
        change = [flipped, cut, overwritten, inserted, of_type("lock.json")][number % 5]
        lock.write_bytes(change(before, rng))
        with within(SECONDS):
            found = holder(lock)
        assert found is None or {"host", "pid"} <= set(found)
