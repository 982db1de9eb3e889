import hashlib
import json
import logging
import os
import shutil
import threading
import time

import pytest

from robustseg.data import fingerprint as module
from robustseg.data.fingerprint import fingerprint_of, read_memo, write_memo
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.source import Record
from robustseg.errors import DataError


def age(root, seconds=60):
    """Lets every file be old enough to be remembered."""
    then = time.time() - seconds
    for path in root.rglob("*.*"):
        os.utime(path, (then, then))


def test_its_definition(tmp_path):
    (tmp_path / "a.png").write_bytes(b"image")
    (tmp_path / "m.png").write_bytes(b"mask")
    records = [
        Record("a", "train", tmp_path / "a.png", tmp_path / "m.png"),
        Record("b", "test", tmp_path / "a.png"),
    ]
    sha = {text: hashlib.sha256(text.encode()).hexdigest() for text in ("image", "mask")}
    expected = hashlib.sha256(
        (
            '{"channels": 3}'
            f'["a", "train", "{sha["image"]}", "{sha["mask"]}"]'
            f'["b", "test", "{sha["image"]}", "-"]'
        ).encode()
    ).hexdigest()
    assert fingerprint_of(records, {"channels": 3}) == expected
    assert fingerprint_of(records, {"channels": 3}, tmp_path / "cache") == expected


def test_the_same_files_elsewhere(isic_root, tmp_path):
    here = Isic2017(isic_root).fingerprint()
    shutil.copytree(isic_root, tmp_path / "there")
    age(tmp_path / "there")
    assert Isic2017(tmp_path / "there").fingerprint() == here
    assert Isic2017(str(tmp_path / "there")).fingerprint() == here


def test_a_relative_root(isic_root, monkeypatch):
    here = Isic2017(isic_root).fingerprint()
    monkeypatch.chdir(isic_root.parent)
    assert Isic2017("isic").fingerprint() == here


def test_everything_that_matters_changes_it(isic_root):
    def now(**options):
        return Isic2017(isic_root, **options).fingerprint()

    seen = [now(), now(mask_threshold=127)]
    image = isic_root / "ISIC-2017_Training_Data" / "ISIC_0000001.jpg"
    mask = isic_root / "ISIC-2017_Training_Part1_GroundTruth" / "ISIC_0000001_segmentation.png"
    image.write_bytes(image.read_bytes() + b"\0")
    seen.append(now())
    mask.write_bytes(mask.read_bytes() + b"\0")
    seen.append(now())
    image.rename(image.with_name("ISIC_0000009.jpg"))
    mask.rename(mask.with_name("ISIC_0000009_segmentation.png"))
    seen.append(now())
    assert len(set(seen)) == len(seen)


def test_a_warm_memo_reads_no_image(isic_root, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    age(isic_root)
    first = Isic2017(isic_root).fingerprint(cache)
    monkeypatch.setattr(module, "_hash_file", lambda path: pytest.fail(f"read {path}"))
    assert Isic2017(isic_root).fingerprint(cache) == first


def test_a_changed_file_is_hashed_again(isic_root, tmp_path):
    cache = tmp_path / "cache"
    age(isic_root)
    first = Isic2017(isic_root).fingerprint(cache)
    image = isic_root / "ISIC-2017_Training_Data" / "ISIC_0000001.jpg"
    data = bytearray(image.read_bytes())
    data[-3] ^= 1  # the same size
    image.write_bytes(bytes(data))
    changed = Isic2017(isic_root).fingerprint(cache)
    assert changed != first
    assert changed == Isic2017(isic_root).fingerprint()


def test_young_files_are_not_remembered(isic_root, tmp_path):
    cache = tmp_path / "cache"
    Isic2017(isic_root).fingerprint(cache)
    (memo,) = (cache / "fingerprints").iterdir()
    assert read_memo(memo) == {}
    age(isic_root)
    Isic2017(isic_root).fingerprint(cache)
    assert len(read_memo(memo)) == 16


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:-9] + b"0" + data[-8:],
        lambda data: b'{"other": "format"}',
    ],
)
def test_a_damaged_memo_is_hashed_again(isic_root, tmp_path, damage, caplog):
    cache = tmp_path / "cache"
    age(isic_root)
    first = Isic2017(isic_root).fingerprint(cache)
    (memo,) = (cache / "fingerprints").iterdir()
    memo.write_bytes(damage(memo.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert Isic2017(isic_root).fingerprint(cache) == first
    assert "damaged, the files are hashed again" in caplog.text
    assert len(read_memo(memo)) == 16


def test_concurrent_writers_leave_a_whole_memo(tmp_path):
    file = tmp_path / "memo.json"
    memos = [{f"/{k}/{i}": [k, i, "0" * 64] for i in range(500)} for k in range(4)]
    stop = threading.Event()
    damaged = []

    def read():
        while not stop.is_set():
            memo = read_memo(file)
            if memo and memo not in memos:
                damaged.append(memo)

    reader = threading.Thread(target=read)
    reader.start()
    writers = [
        threading.Thread(target=lambda m=memo: [write_memo(file, m) for _ in range(10)])
        for memo in memos
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert not damaged
    assert json.loads(file.read_bytes().partition(b"\n")[2]) in memos
    assert [path.name for path in tmp_path.iterdir()] == ["memo.json"]


def test_a_cache_that_is_no_folder(isic_root, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    expected = Isic2017(isic_root).fingerprint()
    assert Isic2017(isic_root).fingerprint(tmp_path / "cache" / "deeper") == expected
    assert "files will be hashed again" in caplog.text


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(DataError, match=r"a.png: cannot be read \(No such file"):
        fingerprint_of([Record("a", "train", tmp_path / "a.png")], {})


def test_thousands_of_files_take_little_processor_time(tmp_path):
    records = []
    for number in range(2700):
        path = tmp_path / f"{number}.png"
        path.write_bytes(b"%d" % number)
        records.append(Record(str(number), "train", path, path))
    age(tmp_path)
    cache = tmp_path / "cache"
    cold = fingerprint_of(records, {}, cache)
    times = []
    for _ in range(3):
        start = time.process_time()
        assert fingerprint_of(records, {}, cache) == cold
        times.append(time.process_time() - start)
    assert min(times) < 0.15
