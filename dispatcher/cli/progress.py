"""Prints what `send` does: JSON lines, a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TextIO

from dispatcher import printing
from dispatcher.cli import next_steps
from dispatcher.cli.output import (
    OutputError,
    Part,
    coloured,
    for_whom,
    print_json,
    print_line,
    stand_in,
)
from dispatcher.models import Message, Outcome

if TYPE_CHECKING:
    from rich.console import Console

    from dispatcher.delivery import Summary

_LABELS = {"sent": "sent", "skipped": "skipped", "failed": "failed", "unknown": "unknown"}


class ResultPrinter:
    """Prints plain lines, one a message. Several threads may call it.

    Its methods never raise: sending continues even if output fails. `codes` are those of the
    reported errors.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unwritten: str | None = None
        self.codes: set[str | None] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: there is nothing to clean up."""

    def result(self, message: Message, outcome: Outcome) -> None:
        """Report how a message ended."""
        with self._lock:
            if outcome.error:
                self.codes.add(outcome.error.code)
            if self._unwritten is None:
                try:
                    self._result(message, outcome)
                except OutputError as error:
                    self._unwritten = error.message
                except Exception as error:
                    self._unwritten = f"cannot show the results: {type(error).__name__}: {error}"

    def warning(self, text: str) -> None:
        """Report something that went wrong but changes no outcome."""
        self._say(coloured("warning"), f": {text}")

    def notice(self, text: str) -> None:
        """Report why nothing happens for a while."""
        self._say(text)

    def _say(self, *parts: Part) -> None:
        with self._lock, suppress(Exception):
            self._print(*parts, err=True)

    def summary(
        self,
        summary: Summary,
        steps: Sequence[next_steps.Step] = (),
        advice: str | None = None,
    ) -> None:
        """Report the end of the run. `steps` say how to continue with what it leaves, `advice` what
        may have to be done first."""
        if self._unwritten is not None:
            self.warning(self._unwritten)
        try:
            self._summary(summary, [*_early_end(summary), *([advice] if advice else [])], steps)
        finally:  # even if the summary cannot be written
            for line in next_steps.lines(steps):
                print_line(*line, err=True)

    def _summary(self, summary: Summary, more: list[str], steps: Sequence[next_steps.Step]) -> None:
        counts = [f"{count} {_words(name)}" for name, count in summary.counts.items() if count]
        counted = ", ".join(counts) or "nothing to send"
        print_line("; ".join([counted, *more]), err=True)

    def _result(self, message: Message, outcome: Outcome) -> None:
        self._print(*_line(message, outcome))

    def _print(self, *parts: Part, err: bool = False) -> None:
        print_line(*parts, err=err)


class JsonPrinter(ResultPrinter):
    """Prints one JSON object a message, and one for the summary."""

    def _summary(self, summary: Summary, more: list[str], steps: Sequence[next_steps.Step]) -> None:
        print_json("summary", **summary.counts, next=[step.fields() for step in steps])
        for line in more:
            print_line(line, err=True)

    def _result(self, message: Message, outcome: Outcome) -> None:
        print_json(
            "result",
            key=message.key,
            manifest=message.manifest,
            message=message.id,
            to=message.to,
            transport=message.transport,
            status=outcome.status,
            id=outcome.id,
            attempts=outcome.attempts,
            error=outcome.error.model_dump() if outcome.error else None,
            **for_whom(message),
        )


class BarPrinter(ResultPrinter):
    """A progress bar on stderr; if results go to the same screen, only those that need a look."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self._total = total

    def __enter__(self) -> Self:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._same_screen = sys.stdout.isatty()
        console = _console()
        columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(
            *columns, console=console, redirect_stdout=False, redirect_stderr=False
        )
        self._task = self._bar.add_task("sending", total=self._total)
        with ExitStack() as shown:
            shown.enter_context(printing.stderr_through(partial(_AboveBar, console)))
            shown.enter_context(self._bar)
            self._shown = shown.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def _result(self, message: Message, outcome: Outcome) -> None:
        self._bar.advance(self._task)
        if outcome.error or not self._same_screen:
            super()._result(message, outcome)

    def _print(self, *parts: Part, err: bool = False) -> None:
        super()._print(*parts, err=err or self._same_screen)


def _console() -> Console:
    from rich.console import Console

    class WithCursor(Console):
        """Leaves the cursor visible: a run that is killed could not restore it."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    console = WithCursor(file=printing.stderr(), highlight=False)
    if console.width < 1:  # COLUMNS=0: nothing would be shown, not even what failed
        console.width = 80
    return console


class _AboveBar:
    """Stands for the stream on which a bar is drawn: each complete line goes above the bar."""

    def __init__(self, console: Console, inner: TextIO) -> None:
        self._console, self._inner = console, inner
        self._begun, self._lock = "", threading.Lock()

    def write(self, text: str) -> None:
        from rich.text import Text

        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._console.print(Text.from_ansi(line), soft_wrap=True)

    def flush(self) -> None:
        """Do nothing: an incomplete line waits for its end."""

    def close(self) -> None:
        """Write an incomplete line; the stream itself stays open."""
        self._inner.write(self._begun)
        self._begun = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def printer_for(as_json: bool, total: int) -> ResultPrinter:
    """Return the printer for where the output goes; `total` is the number of messages."""
    if as_json:
        return JsonPrinter()
    return BarPrinter(total) if sys.stderr.isatty() else ResultPrinter()


def _line(message: Message, outcome: Outcome) -> tuple[Part, ...]:
    status = coloured(outcome.status, f"{_LABELS[outcome.status]:8}")
    error = outcome.error
    reason = error.sentence if error else ""
    said = f" {message.key}  {reason or outcome.id or ''}".rstrip()
    return status, said, stand_in(message)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _early_end(summary: Summary) -> Iterator[str]:
    """Yield why the run ended before everything was tried, if it did."""
    if summary.stopped:
        yield f"stopped: {summary.stopped}"
    if summary.interrupted:
        yield "interrupted: what was in flight is in the journal, the rest was not tried"
