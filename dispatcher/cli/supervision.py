"""While plugins are at work: what they print stays out of the results, who blocks is named."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from dispatcher.printing import Strays, print_line
from dispatcher.registry import Clock

# Seconds after which a plugin that has not answered yet is named.
PATIENCE = 10.0


@contextmanager
def supervised() -> Iterator[list[Clock]]:
    """Around whatever loads or calls plugins; out: where to put the clocks that are watched."""
    clocks: list[Clock] = []
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(clocks, ended), daemon=True)
    watch.start()
    try:
        with redirect_stdout(Strays(sys.stdout)):
            yield clocks
    finally:
        ended.set()
        watch.join()


def _watch(clocks: list[Clock], ended: threading.Event) -> None:
    named: dict[int, float | None] = {}
    while not ended.wait(PATIENCE / 10):
        for clock in list(clocks):
            since, patience = clock.since, clock.patience or PATIENCE
            if clock.running > patience and named.get(id(clock)) != since:
                named[id(clock)] = since
                print_line(_busy(clock, patience), err=True)


def _busy(clock: Clock, seconds: float) -> str:
    go_on = f"to go on without: Ctrl-C, then --without {clock.plugin.name}"
    what = f"{clock.plugin} has been busy with {clock.task}"
    return f"{what} for {seconds:.3g} s; {clock.advice or go_on}"
