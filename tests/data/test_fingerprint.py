import hashlib
import json
import logging
import os
import shutil
import stat
import threading
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from robustseg.data import fingerprint as module
from robustseg.data.fingerprint import fingerprint_of, read_memo, write_memo
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.source import Record
from robustseg.errors import DataError


@pytest.fixture
def later(monkeypatch):
    """A function that lets a minute pass, so that every file is old enough to be remembered."""

    def pass_by(seconds=60):
        now = time.time_ns()
        monkeypatch.setattr(module.time, "time_ns", lambda: now + seconds * 10**9)

    return pass_by


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


def test_a_warm_memo_reads_no_image(isic_root, tmp_path, monkeypatch, later):
    cache = tmp_path / "cache"
    later()
    first = Isic2017(isic_root).fingerprint(cache)
    monkeypatch.setattr(module, "_hash_file", lambda path: pytest.fail(f"read {path}"))
    assert Isic2017(isic_root).fingerprint(cache) == first


@pytest.mark.parametrize("replaced", [False, True])
def test_a_changed_file_is_hashed_again_whatever_its_time_says(
    isic_root, tmp_path, later, replaced
):
    cache = tmp_path / "cache"
    later()
    first = Isic2017(isic_root).fingerprint(cache)
    image = isic_root / "ISIC-2017_Training_Data" / "ISIC_0000001.jpg"
    before = image.stat()
    data = bytearray(image.read_bytes())
    data[-3] ^= 1  # the same size
    if replaced:  # as rsync -t does
        (tmp_path / "new").write_bytes(bytes(data))
        os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        os.replace(tmp_path / "new", image)
    else:  # as cp -p does
        image.write_bytes(bytes(data))
        os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = image.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    changed = Isic2017(isic_root).fingerprint(cache)
    assert changed != first
    assert changed == Isic2017(isic_root).fingerprint()


def test_young_files_are_not_remembered(isic_root, tmp_path, later, monkeypatch):
    cache = tmp_path / "cache"
    files = [file.stat() for file in isic_root.rglob("*") if file.is_file()]
    oldest = min(max(file.st_mtime_ns, file.st_ctime_ns) for file in files)
    monkeypatch.setattr(module.time, "time_ns", lambda: oldest + module.SETTLED_NS)
    Isic2017(isic_root).fingerprint(cache)
    (memo,) = (cache / "fingerprints").iterdir()
    assert read_memo(memo) == {}
    later()
    Isic2017(isic_root).fingerprint(cache)
    assert len(read_memo(memo)) == 16


def checked(body):
    """A memo with this body and the checksum of it."""
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:-9] + b"0" + data[-8:],
        lambda data: b'{"other": "format"}',
        lambda data: checked(b"[" * 100_000),
        lambda data: checked(b'{"/a.png": [1, 2, "0"]}'),
        lambda data: checked(b"[]"),
    ],
)
def test_a_damaged_memo_is_hashed_again(isic_root, tmp_path, damage, caplog, later):
    cache = tmp_path / "cache"
    later()
    first = Isic2017(isic_root).fingerprint(cache)
    (memo,) = (cache / "fingerprints").iterdir()
    memo.write_bytes(damage(memo.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert Isic2017(isic_root).fingerprint(cache) == first
    assert "damaged, the files are hashed again" in caplog.text
    assert len(read_memo(memo)) == 16


def test_concurrent_writers_leave_a_whole_memo(tmp_path):
    file = tmp_path / "memo.json"
    memos = [{f"/{k}/{i}": [k, i, 0, 0, "0" * 64, {}] for i in range(500)} for k in range(4)]
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


def test_a_memo_of_another_user_is_not_believed(isic_root, tmp_path, later, caplog, monkeypatch):
    cache = tmp_path / "cache"
    later()
    expected = Isic2017(isic_root).fingerprint(cache)
    (memo,) = (cache / "fingerprints").iterdir()
    assert memo.name.endswith(f"-{os.geteuid()}.json")
    forged = read_memo(memo)
    for entry in forged.values():
        entry[4] = "0" * 64
    write_memo(memo, forged)
    assert Isic2017(isic_root).fingerprint(cache) != expected  # of one's own it is believed
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    os.replace(memo, memo.with_name(memo.name.replace(f"-{owner}.", f"-{owner + 1}.")))
    assert Isic2017(isic_root).fingerprint(cache) == expected
    assert "belongs to another user" in caplog.text


def test_a_memo_that_is_a_fifo_stops_nothing(isic_root, tmp_path, later, caplog):
    cache = tmp_path / "cache"
    later()
    expected = Isic2017(isic_root).fingerprint(cache)
    (memo,) = (cache / "fingerprints").iterdir()
    memo.unlink()
    os.mkfifo(memo)
    assert Isic2017(isic_root).fingerprint(cache) == expected
    assert "not a regular file" in caplog.text


def test_users_of_one_cache_have_memos_of_their_own(isic_root, tmp_path, later, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o1777)
    later()
    expected = Isic2017(isic_root).fingerprint(cache)
    assert stat.S_IMODE((cache / "fingerprints").stat().st_mode) == 0o1777
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert Isic2017(isic_root).fingerprint(cache) == expected
    assert len(list((cache / "fingerprints").iterdir())) == 2


def test_a_cache_that_is_no_folder(isic_root, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    expected = Isic2017(isic_root).fingerprint()
    assert Isic2017(isic_root).fingerprint(tmp_path / "cache" / "deeper") == expected
    assert "files will be hashed again" in caplog.text


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(DataError, match=r"a.png: cannot be read \(No such file"):
        fingerprint_of([Record("a", "train", tmp_path / "a.png")], {})


def test_thousands_of_files_take_little_processor_time(tmp_path, later):
    records = []
    for number in range(2700):
        path = tmp_path / f"{number}.png"
        path.write_bytes(b"%d" % number)
        records.append(Record(str(number), "train", path, path))
    later()
    cache = tmp_path / "cache"
    cold = fingerprint_of(records, {}, cache)
    times = []
    for _ in range(3):
        start = time.process_time()
        assert fingerprint_of(records, {}, cache) == cold
        times.append(time.process_time() - start)
    assert min(times) < 0.15


def rewritten(root, change):
    """The fingerprint after each mask was changed, and the one that older versions give it."""
    for path in (root / "masks").iterdir():
        change(path)
    source = Folder(root)
    reading = {"channels": 3, "mask": source.rule().as_dict()}
    return source.fingerprint(), fingerprint_of(source.records(), reading)


def in_palette(*colours):
    def change(path):
        mask = Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8))
        mask.putpalette([level for colour in colours for level in colour])
        mask.save(path)

    return change


def in_alpha(path):
    mask = np.asarray(Image.open(path))
    Image.fromarray(np.dstack([np.zeros_like(mask)] * 3 + [mask])).save(path)


def in_both(path):
    mask = np.asarray(Image.open(path))
    Image.fromarray(np.dstack([mask] * 4)).save(path)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda path: None, True),
        (in_palette((0, 0, 0), (255, 255, 255)), True),
        (in_palette((0, 0, 0), (128, 0, 0)), True),  # of Pascal VOC
        (in_both, True),
        (in_alpha, False),
    ],
)
def test_new_rules_change_only_what_they_read_anew(tiles_root, change, same):
    now, before = rewritten(tiles_root, change)
    assert (now == before) == same


def test_a_clear_mask_is_read_anew(tiles_root):
    def blank(colour, opacity):
        def change(path):
            Image.new("LA", (32, 32), (colour, opacity)).save(path)

        return change

    for path in (tiles_root / "masks").iterdir():
        in_alpha(path)
    source = Folder(tiles_root)
    reading = {"channels": 3, "mask": source.rule().as_dict(), "mask_pixels": 2}
    one = min((tiles_root / "masks").iterdir())
    blank(0, 0)(one)  # as it always was
    assert source.fingerprint() == fingerprint_of(source.records(), reading)
    blank(255, 0)(one)  # once foreground everywhere
    assert source.fingerprint() == fingerprint_of(source.records(), reading | {"mask_pixels": 3})
    blank(0, 255)(one)
    with pytest.raises(DataError, match=f"{one}: black and opaque all over.*255 or 0"):
        source.fingerprint()


def test_masks_of_16_bits_in_each_colour_are_refused_whatever_the_cache_has(tiles_root):
    for path in sorted((tiles_root / "masks").iterdir())[:5]:
        mask = (np.asarray(Image.open(path)) > 0).astype(np.uint16)
        assert cv2.imwrite(str(path), np.dstack([mask] * 3))
    for options in ({}, {"classes": ["background", "a", "b"]}):
        with pytest.raises(DataError, match=r"png and 4 more: .*16 bits in each colour"):
            Folder(tiles_root, **options).fingerprint()


@pytest.mark.parametrize(
    ("options", "anew"),
    [({}, False), ({"mask_threshold": 0.5}, False), ({"positive_values": [1]}, False),
     ({"mask_threshold": 127}, True), ({"positive_values": [255]}, True)],
)  # fmt: skip
def test_one_bit_a_pixel_is_read_anew_where_255_is_asked_for(tiles_root, options, anew):
    for path in (tiles_root / "masks").iterdir():
        Image.open(path).convert("1").save(path)
    source = Folder(tiles_root, **options)
    reading = {"channels": 3, "mask": source.rule().as_dict()}
    assert (source.fingerprint() == fingerprint_of(source.records(), reading)) != anew


def test_opaque_black_masks_are_empty_where_none_is_drawn_in_opacity(tiles_root):
    now, before = rewritten(tiles_root, lambda path: Image.new("LA", (32, 32), (0, 255)).save(path))
    assert now == before


def test_palettes_of_other_indices_are_read_anew(tiles_root):
    def change(path):
        mask = Image.fromarray(np.where(np.asarray(Image.open(path)) > 0, 0, 2).astype(np.uint8))
        mask.putpalette([255, 255, 255, 9, 9, 9, 0, 0, 0])
        mask.save(path)

    now, before = rewritten(tiles_root, change)
    assert now != before
    source = Folder(tiles_root, positive_values=[0])  # indices, as ever
    reading = {"channels": 3, "mask": source.rule().as_dict()}
    assert source.fingerprint() == fingerprint_of(source.records(), reading)


def test_a_palette_mask_of_one_colour_is_refused_whatever_the_cache_has(tiles_root):
    def change(path):
        mask = Image.fromarray((np.asarray(Image.open(path)) == 0).astype(np.uint8))
        mask.putpalette([255, 0, 0, 0, 0, 0])  # read anew
        mask.save(path)

    rewritten(tiles_root, change)
    path = max((tiles_root / "masks").iterdir())
    Image.fromarray(np.full((32, 32, 3), (255, 0, 0), np.uint8)).quantize(2).save(path)
    with pytest.raises(DataError, match=f"{path}: a palette file of one colour, 255/0/0"):
        Folder(tiles_root).fingerprint()
    assert Folder(tiles_root, mask_threshold=9).fingerprint()


def test_bits_of_images(tiles_root):
    for path in (tiles_root / "images").iterdir():
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        Image.fromarray(grey * 16).save(path)
    with pytest.raises(DataError, match=r"image_bits=12"):
        Folder(tiles_root).fingerprint()
    deep = [Folder(tiles_root, image_bits=bits).fingerprint() for bits in (12, 14, 16)]
    assert len(set(deep)) == 3
    source = Folder(tiles_root, image_bits=16)  # what was read before there was the option
    reading = {"channels": 3, "mask": source.rule().as_dict()}
    assert deep[2] == fingerprint_of(source.records(), reading)


def test_dark_images_among_others_of_16_bits(tiles_root):
    first, *others = sorted((tiles_root / "images").iterdir())
    Image.fromarray(np.full((32, 32), 60_000, np.uint16)).save(first)
    for path in others:
        Image.fromarray(np.full((32, 32), 900, np.uint16)).save(path)
    assert Folder(tiles_root).fingerprint()


def test_the_memo_keeps_traits(tiles_root, tmp_path, later, monkeypatch):
    for path in (tiles_root / "masks").iterdir():
        in_alpha(path)
    later()
    first = Folder(tiles_root).fingerprint(tmp_path)
    monkeypatch.setattr(module, "_hash_file", lambda path: pytest.fail(f"read {path}"))
    monkeypatch.setattr(module, "traits_of", lambda path, mask: pytest.fail(f"read {path}"))
    assert Folder(tiles_root).fingerprint(tmp_path) == first


def test_a_file_that_was_an_image_is_looked_at_again_as_a_mask(tiles_root, tmp_path, later):
    for path in (tiles_root / "images").iterdir():
        mask = np.asarray(Image.open(tiles_root / "masks" / path.name))
        Image.fromarray(np.dstack([np.zeros_like(mask)] * 3 + [mask])).save(path)
    later()
    Folder(tiles_root).fingerprint(tmp_path)
    swapped = Folder(tiles_root, image_folders=["masks"], mask_folders=["images"])
    assert swapped.fingerprint(tmp_path) == swapped.fingerprint()
    reading = {"channels": 3, "mask": swapped.rule().as_dict()}
    assert swapped.fingerprint() != fingerprint_of(swapped.records(), reading)


def test_a_turned_tiff_is_read_anew(tiles_root):
    source = Folder(tiles_root)
    before, turned = source.fingerprint(), Image.Exif()
    turned[0x0112] = 3
    path = next((tiles_root / "images").iterdir())
    Image.open(path).save(path, exif=turned)  # no TIFF was ever turned by its tag but of this kind
    reading = {"channels": 3, "mask": source.rule().as_dict()}
    assert source.fingerprint() == fingerprint_of(source.records(), reading) != before
    Image.open(path).save(path.with_suffix(".tif"), exif=turned)
    path.unlink()
    records = source.records()
    assert source.fingerprint() == fingerprint_of(records, reading | {"tiff": "as stored"})
    assert source.fingerprint() != fingerprint_of(records, reading)
