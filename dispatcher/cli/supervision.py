"""While plugins are at work: what they print stays out of the results, who blocks is named."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from dispatcher.printing import Strays, print_line
from dispatcher.registry import CallTimer

# Seconds after which a plugin that has not answered yet is named.
PATIENCE = 10.0


@contextmanager
def supervised() -> Iterator[list[CallTimer]]:
    """Around whatever loads or calls plugins; out: where to put the timers that are watched."""
    timers: list[CallTimer] = []
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(timers, ended), daemon=True)
    watch.start()
    try:
        with redirect_stdout(Strays(sys.stdout)):
            yield timers
    finally:
        ended.set()
        watch.join()


def _watch(timers: list[CallTimer], ended: threading.Event) -> None:
    named: dict[int, float | None] = {}
    while not ended.wait(PATIENCE / 10):
        for timer in list(timers):
            since, patience = timer.since, timer.patience or PATIENCE
            if timer.running > patience and named.get(id(timer)) != since:
                named[id(timer)] = since
                print_line(_busy(timer, patience), err=True)


def _busy(timer: CallTimer, seconds: float) -> str:
    go_on = f"to go on without: Ctrl-C, then --without {timer.plugin.name}"
    what = f"{timer.plugin} has been busy with {timer.task}"
    return f"{what} for {seconds:.3g} s; {timer.advice or go_on}"
