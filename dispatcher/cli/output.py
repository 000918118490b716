"""How results look: JSON lines; problems as text, JSON or GitHub annotations."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import click

from dispatcher.models import LocatedProblem, Message

_STDOUT, _STDERR = 1, 2
_COLOURS = {
    "error": "red",
    "warning": "yellow",
    "new": "green",
    "retry": "yellow",
    "changed": "yellow",
    "sent": "green",
    "failed": "red",
    "unknown": "magenta",
}


class OutputError(click.ClickException):
    """What is printed cannot be written: a full disk, a closed pipe."""

    exit_code = 1


def open_stdout() -> TextIO:
    """Stdout; where that is closed, a stream of which nobody reads."""
    if sys.stdout is not None:
        return sys.stdout
    _lead_nowhere(_STDOUT)
    return io.TextIOWrapper(io.FileIO(_STDOUT, "wb", closefd=False), "utf-8")


def _lead_nowhere(descriptor: int) -> None:
    """Have what is written there lost; the next file to be opened takes a closed stream's place."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


class _Unfailing(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write what can be written; the rest is lost."""
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def unfailing_stderr() -> TextIO:
    """A stream to stderr which takes everything, even if that is full, closed or read by nobody.

    What is said there is of use to people, but nothing may depend on it.
    """
    if sys.stderr is None:
        _lead_nowhere(_STDERR)
    encoding = getattr(sys.stderr, "encoding", "utf-8")
    buffer = io.BufferedWriter(_Unfailing(_STDERR, "wb", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=True)


def write(line: str | bytes, *, err: bool = False) -> None:
    """A line, in colour on a terminal only (and never with NO_COLOR). Raises OutputError."""
    try:
        file = None if err else getattr(sys.stdout, "results", None)  # see `supervision.Strays`
        click.echo(line, err=err, file=file, color=_no_colour())
    except OSError as error:  # of stdout: see `unfailing_stderr`
        # Have Python not fail once more, when it flushes what could not be written.
        _lead_nowhere(sys.stdout.fileno())
        raise OutputError(f"cannot write the output: {(error.strerror or '').lower()}") from None


def print_json(event: str, **fields: Any) -> None:
    """One object on one line of stdout."""
    line = {"event": event, **fields}
    write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode())


def coloured(word: str, text: str | None = None) -> str:
    """A word of ours, or a text of that meaning, in its colour."""
    return click.style(text or word, fg=_COLOURS.get(word), bold=word in ("error", "failed"))


def print_line(text: str, *, err: bool = False) -> None:
    """A line of text for people."""
    write(text, err=err)


def print_problems(problems: Iterable[LocatedProblem], format: str, *, err: bool = False) -> int:
    """Print problems by file and line, in the format text, json or github; how many errors."""
    errors = 0
    for problem in sorted(problems, key=lambda each: (each.path, each.line, each.column)):
        errors += problem.problem.severity == "error"
        if format == "json":
            _print_problem_json(problem)
        else:
            print_line(_github(problem) if format == "github" else _text(problem), err=err)
    return errors


def described(message: Message) -> str:
    """A message's content in a few words: `text "Hello…"`, `image banner.png`."""
    content = message.content
    words = next(
        value
        for key in ("body", "source", "link", "id")
        if (value := getattr(content, key, None)) is not None
    )
    short = " ".join(words.split())
    short = short if len(short) <= 50 else short[:49] + "…"
    return f'text "{short}"' if message.type == "text" else f"{message.type} {short}"


def confirm(question: str) -> None:
    """Have a person agree. Raises click.Abort, or UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is nobody to ask here; agree with --yes")
    click.confirm(question, abort=True, err=True)


def counted(number: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _no_colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None


def _text(problem: LocatedProblem) -> str:
    severity = problem.problem.severity
    return str(problem).replace(f": {severity}: ", f": {coloured(severity)}: ", 1)


def _print_problem_json(problem: LocatedProblem) -> None:
    print_json(
        "problem",
        path=problem.path,
        line=problem.line,
        column=problem.column,
        severity=problem.problem.severity,
        message=problem.message_id,
        where=problem.problem.where,
        text=problem.sentence,
    )


def _github(problem: LocatedProblem) -> str:
    """A workflow command, which GitHub shows as an annotation at the line of the pull request."""
    subject = f'message "{problem.message_id}": ' if problem.message_id is not None else ""
    text = _escaped(subject + problem.sentence)
    path = _escaped(problem.path).replace(":", "%3A").replace(",", "%2C")
    place = f"file={path},line={problem.line},col={problem.column}"
    return f"::{problem.problem.severity} {place}::{text}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
