"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

QUIET_S = 2.0  # what is over sooner than this says nothing
LINE_S = 10.0


def track(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Passes `items` on and tells on stderr how many of `total` are done."""
    if sys.stderr.isatty():
        yield from _bar(items, total, label)
    else:
        yield from _lines(items, total, label)


def _bar(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    yield from rich_track(items, total=total, description=label, console=console, transient=True)


def _lines(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    start = monotonic()
    due = start + QUIET_S
    for done, item in enumerate(items, start=1):
        yield item
        now = monotonic()
        if now >= due:
            due = now + LINE_S
            left = (total - done) * (now - start) / done
            print(f"{label}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)
