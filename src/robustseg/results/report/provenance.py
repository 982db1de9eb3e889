"""What the runs of a page were made with; nothing about where."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def provenance(statuses: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Libraries, code, arithmetic and data of some runs, from their status.json.

    Where runs differ, each value comes with how many runs have it.
    """
    found: dict[str, Counter[str]] = {}
    for status in statuses:
        known = {
            **(status.get("versions") or {}),
            "commit": _short(status.get("commit")),
            "processor": status.get("processor", status.get("accelerator")),
            "precision": status.get("precision"),
            "threads per run": status.get("threads"),
            "data fingerprint": status.get("fingerprint"),
        }
        for name, value in known.items():
            if value is not None:
                found.setdefault(name, Counter())[str(value)] += 1
    return {name: _said(counts) for name, counts in found.items()}


def _said(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(
        f"{value} ({count} run{'' if count == 1 else 's'})" for value, count in counts.most_common()
    )


def _short(commit: str | None) -> str | None:
    """Twelve digits of a commit, and the "+" of a changed working tree."""
    return commit and commit[:12] + "+" * commit.endswith("+")
