"""Shows on stderr what helps to find a mistake: logs, warnings, tracebacks, plugins that block.

What plugins print stays out of the results.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, TextIO

from dispatcher.printing import StdoutGuard, print_line, print_text
from dispatcher.redaction import Secrets, is_secret

if TYPE_CHECKING:
    from dispatcher.registry import CallTimer

# Seconds after which a plugin that has not returned is named.
WARN_AFTER = 10.0


@contextmanager
def logged(*, debug: bool) -> Iterator[None]:
    """Print all logs and warnings; with `debug`, also our own details."""
    handler, ours, root = _Handler(), logging.getLogger("dispatcher"), logging.getLogger()
    level, show = ours.level, warnings.showwarning
    root.addHandler(handler)
    warnings.showwarning = _show_warning
    if debug:
        ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        warnings.showwarning = show
        ours.setLevel(level)


def print_traceback(error: BaseException) -> None:
    """Print where an error comes from."""
    print_text("".join(traceback.format_exception(error)), err=True)


def secrets_of_the_environment() -> Secrets:
    """Return the values of variables named like secrets, and passwords in URLs of all others."""
    secrets = Secrets()
    for name, value in os.environ.items():
        if is_secret(name) and not name.upper().endswith(("_FILE", "_PATH", "_DIR")):
            secrets.add(value)
        else:
            secrets.add_password(value)
    return secrets


class _Handler(logging.Handler):
    """Prints what any logger logs; without a handler, Python would print it unchanged."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            ours = record.name.partition(".")[0] == "dispatcher"
            print_line(message if ours else f"[{record.name}] {message}", err=True)
            if record.exc_info and record.exc_info[1] is not None:
                print_traceback(record.exc_info[1])
        except Exception:
            self.handleError(record)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print_line(f"[{filename}:{lineno}] {category.__name__}: {message}", err=True)


@contextmanager
def supervised() -> Iterator[list[CallTimer]]:
    """Watch plugins while they are loaded or called; give the list for their timers."""
    timers: list[CallTimer] = []
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(timers, ended), daemon=True)
    watch.start()
    try:
        with redirect_stdout(StdoutGuard(sys.stdout)):
            yield timers
    finally:
        ended.set()
        watch.join()


def _watch(timers: list[CallTimer], ended: threading.Event) -> None:
    named: dict[int, float | None] = {}
    while not ended.wait(WARN_AFTER / 10):
        for timer in list(timers):
            since, seconds = timer.since, timer.warn_after or WARN_AFTER
            if timer.running > seconds and named.get(id(timer)) != since:
                named[id(timer)] = since
                print_line(_busy(timer, seconds), err=True)


def _busy(timer: CallTimer, seconds: float) -> str:
    go_on = f"to go on without: Ctrl-C, then --without {timer.plugin.name}"
    what = f"{timer.plugin} has been busy with {timer.task}"
    return f"{what} for {seconds:.3g} s; {timer.advice or go_on}"
