import errno
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from robustseg.data import cache as module
from robustseg.data.cache import load
from robustseg.data.checked_json import read_checked, write_checked
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.source import Record
from robustseg.errors import DataError
from tests.conftest import SLOW_WITH_FIXTURE


def built(cache):
    """The cache folders; fails if anything but them and locks is there."""
    entries = list((cache / "images").iterdir())
    assert all(entry.is_dir() or entry.suffix == ".lock" for entry in entries)
    folders = [entry for entry in entries if entry.is_dir()]
    assert not [folder for folder in folders if folder.name.startswith(".")]
    return folders


def test_holds_what_the_source_reads(isic_root, tmp_path):
    source = Isic2017(isic_root)
    images = load(source, 32, tmp_path / "cache")
    records = source.records()
    assert images.ids == [r.id for r in records]
    assert images.splits.tolist() == [r.split for r in records]
    for k, record in enumerate(records):
        image, mask = source.read(record)
        assert np.array_equal(images.images[k], image)
        assert np.array_equal(images.masks[k], mask)
    assert images.images.dtype == images.masks.dtype == np.uint8
    assert not images.images.flags.writeable
    assert isinstance(images.split("train").images, np.memmap)


def test_files_that_change_while_they_are_decoded_fill_no_cache(isic_root, tmp_path, monkeypatch):
    source, read = Isic2017(isic_root), Isic2017.read
    (image,) = isic_root.glob("*/ISIC_0000003.jpg")
    other = tmp_path / "other.jpg"
    Image.open(image).transpose(Image.Transpose.ROTATE_180).save(other)

    def late(self, record):
        if record.id == image.stem:
            other.replace(image)
        return read(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(Isic2017, "read", late)
        with pytest.raises(DataError, match=f"{isic_root}: changed while it was decoded"):
            load(source, 32, tmp_path / "cache")
    assert built(tmp_path / "cache") == []
    assert len(load(source, 32, tmp_path / "cache")) == 8


@pytest.mark.parametrize("channels", [1, 3])
def test_resizing(tmp_path, channels):
    # 96 × 64 pixels: a ramp across, and classes 0, 1, ignored; to 16 × 16.
    ramp = np.linspace(0, 255, 96).astype(np.uint8)[None].repeat(64, axis=0)
    labels = np.zeros((64, 96), np.uint8)
    labels[:32], labels[32:48] = 1, 2
    for name, array in (("images", ramp), ("masks", labels)):
        for stem in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / name / f"{stem}.png")
    source = Folder(
        tmp_path,
        channels=channels,
        positive_values=[1],
        ignore_values=[2],
        fractions={"train": 0.5, "test": 0.5},
    )
    images = load(source, 16, tmp_path / "cache")
    assert images.images.shape == (2, 16, 16, channels)
    # Antialiased: each new pixel is near the mean of the six columns it covers.
    means = ramp[0].reshape(16, 6).mean(axis=1)
    assert np.abs(images.images[0, :, 1:-1] - means[None, 1:-1, None]).max() < 1.5
    assert (images.masks[0, :8] == 1).all()
    assert (images.masks[0, 8:12] == 255).all()
    assert (images.masks[0, 12:] == 0).all()


def test_is_built_once(isic_root, tmp_path, monkeypatch):
    first = load(Isic2017(isic_root), 24, tmp_path / "cache")
    monkeypatch.setattr(Isic2017, "read", lambda *_: pytest.fail("decoded again"))
    again = load(Isic2017(isic_root), 24, tmp_path / "cache")
    assert np.array_equal(first.images, again.images)
    assert len(built(tmp_path / "cache")) == 1


def test_its_key(isic_root, tmp_path):
    cache = tmp_path / "cache"
    load(Isic2017(isic_root), 24, cache)
    load(Isic2017(isic_root), 16, cache)
    load(Isic2017(isic_root, mask_threshold=100), 24, cache)
    shutil.copytree(isic_root, tmp_path / "moved")
    load(Isic2017(tmp_path / "moved"), 24, cache)  # the same files: no new cache
    assert len(built(cache)) == 3
    mask = min((isic_root / "ISIC-2017_Training_Part1_GroundTruth").iterdir())
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(mask)
    assert not load(Isic2017(isic_root), 24, cache).masks[0].any()
    assert len(built(cache)) == 4


def shorten(file):
    file.write_bytes(file.read_bytes()[:-100])


def break_header(file):
    file.write_bytes(b"\0" * 8 + file.read_bytes()[8:])


def blank_pixels(file):
    data = file.read_bytes()
    file.write_bytes(data[:128] + bytes(len(data) - 128))


def sign(file, body):
    file.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


DAMAGES = {
    "images cut off": ("images.npy", shorten),
    "masks cut off": ("masks.npy", shorten),
    "header": ("images.npy", break_header),
    "empty file": ("masks.npy", lambda file: file.write_bytes(b"")),
    "pixels lost": ("images.npy", blank_pixels),
    "masks gone": ("masks.npy", lambda file: file.unlink()),
    "meta gone": ("meta.json", lambda file: file.unlink()),
    "meta cut off": ("meta.json", shorten),
    "meta of another": (
        "meta.json",
        lambda file: write_checked(file, read_checked(file) | {"files": 1}),
    ),
    "meta nested deep": ("meta.json", lambda file: sign(file, b"[" * 100_000)),
    "meta with other types": (
        "meta.json",
        lambda file: write_checked(file, read_checked(file) | {"own_foreground": ["a"] * 8}),
    ),
    "meta of older versions": (
        "meta.json",
        lambda file: file.write_text('{"format": 1, "shape": [8, 24, 24, 3], "sha256": "0"}'),
    ),
    "meta is a fifo": ("meta.json", lambda file: (file.unlink(), os.mkfifo(file))),
    "images are a folder": ("images.npy", lambda file: (file.unlink(), file.mkdir())),
    "longer": ("masks.npy", lambda file: file.write_bytes(file.read_bytes() + b"0")),
    "one bit of an image": ("images.npy", lambda file: flip(file, 128 + 5 * 24 * 24 * 3 + 100)),
    "one bit of a mask": ("masks.npy", lambda file: flip(file, -1)),
    "another shape": (
        "images.npy",
        lambda file: np.save(file, np.zeros((8, 24, 24, 1), np.uint8)),
    ),
    "another type": (
        "masks.npy",
        lambda file: np.save(file, np.zeros((8, 24, 24), np.int8)),
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_is_built_again_when_damaged(isic_root, tmp_path, case, caplog):
    cache = tmp_path / "cache"
    expected = load(Isic2017(isic_root), 24, cache)
    pixels, masks = np.array(expected.images), np.array(expected.masks)
    (folder,) = built(cache)
    name, damage = DAMAGES[case]
    damage(folder / name)
    mended = load(Isic2017(isic_root), 24, cache)
    assert np.array_equal(mended.images, pixels)
    assert np.array_equal(mended.masks, masks)
    assert "damaged" in caplog.text
    caplog.clear()
    load(Isic2017(isic_root), 24, cache)
    assert "damaged" not in caplog.text
    assert built(cache) == [folder]


def test_a_disk_in_trouble_is_no_damage(isic_root, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    load(Isic2017(isic_root), 24, cache)
    (folder,) = built(cache)
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(module, "read_decoded", fail)
    with pytest.raises(DataError, match=r"cannot be read now .*ROBUSTSEG_CACHE"):
        load(Isic2017(isic_root), 24, cache)
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before


@settings(max_examples=25, suppress_health_check=SLOW_WITH_FIXTURE)
@given(st.data())
def test_any_damaged_byte_is_found(isic_root, tmp_path, data):
    cache = tmp_path / "cache"
    expected = np.array(load(Isic2017(isic_root), 12, cache).images)
    (folder,) = built(cache)
    file = folder / data.draw(st.sampled_from(["images.npy", "masks.npy", "meta.json"]))
    damaged = bytearray(file.read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(damaged))
    reads = []
    with pytest.MonkeyPatch.context() as patch:
        read = Isic2017.read
        patch.setattr(Isic2017, "read", lambda *args: reads.append(1) or read(*args))
        assert np.array_equal(load(Isic2017(isic_root), 12, cache).images, expected)
    assert len(reads) == 8


def test_it_knows_the_foreground_of_before_and_its_images(isic_root, tmp_path):
    images = load(Isic2017(isic_root), 24, tmp_path / "cache")
    shares = [(np.asarray(Image.open(r.mask)) > 0).mean() for r in Isic2017(isic_root).records()]
    assert images.own_foreground == pytest.approx(shares)
    assert images.split("val").own_foreground == pytest.approx(shares[4:6])
    assert len(set(images.digests)) == 8
    assert images.split("test").digests == images.digests[6:]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Ask its owner for the right to write"),
        (errno.EPERM, "Ask its owner for the right to write"),
        (errno.EROFS, "Set another folder with ROBUSTSEG_CACHE"),
        (errno.ENOSPC, "Free some space"),
    ],
)
def test_the_advice_fits_the_trouble(isic_root, tmp_path, monkeypatch, number, advice):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "shared_folder", fail)
    with pytest.raises(DataError, match=advice) as error:
        load(Isic2017(isic_root), 24, tmp_path / "cache")
    assert ("space" in str(error.value)) == (number == errno.ENOSPC)


def test_folders_of_a_shared_cache_are_shared(isic_root, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o1777)
    mask = os.umask(0o077)
    try:
        load(Isic2017(isic_root), 24, cache)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((cache / "images").stat().st_mode) == 0o1777
    (lock,) = (cache / "images").glob(".*.lock")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o644
    (folder,) = built(cache)
    assert {stat.S_IMODE(file.stat().st_mode) & 0o444 for file in folder.iterdir()} == {0o444}


def test_a_lock_that_is_a_link_is_not_followed(isic_root, tmp_path):
    cache = tmp_path / "cache"
    load(Isic2017(isic_root), 24, cache)
    (folder,) = built(cache)
    shutil.rmtree(folder)
    lock = folder.with_name(f".{folder.name}.lock")
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="cannot be written"):
        load(Isic2017(isic_root), 24, cache)
    assert not (tmp_path / "elsewhere").exists()


def test_an_unusable_file_leaves_nothing(isic_root, tmp_path):
    mask = next((isic_root / "ISIC-2017_Test_v2_Part1_GroundTruth").iterdir())
    mask.write_bytes(b"")
    with pytest.raises(DataError, match=str(mask)):
        load(Isic2017(isic_root), 24, tmp_path / "cache")
    assert built(tmp_path / "cache") == []


def test_too_little_space_is_told_before_the_work(isic_root, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(Isic2017, "read", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError) as error:
        load(Isic2017(isic_root), 24, tmp_path / "cache")
    assert f"{tmp_path / 'cache' / 'images'}: the disk is full" in str(error.value)
    assert "ROBUSTSEG_CACHE" in str(error.value)


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "cannot be written")]
)
def test_a_failed_write_leaves_nothing(isic_root, tmp_path, monkeypatch, number, message):
    def fail(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match=message):
        load(Isic2017(isic_root), 24, tmp_path / "cache")
    assert built(tmp_path / "cache") == []


def test_a_cache_folder_that_is_a_file(isic_root, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(DataError, match=r"cannot be written.*ROBUSTSEG_CACHE"):
        load(Isic2017(isic_root), 24, tmp_path / "cache")


def test_image_size_and_empty_sources(isic_root, tmp_path):
    with pytest.raises(DataError, match="image_size must be at least 1"):
        load(Isic2017(isic_root), 0, tmp_path)

    class Nothing(Isic2017):
        def records(self) -> list[Record]:
            return []

    with pytest.raises(DataError, match="the data source is empty"):
        load(Nothing(isic_root), 8, tmp_path)


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "\udcff", "a\u202eb"])
def test_ids_that_cannot_be_printed(isic_root, tmp_path, name):
    class Odd(Isic2017):
        def records(self) -> list[Record]:
            return [Record(name, "train")]

    with pytest.raises(DataError, match=r"the id 'a?.*': its name") as error:
        load(Odd(isic_root), 8, tmp_path)
    assert str(error.value).isprintable()


def test_without_locks_it_still_works(isic_root, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    assert len(load(Isic2017(isic_root), 24, tmp_path / "cache")) == 8
    assert "no locks here" in caplog.text


def test_what_a_killed_process_left_is_deleted_but_not_what_another_host_builds(
    isic_root, tmp_path, monkeypatch
):
    images = load(Isic2017(isic_root), 24, tmp_path / "cache")
    (folder,) = built(tmp_path / "cache")
    made = {}
    for host in ("node", "node-1"):
        monkeypatch.setattr(module.socket, "gethostname", lambda name=host: name)
        made[host] = Path(
            tempfile.mkdtemp(dir=folder.parent, prefix=module._partial_prefix(folder))
        )
        made[host].with_name(f"{made[host].name}-damaged").mkdir()
    shutil.rmtree(folder)
    monkeypatch.setattr(module.socket, "gethostname", lambda: "node")
    again = load(Isic2017(isic_root), 24, tmp_path / "cache")
    assert np.array_equal(again.images, images.images)
    left = {path.name for path in folder.parent.iterdir() if path.is_dir()} - {folder.name}
    assert left == {made["node-1"].name, f"{made['node-1'].name}-damaged"}


def test_a_source_that_cannot_read_is_not_the_cache_s_fault(isic_root, tmp_path):
    class Broken(Isic2017):
        def read(self, record):
            raise FileNotFoundError("no such slide")

    with pytest.raises(DataError, match=r"\.jpg: cannot be read \(no such slide\)"):
        load(Broken(isic_root), 24, tmp_path / "cache")


PROGRAM = """
import hashlib, os, sys, time
from pathlib import Path
from robustseg.data.cache import load
from robustseg.data.sources.isic2017 import Isic2017

root, cache, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])

class Isic2017(Isic2017):
    def read(self, record):
        with open(cache / "reads", "a") as file:
            file.write(record.id + "\\n")
        time.sleep(seconds)
        return super().read(record)

images = load(Isic2017(root), 24, cache)
print(hashlib.sha256(images.images.tobytes() + images.masks.tobytes()).hexdigest())
"""


def start(root, cache, seconds):
    command = [sys.executable, "-c", PROGRAM, str(root), str(cache), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_several_processes_at_once(isic_root, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    running = [start(isic_root, cache, 0.1) for _ in range(3)]
    answers = [process.communicate(timeout=240)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert len(built(cache)) == 1
    assert len((cache / "reads").read_text().split()) == 8  # one of them did the work


def test_a_killed_builder_is_in_nobodys_way(isic_root, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    killed = start(isic_root, cache, 3600)
    deadline = time.monotonic() + 240
    while not (cache / "reads").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=240)
    assert [p for p in (cache / "images").iterdir() if p.is_dir()]  # what it left
    second = start(isic_root, cache, 0)
    assert second.communicate(timeout=240)[0]
    assert second.returncode == 0
    assert len(built(cache)) == 1
