"""The fingerprint of a set of files: what they are, wherever they lie.

Hashing thousands of images takes seconds, and every run asks for it, so hashes are remembered by
path, size and time of change in a file below the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from robustseg.data.sources.source import Record
from robustseg.errors import DataError
from robustseg.terminal.progress import track

log = logging.getLogger(__name__)

Memo = dict[str, list]  # path → [size in bytes, time of change in ns, SHA-256]

# A file written twice within the clock's resolution keeps its time: too young to be remembered.
SETTLED_NS = 2_000_000_000


def fingerprint_of(
    records: list[Record], reading: Mapping[str, object], cache: Path | None = None
) -> str:
    """SHA-256 (hex) over ids, splits and file contents.

    Args:
        records: what is hashed, in this order.
        reading: options that change what is read from the files, as plain values.
        cache: folder that remembers hashes of files; None hashes every file.

    Raises:
        DataError: a file cannot be read.
    """
    paths = [path for record in records for path in (record.image, record.mask) if path is not None]
    hashes = _hashes([os.path.abspath(path) for path in paths], cache)
    rows = iter(hashes)
    digest = hashlib.sha256(json.dumps(dict(reading), sort_keys=True).encode())
    for record in records:
        image = "-" if record.image is None else next(rows)
        mask = "-" if record.mask is None else next(rows)
        digest.update(json.dumps([record.id, record.split, image, mask]).encode())
    return digest.hexdigest()


def _hashes(paths: list[str], cache: Path | None) -> list[str]:
    """The SHA-256 of each file."""
    memo_file = None if cache is None or not paths else _memo_file(paths, cache)
    memo = {} if memo_file is None else read_memo(memo_file)
    stats = [_stat(path) for path in paths]
    found = {}
    for path, stat in zip(paths, stats, strict=True):
        entry = memo.get(path)
        if entry is not None and entry[0] == stat[0] and entry[1] == stat[1]:
            found[path] = entry[2]
    missing = [path for path in dict.fromkeys(paths) if path not in found]
    if missing:
        found.update(_hash_files(missing))
        now = time.time_ns()
        for path, stat in zip(paths, stats, strict=True):
            if now - stat[1] > SETTLED_NS:
                memo[path] = [stat[0], stat[1], found[path]]
        if memo_file is not None:
            write_memo(memo_file, memo)
    return [found[path] for path in paths]


def _stat(path: str) -> tuple[int, int]:
    try:
        stat = os.stat(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore the file") from error
    return stat.st_size, stat.st_mtime_ns


def _hash_files(paths: Iterable[str]) -> dict[str, str]:
    paths = list(paths)
    with ThreadPoolExecutor() as pool:
        hashes = track(pool.map(_hash_file, paths), len(paths), "Hashing files")
        return dict(zip(paths, hashes, strict=True))


def _hash_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore the file") from error


def _memo_file(paths: list[str], cache: Path) -> Path:
    """One memo for each data set, named by the folder that all files share."""
    root = os.path.commonpath({os.path.dirname(path) for path in paths})
    return cache / "fingerprints" / f"{hashlib.sha256(root.encode()).hexdigest()[:16]}.json"


def read_memo(file: Path) -> Memo:
    """The remembered hashes; empty if the file is missing or damaged."""
    try:
        checksum, _, body = file.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        log.warning("%s: cannot be read (%s), the files are hashed again", file, error.strerror)
        return {}
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        log.warning("%s: damaged, the files are hashed again", file)
        return {}
    return json.loads(body)


def write_memo(file: Path, memo: Memo) -> None:
    """Replaces the memo at once, so that other processes see the old or the new one, whole."""
    body = json.dumps(memo).encode()
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".memo-")
        with os.fdopen(handle, "wb") as out:
            out.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.replace(temporary, file)
    except OSError as error:
        # Only speed is lost; a cache folder that cannot be written is an error where it is filled.
        log.warning("%s: cannot be written (%s), files will be hashed again", file, error.strerror)
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
