import shutil
import stat
import zipfile

import pytest

from robustseg.data.fetching.archive import extract
from robustseg.errors import DataError


def make(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_plain(tmp_path):
    archive = make(tmp_path / "a.zip", {"top/": "", "top/a/b.txt": "b", "c.txt": "c"})
    extract(archive, tmp_path / "out")
    assert listing(tmp_path / "out") == ["c.txt", "top/a/b.txt"]
    assert (tmp_path / "out/top/a/b.txt").read_text() == "b"


def test_the_top_folder_may_be_left_out(tmp_path):
    members = {"Set/": "", "Set/x/a.txt": "a", "__MACOSX/Set/._a": "junk"}
    extract(make(tmp_path / "a.zip", members), tmp_path / "out", inside="Set")
    assert listing(tmp_path / "out") == ["x/a.txt"]


HOSTILE = [
    "../escaped.txt",
    "a/../../escaped.txt",
    "/tmp/escaped.txt",
    "a\\..\\..\\escaped.txt",
    "C:/escaped.txt",
    "..",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("inside", ["", "a"])
def test_members_that_would_leave_the_folder(tmp_path, name, inside):
    archive = make(tmp_path / "a.zip", {"good.txt": "good", name: "evil"})
    before = listing(tmp_path)
    with pytest.raises(DataError, match=r"would leave the folder. Nothing was unpacked"):
        extract(archive, tmp_path / "deep" / "out", inside)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(tmp_path, kind):
    link = zipfile.ZipInfo("link")
    link.external_attr = (kind | 0o777) << 16
    archive = make(tmp_path / "a.zip", {"good.txt": "good", link: "/etc"})
    with pytest.raises(DataError, match="'link' is a link or a device"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_cut_at_a_zero(tmp_path):
    archive = make(tmp_path / "a.zip", {"goodX../../evil": "evil"})
    archive.write_bytes(archive.read_bytes().replace(b"goodX", b"good\0"))
    with pytest.raises(DataError, match="would leave the folder"):
        extract(archive, tmp_path / "out")


def test_damaged_archives(tmp_path):
    archive = make(tmp_path / "a.zip", {"a.txt": "some words " * 100})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged or not a zip archive"):
        extract(archive, tmp_path / "out")
    at = whole.index(b"a.txt") + 8
    archive.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    with pytest.raises(DataError, match="damaged or not a zip archive"):
        extract(archive, tmp_path / "out")
    assert listing(tmp_path / "out") == []  # no half file


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_any_damaged_byte_of_a_member_is_told(tmp_path, method):
    content = bytes(range(256)) * 3
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a.txt", content)
    whole = (tmp_path / "a.zip").read_bytes()
    start = whole.index(b"a.txt") + 5
    told = 0
    for at in range(start, whole.index(b"PK\1\2"), 7):
        damaged = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
        (tmp_path / "a.zip").write_bytes(damaged)
        try:
            extract(tmp_path / "a.zip", tmp_path / "out")
        except DataError as error:
            assert "damaged or not a zip archive" in str(error) and "download it again" in str(
                error
            )
            assert listing(tmp_path / "out") == []
            told += 1
        else:  # a byte that says nothing, such as the version of the encoder
            assert (tmp_path / "out" / "a.txt").read_bytes() == content
            (tmp_path / "out" / "a.txt").unlink()
    assert told > 10


def test_a_name_that_is_not_utf_8(tmp_path):
    archive = make(tmp_path / "a.zip", {"ü.txt": "a"})
    archive.write_bytes(archive.read_bytes().replace("ü".encode(), b"\xff\xfe"))
    with pytest.raises(DataError, match="a name in it is not UTF-8"):
        extract(archive, tmp_path / "out")


def test_a_name_with_control_characters(tmp_path):
    archive = make(tmp_path / "a.zip", {"a\x1b[2J.txt": "a"})
    with pytest.raises(DataError, match=r"'a\\x1b\[2J.txt': its name has control characters"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    archive = make(tmp_path / "a.zip", {"a.txt": "a"})
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match=r"cannot be unpacked \(File exists\). Take another folder"):
        extract(archive, tmp_path / "out")


def test_a_full_disk(tmp_path, monkeypatch):
    archive = make(tmp_path / "a.zip", {"a.txt": "a" * 1000})
    usage = shutil.disk_usage(tmp_path)._replace(free=999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"cannot be unpacked .*Free some space"):
        extract(archive, tmp_path / "out")
