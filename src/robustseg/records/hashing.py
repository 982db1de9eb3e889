"""Image names that do not identify patients but are the same in every record."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

_DIGITS = 16


def hashed_ids(ids: Iterable[str], fingerprint: str) -> list[str]:
    """Image ids as salted hashes, 16 hex digits each.

    The salt is the data set's fingerprint: equal for all runs on the same files, on every
    machine, so that their images can be paired; and unknown to all who do not have the files, so
    that nobody can try names until one fits. A record with hashed ids keeps the fingerprint only
    as `hidden_fingerprint`.

    Args:
        ids: of images.
        fingerprint: of the data set they belong to, as in status.json.

    Examples:
        >>> hashed_ids(["patient_17"], "54ea539c33fa6b16")
        ['42a44d168808cfe6']
    """
    key = fingerprint.encode()
    return [hmac.digest(key, one.encode(), "sha256").hex()[:_DIGITS] for one in ids]


def by_hash(hashes: Sequence[str]) -> list[int]:
    """Places of rows in the order of the hashes of their images; those of one image stay."""
    return sorted(range(len(hashes)), key=hashes.__getitem__)


class _Run(Protocol):
    @property
    def public(self) -> bool: ...

    @property
    def hashed(self) -> bool: ...

    @property
    def status(self) -> Mapping[str, Any]: ...

    def hash_ids(self, ids: list[str]) -> list[str]: ...


def recorded_order(run: _Run, ids: Iterable[str]) -> list[int]:
    """Places of a run's rows in the order of a record, so that folders have the same.

    Args:
        run: whose data decide: ids of those that are not public are hashed in a record.
        ids: of the images, as they are sorted where they are plain; those of a record with hashes
            stay as they are.
    """
    ids = list(ids)
    if run.public or run.hashed or not run.status.get("fingerprint"):
        return list(range(len(ids)))
    return by_hash(run.hash_ids(ids))


def hidden_fingerprint(fingerprint: str) -> str:
    """What stands for a fingerprint that is the salt of hashed ids: equal for equal data."""
    return hashlib.sha256(f"robustseg fingerprint {fingerprint}".encode()).hexdigest()
