"""What helps to find a mistake, on stderr: logs, warnings, tracebacks."""

from __future__ import annotations

import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from dispatcher.printing import print_line, print_text
from dispatcher.redaction import Secrets, is_secret


@contextmanager
def logged(*, debug: bool) -> Iterator[None]:
    """Print whatever anybody logs, and every warning; `debug`: our details, too."""
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
    """Where an error comes from."""
    print_text("".join(traceback.format_exception(error)), err=True)


def secrets_of_the_environment() -> Secrets:
    """The values of variables named like secrets, and the passwords of URLs in all others."""
    secrets = Secrets()
    for name, value in os.environ.items():
        if is_secret(name) and not name.upper().endswith(("_FILE", "_PATH", "_DIR")):
            secrets.add(value)
        else:
            secrets.add_password(value)
    return secrets


class _Handler(logging.Handler):
    """Prints what comes from any logger; without a handler Python would print it as it is."""

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
