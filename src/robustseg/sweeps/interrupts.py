"""Ctrl-C, the time limit and SIGTERM: none is lost, and what must stay whole is finished first.

Python raises an interrupt wherever the main thread happens to be. A destructor swallows it, and
PyTorch's writer of archives makes of it an error of the disk.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGALRM, signal.SIGTERM)
_came: list[type[KeyboardInterrupt]] = []


def listen() -> None:
    """From now on, Ctrl-C is noted before it is raised."""
    _came.clear()
    signal.signal(signal.SIGINT, _hear)


@contextmanager
def listening() -> Iterator[None]:
    """The same for a block, where Ctrl-C means what it means to any Python program."""
    _came.clear()
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        listen()
    try:
        yield
    finally:
        _came.clear()
        if in_main and signal.getsignal(signal.SIGINT) is _hear:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _hear(number: int, frame: Any) -> None:
    interrupt(KeyboardInterrupt)


def interrupt(kind: type[KeyboardInterrupt]) -> NoReturn:
    """Note an interrupt, and raise it."""
    _came.append(kind)
    raise kind


def stop_if_lost() -> None:
    """Raise again what came before: something may have swallowed it.

    Raises:
        KeyboardInterrupt: there was an interrupt.
    """
    if _came:
        raise _came[-1]


@contextmanager
def later() -> Iterator[None]:
    """Hold Ctrl-C, the time limit and SIGTERM back until the block is left, also from its children.

    Outside the main thread, which alone is interrupted, there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = list[int]()
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in _SIGNALS}
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for one, handler in before.items():
            signal.signal(one, handler)
        if came:  # if the block fails too, its error is the context of the interrupt
            signal.raise_signal(came[0])
