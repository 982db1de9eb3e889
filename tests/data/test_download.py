"""Downloads from a server on loopback that misbehaves in every way asked for."""

import contextlib
import hashlib
import http.server
import io
import shutil
import threading
import zipfile

import numpy as np
import pytest

from robustseg.data.fetching import download as module
from robustseg.data.fetching import transfer
from robustseg.data.fetching.download import DATASETS, Archive, Dataset, download, fetch_archives
from robustseg.data.fetching.transfer import BLOCK, fetch
from robustseg.errors import DataError

BODY = np.random.default_rng(0).bytes(300_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; the first `breaks` answers end after `piece` bytes of their body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks = 0
        self.piece = 6 * BLOCK
        self.ranges = True
        self.version = '"1"'
        self.status: list[int] = []  # answers that are errors, first come first served
        self.length: str | None = None  # said instead of the true length; "" for none
        self.endless = False
        self.asked: list[str | None] = []  # the Range header of each request

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.status:
            self.send_error(server.status.pop(0))
            return
        body = server.files.get(self.path[1:])
        if body is None:
            self.send_error(404)
            return
        start = 0
        same = self.headers.get("If-Range") == server.version
        if self.headers.get("Range") and server.ranges and same:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.version:
            self.send_header("ETag", server.version)
        length = str(len(body) - start) if server.length is None else server.length
        if length:
            self.send_header("Content-Length", length)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while server.endless:
                self.wfile.write(bytes(BLOCK))
        rest = body[start:]
        if server.breaks:
            server.breaks -= 1
            rest = rest[: server.piece]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE_S", 0)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def make_zip(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def md5(data):
    return f"md5:{hashlib.md5(data).hexdigest()}"


def test_a_plain_transfer(server, tmp_path):
    server.files["a.bin"] = BODY
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_broken_connections_are_resumed(server, tmp_path):
    server.files["a.bin"] = BODY
    server.breaks = 2
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.asked == [None, f"bytes={6 * BLOCK}-", f"bytes={12 * BLOCK}-"]


def test_more_breaks_than_attempts_if_each_brings_something(server, tmp_path):
    server.files["a.bin"] = BODY
    server.breaks, server.piece = 18, BLOCK
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_breaks_after_a_few_bytes(server, tmp_path):
    server.files["a.bin"] = BODY[:3000]
    server.breaks, server.piece = 12, 200
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY[:3000]
    assert server.asked == [None, *(f"bytes={200 * k}-" for k in range(1, 13))]


@pytest.mark.parametrize("length", ["many", "-5", "1e3", "9" * 30, "٣"])
def test_a_length_that_is_no_number(server, tmp_path, length):
    server.files["a.bin"] = BODY
    server.length = length.encode().decode("latin-1")
    with pytest.raises(DataError, match=r"connection broke 5 times"):
        fetch(server.url("a.bin"), tmp_path / "a.bin")


def test_no_length(server, tmp_path):
    server.files["a.bin"] = BODY
    server.length = ""
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_range_error_at_first(server, tmp_path):
    server.files["a.bin"] = BODY
    server.status = [416]
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_an_endless_body(server, tmp_path, monkeypatch):
    server.files["a.bin"] = b""
    server.length, server.endless = "", True
    monkeypatch.setattr(transfer, "LIMIT", 1 << 20)
    with pytest.raises(DataError, match="sends more than 0 GiB"):
        fetch(server.url("a.bin"), tmp_path / "a.bin")
    server.endless = False
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 100


def test_a_later_call_goes_on(server, tmp_path):
    server.files["a.bin"] = BODY
    server.breaks = 1

    def give_up(_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(transfer, "sleep", give_up)
        fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").stat().st_size == 6 * BLOCK
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.asked == [None, f"bytes={6 * BLOCK}-"]


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server.files["a.bin"] = BODY
    server.breaks, server.ranges = 1, False
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize("version", ['"2"', ""])
def test_another_version_is_not_mixed_in(server, tmp_path, version):
    server.files["a.bin"] = BODY
    (tmp_path / "a.bin.part").write_bytes(b"old" * 1000)
    (tmp_path / "a.bin.part.version").write_text('"1"')
    server.version = version
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_part_longer_than_the_file(server, tmp_path):
    server.files["a.bin"] = BODY
    (tmp_path / "a.bin.part").write_bytes(BODY + b"more")
    (tmp_path / "a.bin.part.version").write_text(server.version)
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_errors_of_the_server(server, tmp_path):
    server.files["a.bin"] = BODY
    server.status = [503, 500]
    fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    with pytest.raises(DataError, match=r"the server refuses \(404 Not Found\)"):
        fetch(server.url("b.bin"), tmp_path / "b.bin")


def test_a_connection_that_never_works(server, tmp_path):
    server.files["a.bin"] = BODY
    server.breaks, server.piece = 100, 0
    with pytest.raises(DataError, match=r"the connection broke 5 times.*Run the command again"):
        fetch(server.url("a.bin"), tmp_path / "a.bin")
    assert len(server.asked) == 5
    with pytest.raises(DataError, match="the connection broke 5 times"):
        fetch("http://127.0.0.1:9/a.bin", tmp_path / "c.bin")


def test_a_full_disk(server, tmp_path, monkeypatch):
    server.files["a.bin"] = BODY
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=f"{tmp_path}: the disk is full"):
        fetch(server.url("a.bin"), tmp_path / "a.bin")


def test_archives_are_fetched_checked_and_unpacked_once(server, tmp_path):
    data = make_zip({"Images/a.txt": "a", "Images/b.txt": "b"})
    server.files["x.zip"] = data
    archives = [Archive(server.url("x.zip"), md5(data))]
    fetch_archives(archives, tmp_path)
    assert (tmp_path / "Images" / "b.txt").read_text() == "b"
    fetch_archives(archives, tmp_path)
    assert len(server.asked) == 1
    left = {path.name for path in (tmp_path / ".downloads").iterdir()}
    assert left == {"x.zip.done"}
    digest, *names = (tmp_path / ".downloads" / "x.zip.done").read_text().splitlines()
    assert digest == hashlib.sha256(data).hexdigest()
    assert names == ["Images/a.txt", "Images/b.txt"]
    (tmp_path / "Images" / "b.txt").unlink()
    fetch_archives(archives, tmp_path)
    assert (tmp_path / "Images" / "b.txt").read_text() == "b" and len(server.asked) == 2
    (tmp_path / ".downloads" / "x.zip.done").write_text("")  # as a full disk once left it
    fetch_archives(archives, tmp_path)
    assert len(server.asked) == 3


def test_a_wrong_hash(server, tmp_path):
    data = make_zip({"a.txt": "a"})
    server.files["x.zip"] = make_zip({"a.txt": "another"})
    archives = [Archive(server.url("x.zip"), md5(data))]
    with pytest.raises(DataError, match="what arrived is not the official file"):
        fetch_archives(archives, tmp_path)
    assert not (tmp_path / "a.txt").exists()
    server.files["x.zip"] = data
    fetch_archives(archives, tmp_path)
    assert (tmp_path / "a.txt").read_text() == "a"


def test_a_truncated_file_on_the_server(server, tmp_path):
    data = make_zip({"a.txt": "a" * 1000})
    server.files["x.zip"] = data[:-100]
    with pytest.raises(DataError, match="what arrived is not the official file"):
        fetch_archives([Archive(server.url("x.zip"), md5(data))], tmp_path)
    with pytest.raises(DataError, match=r"damaged or not a zip archive.*download it again"):
        fetch_archives([Archive(server.url("x.zip"), None)], tmp_path)


def test_an_archive_without_a_known_hash(server, tmp_path, caplog):
    data = make_zip({"a.txt": "a"})
    server.files["x.zip"] = data
    fetch_archives([Archive(server.url("x.zip"), None)], tmp_path)
    assert "could not be verified" in caplog.text
    assert hashlib.sha256(data).hexdigest() in caplog.text


def test_a_hostile_archive(server, tmp_path):
    data = make_zip({"good.txt": "good", "../evil.txt": "evil"})
    server.files["x.zip"] = data
    target = tmp_path / "root"
    with pytest.raises(DataError, match=r"'../evil.txt' would leave the folder"):
        fetch_archives([Archive(server.url("x.zip"), md5(data))], target)
    assert not (tmp_path / "evil.txt").exists()
    assert not (target / "good.txt").exists()


def test_download_by_name(server, tmp_path, monkeypatch):
    data = make_zip({"ChinaSet_AllFiles/CXR_png/a.txt": "a"})
    server.files["ChinaSet_AllFiles.zip"] = data
    archive = Archive(server.url("ChinaSet_AllFiles.zip"), None, inside="ChinaSet_AllFiles")
    known = DATASETS["shenzhen"]
    monkeypatch.setitem(
        module.DATASETS, "shenzhen", Dataset((archive,), known.page, known.next_step)
    )
    said = download("shenzhen", tmp_path / "root")
    assert (tmp_path / "root" / "CXR_png" / "a.txt").exists()
    assert f"*_mask.png into {tmp_path / 'root'}/mask" in said
    assert f"robustseg data check dataset=shenzhen dataset.root={tmp_path / 'root'}" in said


def test_unknown_names_and_folders(tmp_path):
    with pytest.raises(DataError, match="no download for 'ham10000': choose isic2017 or shenzhen"):
        download("ham10000", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: cannot be written"):
        download("isic2017", tmp_path / "file")


def test_the_table():
    for dataset in DATASETS.values():
        for archive in dataset.archives:
            assert archive.url.startswith("https://")
            assert archive.url.endswith(".zip")
    hashes = [archive.known_hash for archive in DATASETS["isic2017"].archives]
    assert len(set(hashes)) == 6
    assert all(text and len(text) == len("md5:") + 32 for text in hashes)
