"""While plugins are at work: what they print stays out of the results, who blocks is named."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

import click

from dispatcher.registry import Clock

# Seconds after which a plugin that has not answered yet is named.
PATIENCE = 10.0


class Strays(io.TextIOBase):
    """Stands for stdout: what anybody but the command line prints goes to stderr, with its module.

    `results`: the real stdout, to which `dispatcher.cli.output` writes.
    """

    def __init__(self, results: TextIO) -> None:
        self.results = results
        self._line_begins = True

    def write(self, text: str, /) -> int:
        """Pass a piece of text on, after the name of the module that printed it."""
        if not isinstance(text, str):  # click asks so whether it may write bytes
            raise TypeError(f"expected text, got {type(text).__name__}")
        module = sys._getframe(1).f_globals.get("__name__", "?")
        for line in text.splitlines(keepends=True):
            click.echo(f"[{module}] {line}" if self._line_begins else line, err=True, nl=False)
            self._line_begins = line.endswith("\n")
        return len(text)

    def fileno(self) -> int:
        """The real one's, as some programs that a plugin starts want it."""
        return self.results.fileno()

    def isatty(self) -> bool:
        """As the real one."""
        return self.results.isatty()


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
                click.echo(_busy(clock, patience), err=True)


def _busy(clock: Clock, seconds: float) -> str:
    go_on = f"to go on without: Ctrl-C, then --without {clock.plugin.name}"
    what = f"{clock.plugin} has been busy with {clock.task}"
    return f"{what} for {seconds:.3g} s; {clock.advice or go_on}"
