"""Which image is for training and which for testing: seeded, or read from a file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robustseg.data.sources.opening import name_trouble, open_regular
from robustseg.data.sources.source import SPLITS
from robustseg.errors import DataError, OptionError
from robustseg.terminal.printable import printable


def seeded_split(
    ids: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    groups: Mapping[str, str] | None = None,
    strata: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The split of each id, by a draw that is the same on every machine.

    The order of the draw is that of SHA-256(seed, name), so it depends on no library. Of n ids
    (of each stratum) the first round(n·train) go to train, the next up to round(n·(train + val))
    to val, the rest to test.

    Args:
        ids: what is split.
        fractions: share of train, val, test, each in [0, 1], of sum 1.
        seed: another seed gives another split.
        groups: the group of each id; a group goes to one split whole, so counts may be off by
            half the size of a group.
        strata: the stratum of each id; each is split separately, so all splits have their share. A
            group of several strata counts for that of most of its ids, the first by name of equals.

    Raises:
        DataError: fractions that are not shares.
    """
    _check_fractions(fractions)
    units: dict[str, dict[str, list[str]]] = {}
    for group, names in _members(ids, groups).items():
        counts = Counter("" if strata is None else strata[name] for name in names)
        stratum = min(counts, key=lambda one: (-counts[one], one))
        units.setdefault(stratum, {})[group] = names
    split = {}
    for members in units.values():
        total = sum(map(len, members.values()))
        train_end = round(total * fractions.get("train", 0))
        val_end = round(total * (fractions.get("train", 0) + fractions.get("val", 0)))
        before = 0
        for group in sorted(members, key=lambda name: draw(seed, name)):
            middle = before + len(members[group]) / 2
            part = "train" if middle < train_end else "val" if middle < val_end else "test"
            split.update(dict.fromkeys(members[group], part))
            before += len(members[group])
    return split


def seeded_folds(
    ids: Sequence[str],
    count: int,
    seed: int,
    groups: Mapping[str, str] | None = None,
    strata: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """The fold of each id, from 0 to count − 1, by a draw that is the same on every machine.

    Groups are dealt out, the largest first, and equals in the order of `draw`: each goes to the
    fold that has fewest of its strata, relative to how many there are, and of equals to the one
    with fewest ids. Without groups a stratum differs by 1 at most between two folds, and so do
    their sizes.

    Args:
        ids: what is dealt out.
        count: of folds, 2 or more.
        seed: another seed gives other folds.
        groups: the group of each id; a group is in one fold, whatever its strata.
        strata: the stratum of each id.

    Raises:
        DataError: there are fewer groups than folds.
    """
    members = _members(ids, groups)
    if len(members) < count:
        raise DataError(
            f"dataset.folds={count}, but there are {len(members)} "
            f"{'cases' if groups else 'images'} to divide. Take {len(members)} folds or fewer"
        )
    kinds = {
        group: Counter("" if strata is None else strata[name] for name in names)
        for group, names in members.items()
    }
    totals = sum(kinds.values(), Counter())

    def place(group: str) -> tuple[int, list[str], bytes]:
        return -len(members[group]), sorted(kinds[group]), draw(seed, group)

    held: list[Counter[str]] = [Counter() for _ in range(count)]
    fold = {}
    for group in sorted(members, key=place):

        def load(at: int, of: Counter[str] = kinds[group]) -> tuple[float, int, int]:
            fullness = sum(held[at][kind] * of[kind] / totals[kind] for kind in sorted(of))
            return fullness, held[at].total(), at

        best = min(range(count), key=load)
        held[best] += kinds[group]
        fold.update(dict.fromkeys(members[group], best))
    return fold


def _members(ids: Sequence[str], groups: Mapping[str, str] | None) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for name in ids:
        members.setdefault(name if groups is None else groups[name], []).append(name)
    return members


def draw(seed: int, name: str) -> bytes:
    """The place of a name in the order of a seed: independent of the other names."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _check_fractions(fractions: Mapping[str, float]) -> None:
    unknown = sorted(set(map(str, fractions)) - set(SPLITS))
    if unknown:
        raise OptionError(
            f"dataset.source.fractions: unknown split {unknown[0]!r}, use {', '.join(SPLITS)}"
        )
    for name, value in fractions.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise OptionError(
                f"dataset.source.fractions: {name} must be a number, got {value!r}. Write it "
                f"without quotes, such as {name}: 0.7"
            )
    values = [*fractions.values()]
    if any(not 0 <= value <= 1 for value in values) or abs(sum(values) - 1) > 1e-6:
        raise OptionError(
            f"dataset.source.fractions must be in [0, 1] and sum to 1, got {dict(fractions)}"
        )


@dataclass(frozen=True)
class SplitRow:
    """One line of a split file."""

    split: str
    case: str


def read_split_file(path: Path, keep_column: str | None = None) -> dict[str, SplitRow]:
    """The rows of a CSV file by id.

    Args:
        path: has the columns id and split (train, val or test) and may have case.
        keep_column: a column of 0 and 1; rows without 1 in it are left out.

    Raises:
        DataError: a column is missing or there twice, a split is unknown, an id is there twice, or
            a name has blanks around it.
    """
    rows: dict[str, SplitRow] = {}
    with _table(path) as reader:
        columns = reader.fieldnames or []
        for column in ["id", "split", *([keep_column] if keep_column else [])]:
            if column not in columns:
                raise DataError(
                    f"{path}: no column {column!r}, it has {', '.join(columns) or 'none'}. "
                    "Add it, with commas between the columns"
                )
        twice = [name for name, times in Counter(columns).items() if times > 1 and name]
        if twice:
            raise DataError(f"{path}: the column {twice[0]!r} is there twice. Remove one")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            _check_row(row, keep_column, where)
            if row["id"] in rows:
                raise DataError(f"{where}: the id {row['id']!r} is there twice. Remove one")
            if keep_column is None or row[keep_column] == "1":
                rows[row["id"]] = SplitRow(row["split"], row.get("case") or "")
    return rows


def caseless(path: Path, keep_column: str | None = None) -> list[str]:
    """A remark on the columns that are not read if none is case: one may name the patients.

    Raises:
        DataError: the file cannot be read.
    """
    with _table(path) as reader:
        columns = reader.fieldnames or []
    unread = [name for name in columns if name not in ("", "id", "split", keep_column)]
    if "case" in columns or not unread:
        return []
    listed = ", ".join(f"'{printable(name)}'" for name in unread)
    verb = "column {} is" if len(unread) == 1 else "columns {} are"
    return [
        f"{path}: the {verb.format(listed)} not read. If one names the patient, call it case: "
        "images of a case stay in one split"
    ]


@contextmanager
def _table(path: Path) -> Iterator[csv.DictReader[str]]:
    """The lines of a CSV file; what is wrong with the file becomes a DataError."""
    try:
        # utf-8-sig: spreadsheets write a mark at the start
        with (
            open_regular(path) as opened,
            io.TextIOWrapper(opened, encoding="utf-8-sig", newline="") as file,
        ):
            yield csv.DictReader(file, restval="")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}). Save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error}). Save it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore it") from error


def _check_row(row: Mapping[str, str], keep_column: str | None, where: str) -> None:
    """Refuses a line that is no row of a split file."""
    for column in ("id", "split", "case"):
        value = row.get(column) or ""
        if value != value.strip():
            raise DataError(
                f"{where}: {column} is '{printable(value)}', with blanks around it. Remove them"
            )
    if row["split"] not in SPLITS:
        raise DataError(f"{where}: unknown split {row['split']!r}. Use {', '.join(SPLITS)}")
    if not row["id"]:
        raise DataError(f"{where}: no id. Add it, or remove the line")
    if keep_column and row[keep_column] not in ("0", "1"):
        raise DataError(
            f"{where}: {keep_column} is {printable(row[keep_column])!r}. Write 1 for "
            "an image that is used, 0 for one that is not"
        )
    for name in (row["id"], row.get("case") or ""):
        if name_trouble(name):
            raise DataError(f"{where}: '{printable(name)}': {name_trouble(name)}")
