"""The time limit of a call, `minutes=…`, which interrupts it as Ctrl-C does."""

import signal
import time
from dataclasses import dataclass
from typing import Any

from robustseg.sweeps import interrupts


class TimeIsUp(KeyboardInterrupt):
    """The call has used up its minutes."""


@dataclass
class _Clock:
    began: float  # monotonic; train.py imports this module first
    ends: float | None = None  # by the wall clock, which other processes share
    rang: bool = False


_clock = _Clock(time.monotonic())


def arm(minutes: float | None) -> None:
    """Let the main thread raise `TimeIsUp` once the command is so many minutes old; None: never.

    The clock starts with the program. Where the limit has passed already, it raises at once.
    """
    if minutes is None:
        return
    left = 60 * minutes - (time.monotonic() - _clock.began)
    _clock.ends = time.time() + left
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, max(left, 1e-3))  # 0 would mean never


def disarm() -> None:
    """Let the rest of the command run undisturbed."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def is_over() -> bool:
    """Whether this process has reached its limit."""
    return _clock.rang


def ends() -> float | None:
    """When the command will be interrupted, as `time.time` counts; None if it has no limit."""
    return _clock.ends


def expect(ends: float | None) -> None:
    """Note, in a process that computes a job, when the sweep's own process will interrupt it."""
    _clock.ends = ends


def is_within(seconds: float) -> bool:
    """Whether the command will be interrupted in so many seconds, or should have been."""
    return _clock.ends is not None and time.time() >= _clock.ends - seconds


def _ring(number: int, frame: Any) -> None:
    _clock.rang = True
    interrupts.interrupt(TimeIsUp)
