"""What is damaged or hostile is reported with its file, and not used."""

import hashlib
import itertools
import json
import math
import os
import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustseg.cli.main import main
from robustseg.records import layout, merge, pack, run_ids, tables
from robustseg.records.layout import DamagedRecord, Packing, Part, read_index, write_index
from robustseg.results.load import NoRuns, load_runs
from robustseg.runs.files import read_json
from tests.conftest import SLOW_WITH_FIXTURE
from tests.records.conftest import contents


def part_of(record, kind):
    (packing,) = read_index(record)
    return record / packing.part(kind).file


def replace(record, kind, data, rows=None, runs=None):
    """Put other bytes in a part's place, with an index that agrees with them."""
    (packing,) = read_index(record)
    old = packing.part(kind)
    new = Part(kind, hashlib.sha256(data).hexdigest(), len(data), rows or old.rows)
    (record / old.file).unlink()
    (record / new.file).write_bytes(data)
    parts = [new if part.kind == kind else part for part in packing.parts]
    write_index(record, [Packing(tuple(runs or packing.runs), tuple(parts))])
    return record / new.file


def changed(record, kind, change):
    """The bytes of a part with a changed table."""
    sink = pa.BufferOutputStream()
    pq.write_table(change(pq.read_table(part_of(record, kind))), sink)
    return sink.getvalue().to_pybytes()


def put(name, values):
    def change(table):
        made = values(table[name]) if callable(values) else pa.array([values] * table.num_rows)
        return table.set_column(table.column_names.index(name), name, made)

    return change


def said(record):
    """What the table of a record says that cannot be used."""
    with pytest.raises(NoRuns) as error:
        load_runs(record)
    return str(error.value)


@settings(suppress_health_check=SLOW_WITH_FIXTURE, max_examples=60)
@given(data=st.data())
def test_no_flipped_bit_goes_unnoticed(record, data):
    (packing,) = read_index(record)
    file = record / data.draw(st.sampled_from(packing.parts)).file
    before = file.read_bytes()
    at = data.draw(st.integers(0, 8 * len(before) - 1))
    flipped = bytearray(before)
    flipped[at // 8] ^= 1 << at % 8
    file.write_bytes(flipped)
    try:
        with pytest.raises(DamagedRecord, match=file.name):
            run_ids(record)
        report = merge([record], record.parent / "target")
        assert report.added == set() and str(file) in report.damages[0]
        assert not read_index(record.parent / "target")
    finally:
        file.write_bytes(before)
    assert len(run_ids(record)) == 8


@pytest.mark.parametrize("kind", ["runs", "images", "epochs"])
@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_truncated_part_is_not_used(record, kind, size, capsys, tmp_path):
    file = part_of(record, kind)
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(DamagedRecord, match=file.name):
        run_ids(record)
    assert f"{file} is damaged" in said(record)
    words = ["--runs", str(record), "--out", str(tmp_path / "figures")]
    assert main(["figures", "mine", *words]) == 1
    assert f"{file} is damaged" in capsys.readouterr().err


def test_what_is_remembered_hides_no_damage(record, capsys):
    assert main(["table", "mine", "--runs", str(record), "--ci"]) == 0
    assert capsys.readouterr().err == ""
    file = part_of(record, "images")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert main(["table", "mine", "--runs", str(record)]) == 1
    output, errors = capsys.readouterr()
    assert f"{file} is damaged" in errors and output == ""


@pytest.mark.parametrize("kind", ["images", "epochs", "thresholds"])
@pytest.mark.parametrize("gone", [True, False])
def test_runs_of_a_damaged_part_are_used_nowhere(add_run, tmp_path, kind, gone, capsys):
    for loss, alpha in itertools.product(("gce", "tloss"), (0.0, 0.5)):
        add_run(loss, alpha)
    pack("mine", [add_run.runs], tmp_path / "record")
    damaged = part_of(tmp_path / "record", kind)
    second = add_run("mae", 0.5, place="more"), add_run("ce", 0.5, place="more")
    pack("mine", [tmp_path / "more"], tmp_path / "record")
    if gone:
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    commands = {
        "table": ["mine"], "claims": ["mine"], "ranks": ["mine"],
        "report": ["mine", "-o", str(tmp_path / "page.html")],
        "results": ["mine", "--out", str(tmp_path / "kept")],
        "status": ["--experiment", "mine"],
    }  # fmt: skip
    for command, words in commands.items():
        assert main([command, *words, "--runs", str(tmp_path / "record")]) == 0
        output, errors = capsys.readouterr()
        assert str(damaged) in errors and "its 4 runs are not used" in errors, command
        assert "GCE" not in output and "No test" not in errors, command
    page = (tmp_path / "page.html").read_text()
    assert "GCE" not in page and f"Not used: {damaged.relative_to(tmp_path / 'record')} is" in page
    there = {one.run_id for one in second}
    assert set(load_runs(tmp_path / "record")["run_id"]) == there
    both = [str(tmp_path / "record"), str(add_run.runs)]  # what is whole elsewhere is used
    assert main(["table", "mine", "--metric", "dice_image", "--runs", *both]) == 0
    output, errors = capsys.readouterr()
    assert "| GCE" in output and "| MAE" in output and "Wilcoxon" in output
    assert str(damaged) in errors


def test_a_missing_part_is_not_used(record):
    part_of(record, "runs").unlink()
    assert "is missing" in said(record)
    with pytest.raises(DamagedRecord, match="is missing"):
        run_ids(record)


def test_other_packings_are_used_and_the_damage_is_said(add_run, sweep, record, capsys):
    damaged = part_of(record, "runs")
    add_run("mae", experiments=["mine"])
    pack("mine", [sweep], record)
    damaged.write_bytes(b"garbage")
    assert main(["table", "mine", "--runs", str(record)]) == 0
    output, errors = capsys.readouterr()
    assert "| MAE" in output and "| GCE" not in output
    assert f"Not used: {damaged} is damaged" in errors and "its 8 runs" in errors
    assert main(["status", "--runs", str(record)]) == 0
    output, errors = capsys.readouterr()
    assert "1 run: 1 done" in output and str(damaged) in errors
    words = ["runs", "pack", "mine", "--runs", str(sweep), "-o", str(record)]
    assert main(words) == 1  # the damage is said, and the runs are packed again
    assert str(damaged) in capsys.readouterr().err
    assert len(load_runs(record)) == len(run_ids(record)) == 9


def with_number(table, name):
    return table.append_column(name, pa.array([1.0] * len(table)))


RUNS = {
    "labels": put("labels", "[]"),
    "labels that contradict": put("labels", '{"dataset":"a","loss":"b","alpha":1,"seed":0}'),
    "no JSON": put("settings", "{"),
    "deep": put("settings", "[" * 100_000),
    "experiments": put("experiments", "[1]"),
    "text for a number": put("dice_image", "0.5"),
    "number for a text": put("loss", 1),
    "range": put("dice_image", 1.5),
    "range, beside NaN": put("dice_image", lambda c: pa.array([math.nan] * (len(c) - 1) + [-0.5])),
    "unknown run": put("run_id", lambda c: pa.array(["other", *c.to_pylist()[1:]])),
    "twice": put("run_id", lambda c: pa.array([c[1].as_py(), *c.to_pylist()[1:]])),
    "gap": put("labels", lambda c: pa.array([None, *c.to_pylist()[1:]])),
    "lacking": lambda table: table.drop_columns(["settings"]),
    "logical": put("public", "yes"),
    "list": put("nu", lambda c: pa.array([[1.0]] * len(c))),
    "number and group": lambda table: with_number(table, "steps.x"),
    "control in a number's name": lambda table: with_number(table, "\x1b[31m"),
    "control in an experiment": put("experiments", '["mine","\\u001b]0;evil\\u0007"]'),
    "control in a setting": put("settings", '{"a":["\\u009b31m"]}'),
    "control in a collapse": put("collapsed", "\x1b[31m"),
    "long": put("settings", '{"a":"' + "x" * 2_000_000 + '"}'),
}


@pytest.mark.parametrize("change", RUNS.values(), ids=RUNS)
def test_runs_of_another_kind_are_not_used(record, tmp_path, change):
    file = replace(record, "runs", changed(record, "runs", change))
    assert f"{file} is damaged" in said(record)
    with pytest.raises(DamagedRecord, match=file.name):
        run_ids(record)
    assert merge([record], tmp_path / "target").added == set()


IMAGES = {
    "unknown run": put("run_id", lambda c: pa.array(["other", *c.to_pylist()[1:]])),
    "not together": put("run_id", lambda c: pa.array([*c.to_pylist()[1:], c[0].as_py()])),
    "text": put("tp", "1"),
    "negative": put("tp", -1),
    "float": put("fn", 0.5),
    "distance": put("hd95", -0.5),
    "no id": lambda table: table.drop_columns(["id"]),
    "gap": put("fp", lambda c: pa.array([None, *c.to_pylist()[1:]])),
    "other counts": put("tp", lambda c: pc.add(c.cast("int64"), 1)),
    "half": lambda table: table,
}


@pytest.mark.parametrize("change", IMAGES.values(), ids=IMAGES)
def test_images_of_another_kind_are_not_used(record, change, capsys):
    data = changed(record, "images", change)
    rows = None
    if change is IMAGES["half"]:
        sink = pa.BufferOutputStream()
        pq.write_table(pq.read_table(pa.BufferReader(data)).slice(3), sink)
        data = sink.getvalue().to_pybytes()
        rows = pq.read_metadata(pa.BufferReader(data)).num_rows
    file = replace(record, "images", data, rows)
    assert main(["table", "mine", "--runs", str(record)]) == 0
    output, errors = capsys.readouterr()
    assert "†" not in output
    assert f"No test over images: {file}" in errors and "damaged" in errors
    assert main(["table", "mine", "--runs", str(record), "--test", "images"]) == 1


@pytest.mark.parametrize("name", ["jaccard_image", "dice_pooled", "area_ratio"])
def test_numbers_that_the_images_do_not_give_are_said(record, name, capsys):
    replace(record, "runs", changed(record, "runs", put(name, 0.99)))
    assert main(["table", "mine", "--runs", str(record), "--metric", name, "dice_image"]) == 0
    output, errors = capsys.readouterr()
    assert "†" not in output
    assert "No test over images: " in errors and f"is damaged: {name} is " in errors


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda index: [], "has schema None"),
        (lambda index: {**index, "schema": 99}, "has schema 99"),
        (lambda index: {**index, "packings": {}}, "no list"),
        (lambda index: {**index, "packings": [[]]}, "no dict"),
        (lambda index: _with(index, runs=[]), "no run ids"),
        (lambda index: _with(index, runs=["../x"]), "no run ids"),
        (lambda index: _with(index, runs=[1]), "no run ids"),
        (lambda index: _with(index, runs=["x", "x"]), "twice"),
        (lambda index: _with(index, parts=[]), "the parts of nothing"),
        (lambda index: _part(index, kind="../../etc"), "is not a kind of part"),
        (lambda index: _part(index, sha256="../../../etc/passwd"), "is not a checksum"),
        (lambda index: _part(index, rows=10**12), "1000000000000 rows"),
        (lambda index: _part(index, size=10**12), "1000000000000 bytes"),
        (lambda index: _part(index, rows=True), "no int"),
        (lambda index: _part(index, rows=-1), "-1 rows"),
    ],
)
def test_an_index_of_another_kind_is_not_used(record, change, reason):
    index = read_json(record / "record.json")
    (record / "record.json").write_text(json.dumps(change(index)))
    message = said(record)
    assert str(record / "record.json") in message and reason in message
    with pytest.raises(DamagedRecord):
        run_ids(record)


def _with(index, **changes):
    return {**index, "packings": [{**index["packings"][0], **changes}]}


def _part(index, **changes):
    parts = index["packings"][0]["parts"]
    return _with(index, parts=[{**parts[0], **changes}, *parts[1:]])


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": 1}', "\ud800"])
def test_an_index_that_is_no_json_is_not_used(record, text):
    (record / "record.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert "record.json is damaged" in said(record)


def test_runs_that_the_index_does_not_name_are_not_used(record):
    (packing,) = read_index(record)
    data = part_of(record, "runs").read_bytes()
    replace(record, "runs", data, runs=packing.runs[1:])
    assert f"rows of {packing.runs[0]}" in said(record)
    replace(record, "runs", data, runs=[*packing.runs, "more"])
    assert "8 rows of 9 runs" in said(record)
    with pytest.raises(DamagedRecord, match="8 rows of 9 runs"):  # or a sweep would skip it
        run_ids(record)


def test_more_rows_than_the_index_says_are_not_read(record, monkeypatch):
    """A short file may hold any number of equal rows: the footer is asked before."""
    table = pq.read_table(part_of(record, "epochs"))
    many = table.slice(0, 1).take(pa.array([0] * 3_000_000))
    sink = pa.BufferOutputStream()
    pq.write_table(many, sink, compression="zstd")
    file = replace(record, "epochs", sink.getvalue().to_pybytes())
    assert file.stat().st_size < 1_000_000

    def read(*_, **__):
        raise AssertionError("it is read")

    monkeypatch.setattr(pq.ParquetFile, "read", read)
    (packing,) = read_index(record)
    with pytest.raises(layout.DamagedRecord, match="3000000 rows instead of the 32"):
        tables.decode(record, packing.part("epochs"), packing.runs)
    monkeypatch.setattr(tables, "_BYTES_LIMIT", 1_000_000)
    replace(record, "epochs", sink.getvalue().to_pybytes(), rows=3_000_000)
    (packing,) = read_index(record)
    with pytest.raises(layout.DamagedRecord, match="bytes in memory, more than 1000000"):
        tables.decode(record, packing.part("epochs"), packing.runs)


def test_a_large_index_or_part_is_not_read(record, monkeypatch):
    monkeypatch.setattr(layout, "PART_LIMIT", part_of(record, "runs").stat().st_size)
    with (part_of(record, "images")).open("ab") as file:
        file.truncate(1 << 34)  # sparse: it takes no room
    with pytest.raises(DamagedRecord):
        run_ids(record)
    monkeypatch.setattr(layout, "INDEX_LIMIT", 10)
    assert "bytes, more than 10" in said(record)


@pytest.mark.parametrize("name", ["record.json", "runs", "part"])
def test_links_are_not_followed(record, tmp_path, name):
    file = part_of(record, "runs") if name == "part" else record / name
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert "is a link" in said(record)
    with pytest.raises(DamagedRecord, match="is a link"):
        run_ids(record)


def test_nothing_is_written_behind_a_link(sweep, record, tmp_path, capsys):
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    target.mkdir()
    (target / "images").symlink_to(elsewhere)
    for words in (["pack", "mine", "--runs", str(sweep)], ["merge", str(record)]):
        assert main(["runs", *words, "-o", str(target)]) == 1
        assert f"{target / 'images'} is a link" in capsys.readouterr().err
        assert not [*elsewhere.iterdir()] and not run_ids(target)


def test_a_pipe_is_no_part(record):
    file = part_of(record, "runs")
    file.unlink()
    os.mkfifo(file)
    assert "is not a regular file" in said(record)


def test_a_part_that_is_no_parquet_is_not_used(record):
    file = replace(record, "runs", b"PAR1" + b"\xff" * 100 + b"PAR1")
    assert f"{file} is damaged" in said(record)


def test_merging_says_what_it_leaves(sweep, record, tmp_path, capsys):
    damaged = part_of(record, "images")
    damaged.write_bytes(b"garbage")
    target = tmp_path / "target"
    assert main(["runs", "merge", str(record), "-o", str(target)]) == 1
    output, errors = capsys.readouterr()
    assert "0 runs and 0 parts copied" in output and str(damaged) in errors
    assert contents(target) == {}
    (record / "record.json").write_text("{")
    assert main(["runs", "merge", str(record), "-o", str(target)]) == 1
    assert "record.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["runs", "images"])
@pytest.mark.parametrize("gone", [True, False])
def test_merging_mends_a_damaged_target(record, tmp_path, kind, gone, capsys):
    before = contents(record)
    intact = tmp_path / "intact"
    merge([record], intact)
    file = part_of(record, kind)
    if gone:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert main(["runs", "merge", str(intact), str(record), "-o", str(record)]) == 0
    output, errors = capsys.readouterr()
    assert "0 runs and 1 part copied from 2 records, 8 runs mended" in output and errors == ""
    assert contents(record) == before
    assert merge([intact], record).mended == set()


def test_merging_says_what_stays_damaged_in_the_target(add_run, record, tmp_path, capsys):
    add_run("mae", place="more")
    pack("mine", [tmp_path / "more"], tmp_path / "other")
    file = part_of(record, "images")
    file.write_bytes(b"garbage")
    for sources in ([tmp_path / "other"], [record]):
        assert main(["runs", "merge", *map(str, sources), "-o", str(record)]) == 1
        (said,) = capsys.readouterr().err.splitlines()
        assert f"{file} is damaged" in said and "its 8 runs are not used" in said
    assert len(load_runs(record)) == 1
    broken = tmp_path / "broken"
    shutil.copytree(record, broken)
    assert main(["runs", "merge", str(broken), "-o", str(record)]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert str(broken) in first and f"{file} is damaged" in second
