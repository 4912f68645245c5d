"""Signals that ask the program to stop: what must not be interrupted is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOP = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def answered_by(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Call ``handler(number, frame)`` for each of these signals, as long as the block runs."""
    # A signal that is ignored stays ignored: nohup asks for that. And Python lets only the main thread answer.
    answered = [number for number in STOP if signal.getsignal(number) != signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        answered = []
    before = {number: signal.signal(number, handler) for number in answered}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def finish_first() -> Iterator[None]:
    """Run the block to its end; a signal that comes meanwhile acts after it."""
    came: list[int] = []
    try:
        with answered_by(lambda number, frame: came.append(number)):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])
