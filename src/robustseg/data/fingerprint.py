"""The fingerprint of a set of files: what they are, wherever they lie.

Hashing thousands of images takes seconds, and every run asks for it, so hashes are remembered in a
file below the cache folder: by path, size, inode and the times of change of content and inode. The
last of these no program can set back, unlike the first. A memo is one user's own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustseg.data.checked_json import read_checked, write_checked
from robustseg.data.sources.opening import open_regular
from robustseg.data.sources.source import Record, Source
from robustseg.data.sources.traits import Traits, traits_of
from robustseg.errors import DataError
from robustseg.settings import DatasetSettings
from robustseg.terminal.progress import track

log = logging.getLogger(__name__)

# "image:", "mask:" or "labels:" and path →
# [size, inode, two times of change in ns, SHA-256, traits]
Memo = dict[str, list[Any]]

_LOOKED = 4  # one more whenever more traits are looked for

# A file written twice within the clock's resolution keeps its time: too young to be remembered.
SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Known:
    """What is known of a file.

    Attributes:
        sha256: of its content, hex.
        traits: what is odd about it as an image.
    """

    sha256: str
    traits: Traits


def known_files(
    records: Iterable[Record], cache: Path | None = None, *, labels: bool = False
) -> dict[Path, Known]:
    """What is known of each file of records; files that are new or changed are read.

    Args:
        records: of the files.
        cache: folder that remembers what was read; None reads every file.
        labels: whether masks are label maps, of which the values are counted.

    Raises:
        DataError: a file cannot be read.
    """
    kinds: dict[Path, str] = {}
    for record in records:
        if record.image is not None:
            kinds.setdefault(record.image, "image")
        for path in record.mask_files:
            kinds[path] = "labels" if labels else "mask"  # of which more is asked
    keys = {path: f"{kind}:{os.path.abspath(path)}" for path, kind in kinds.items()}
    known = _known([*keys.values()], cache)
    return {path: known[key] for path, key in keys.items()}


def fingerprint_of(
    records: list[Record],
    reading: Mapping[str, object],
    cache: Path | None = None,
    known: Mapping[Path, Known] | None = None,
) -> str:
    """SHA-256 (hex) over ids, splits and file contents.

    Args:
        records: what is hashed, in this order.
        reading: options that change what is read from the files, as plain values.
        cache: folder that remembers hashes of files; None hashes every file.
        known: of the files, from `known_files`; None looks at them now.

    Raises:
        DataError: a file cannot be read.
    """
    known = known_files(records, cache) if known is None else known
    digest = hashlib.sha256(json.dumps(dict(reading), sort_keys=True).encode())
    for record in records:
        image, mask = (
            "-" if path is None else known[path].sha256 for path in (record.image, record.mask)
        )
        parts = [None if path is None else known[path].sha256 for path in record.parts]
        row = [record.id, record.split, image, mask, *([parts] if parts else [])]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def fingerprint_for_run(source: Source, dataset: DatasetSettings, cache: Path) -> str:
    """The fingerprint of the data that a run sees: that of the source.

    It has another where the data decide which images folds and validation splits hold out, by
    what the source's own fingerprint lacks: see `FileSource.drawn_by`. And it has another where
    `seeded_split` once cut groups to hold out images for validation: in sources with strata and
    groups of several. Such runs are others than those before.
    """
    found = source.fingerprint(cache)
    folds = dataset.folds is not None
    if not folds and not dataset.val_fraction:
        return found
    drawn_by = source.drawn_by(folds) if hasattr(source, "drawn_by") else {}
    if drawn_by:
        found = hashlib.sha256(
            f"{found} {json.dumps(drawn_by, sort_keys=True)}".encode()
        ).hexdigest()
    stratum = getattr(source, "stratum", None)
    if stratum is None or not dataset.val_fraction or folds:
        return found
    strata: dict[str, set[str]] = {}
    for record in source.records():
        if record.group and record.split == "train":
            strata.setdefault(record.group, set()).add(stratum(record.id))
    if all(len(kinds) == 1 for kinds in strata.values()):
        return found
    return hashlib.sha256(f"{found} whole groups".encode()).hexdigest()


def _known(keys: list[str], cache: Path | None) -> dict[str, Known]:
    """What is known of files, by "image:", "mask:" or "labels:" and their path."""
    memo_file = None if cache is None or not keys else _memo_file(keys, cache)
    memo = {} if memo_file is None else read_memo(memo_file)
    stats = {key: _stat(_path(key)) for key in keys}
    found = {
        key: Known(*memo[key][4:])
        for key, stat in stats.items()
        if key in memo and memo[key][:4] == stat
    }
    missing = [key for key in keys if key not in found]
    if missing:
        found |= _look_at(missing)
        now = time.time_ns()
        for key in missing:
            stat = stats[key]
            if now - max(stat[2:]) > SETTLED_NS and _stat(_path(key)) == stat:
                memo[key] = [*stat, found[key].sha256, found[key].traits]
        if memo_file is not None:
            write_memo(memo_file, memo)
    return found


def _path(key: str) -> str:
    return key.partition(":")[2]


def _stat(path: str) -> list[int]:
    """Size, inode, time of change of the content and of the inode."""
    try:
        stat = os.stat(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore the file") from error
    return [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]


def _look_at(keys: list[str]) -> dict[str, Known]:
    with ThreadPoolExecutor() as pool:
        known = track(pool.map(_look, keys), len(keys), "Hashing files")
        return dict(zip(keys, known, strict=True))


def _look(key: str) -> Known:
    kind = key.partition(":")[0]
    traits = traits_of(_path(key), mask=kind != "image", labels=kind == "labels")
    return Known(_hash_file(_path(key)), traits)


def _hash_file(path: str) -> str:
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore the file") from error


def _memo_file(keys: list[str], cache: Path) -> Path:
    """One memo for each data set and user, named by the folder that all files share."""
    root = os.path.commonpath({os.path.dirname(_path(key)) for key in keys})
    user = f"-{os.geteuid()}" if hasattr(os, "geteuid") else ""
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return cache / "fingerprints" / f"{digest}-{_LOOKED}{user}.json"


def read_memo(file: Path) -> Memo:
    """What is remembered; empty if the file is missing, damaged or another user's."""
    try:
        memo = read_checked(file, owned=True)
        if not isinstance(memo, dict) or not all(map(_is_entry, memo.values())):
            raise ValueError("it holds something else")
        return memo
    except FileNotFoundError:
        return {}
    except OSError as error:
        log.warning("%s: cannot be read (%s), the files are hashed again", file, error.strerror)
    except (ValueError, DataError) as error:
        log.warning("%s: damaged, the files are hashed again (%s)", file, error)
    return {}


def _is_entry(entry: object) -> bool:
    kinds = (int, int, int, int, str, dict)
    return (
        isinstance(entry, list)
        and len(entry) == len(kinds)
        and all(type(value) is kind for value, kind in zip(entry, kinds, strict=True))
    )


def write_memo(file: Path, memo: Memo) -> None:
    """Replaces the memo at once, so that other processes see the old or the new one, whole."""
    try:
        write_checked(file, memo)
    except OSError as error:
        # Only speed is lost; a cache folder that cannot be written is an error where it is filled.
        log.warning("%s: cannot be written (%s), files will be hashed again", file, error.strerror)
