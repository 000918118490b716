"""Ctrl-C, SIGTERM, a closed terminal: what is in flight ends, but nobody waits for ever."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dispatcher.delivery import Delivery

_MARGIN = 0.5  # seconds beyond what a transport needs
_LAST = 1.0  # seconds in which what is known then is to be written and told


@contextmanager
def interruptible(delivery: Delivery) -> Iterator[None]:
    """The first signal lets what is in flight end, for its `patience`; a second one kills, unless
    it only says once more that the terminal is gone.

    If even then it does not end, because nobody reads its results, say, the process ends as if it
    were killed: for that the journal is made.
    """

    def stop(number: int, _: FrameType | None) -> None:
        if not delivery.summary.interrupted:
            delivery.stop()
            signal.setitimer(signal.ITIMER_REAL, delivery.patience + _MARGIN)
        elif number != signal.SIGHUP:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def give_up(number: int, _: FrameType | None) -> None:
        if not delivery.summary.interrupted:
            return  # a plugin has set an alarm of its own
        signal.signal(number, lambda *_: os._exit(130))
        signal.setitimer(signal.ITIMER_REAL, _LAST)
        delivery.abandon()

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGALRM: give_up}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        handlers[signal.SIGHUP] = stop
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
