"""Fetching one large file over a connection that may break."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import sleep
from typing import IO

import requests
import urllib3

from robustseg.errors import DataError
from robustseg.terminal.progress import track

BLOCK = 1 << 14  # bytes read at most at once
LIMIT = 64 << 30  # bytes of a file; a body that does not end must not fill the disk
MIB = 1 << 20  # one step of the progress
TIMEOUT_S = 30
ATTEMPTS = 5  # in a row without a new byte
PAUSE_S = 1.0  # before the second attempt, and more before later ones


def fetch(url: str, target: Path) -> None:
    """Fetches a file by HTTP, going on where an earlier try broke off.

    What has arrived is kept in `target` + ".part", with the server's version of it in
    ".version", over failures and over calls. A server that cannot resume, or has another version,
    sends the file from its start.

    Raises:
        DataError: the server refuses, the connection breaks again and again, the disk is full,
            or the body is longer than `LIMIT`.
    """
    part = target.with_name(target.name + ".part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _attempt(url, part)
            break
        except requests.RequestException as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise DataError(
                    f"{url}: the connection broke {ATTEMPTS} times ({error}). Run the command "
                    f"again: it resumes from the {_size(part)} bytes in {part}"
                ) from error
            sleep(PAUSE_S * failures)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DataError(f"{part.parent}: the disk is full. Free some space there") from error
    os.replace(part, target)
    _version_file(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path) -> None:
    """One connection: appends to the part file or restarts it."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"}
    version = _version_file(part)
    if start and version.is_file():
        headers |= {"Range": f"bytes={start}-", "If-Range": version.read_text()}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if response.status_code == 416:  # the part is longer than the file: another file
            part.unlink(missing_ok=True)
            version.unlink(missing_ok=True)
            raise requests.ConnectionError("the server has a shorter file, restarting")
        if 400 <= response.status_code < 500:
            raise DataError(
                f"{url}: the server refuses ({response.status_code} {response.reason}). "
                "Fetch the file with a browser, see the data set's page"
            )
        response.raise_for_status()
        resumed = response.status_code == 206 and _range_start(response.headers) == start
        if response.status_code == 206 and not resumed:
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the server sent another range, restarting")
        _write_version(version, response.headers)
        with open(part, "ab" if resumed else "wb") as file:
            _receive(response, file, part)


def _receive(response: requests.Response, file: IO[bytes], part: Path) -> None:
    """Writes the body of a response; an incomplete one raises requests' error."""
    length = _length(response.headers)
    if length > shutil.disk_usage(part.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    label = f"{part.name.removesuffix('.part')}, MiB"
    for _ in track(_write(response, file), math.ceil(length / MIB), label):
        pass


def _length(headers: Mapping[str, str]) -> int:
    """The length that is announced; 0 if there is none."""
    announced = headers.get("Content-Length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", announced):
        raise requests.ConnectionError(f"the server announces a length of {announced[:40]!r}")
    return int(announced)


def _write(response: requests.Response, file: IO[bytes]) -> Iterator[None]:
    """Writes the body as it arrives and reports each MiB."""
    waiting = 0
    for block in _blocks(response):
        file.write(block)
        waiting += len(block)
        if file.tell() > LIMIT:
            file.truncate(0)
            raise DataError(
                f"{response.url}: the server sends more than {LIMIT >> 30} GiB, which no data set "
                "of ours has. Fetch the file with a browser, see the data set's page"
            )
        if waiting >= MIB:
            waiting -= MIB
            yield
    yield


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """What arrives, without waiting for a whole block, so that a break loses nothing."""
    try:
        while block := response.raw.read1(BLOCK):
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def _range_start(headers: Mapping[str, str]) -> int | None:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _write_version(file: Path, headers: Mapping[str, str]) -> None:
    """Remembers which version a part is of; without one it cannot be continued safely."""
    version = headers.get("ETag") or headers.get("Last-Modified")
    if version and not version.startswith("W/"):
        file.write_text(version)
    else:
        file.unlink(missing_ok=True)


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
