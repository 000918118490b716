"""Prints results as JSON lines, and problems as text, JSON or GitHub annotations."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from dispatcher.models import LocatedProblem, Message
from dispatcher.planning.selection import stands_for
from dispatcher.printing import (
    Coloured,
    OutputError,
    Part,
    print_command,
    print_line,
    print_value,
    without_secrets,
)
from dispatcher.visible import visible

__all__ = [
    "Coloured",
    "OutputError",
    "Part",
    "coloured",
    "confirm",
    "counted",
    "described",
    "for_whom",
    "on_terminal",
    "persons",
    "print_json",
    "print_line",
    "print_problems",
    "print_warning",
    "stand_in",
]

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


def print_json(event: str, **fields: Any) -> None:
    """Print one object on one line of stdout."""
    print_value({"event": event, **fields})


def coloured(word: str, text: str | None = None) -> Coloured:
    """Return a word of ours, or a text of that meaning, in its colour."""
    return Coloured(text or word, _COLOURS.get(word), bold=word in ("error", "failed"))


def print_problems(problems: Iterable[LocatedProblem], format: str, *, err: bool = False) -> int:
    """Print problems by file and line, as text, json or github; return the number of errors."""
    errors = 0
    for problem in sorted(problems, key=_position):
        errors += problem.severity == "error"
        said = without_secrets(problem.message)
        problem = problem.model_copy(update={"message": said})
        if format == "json":
            _print_problem_json(problem)
        elif format == "github":
            print_command(_github(problem))
        else:
            print_line(*_text(problem), err=err)
    return errors


def described(message: Message) -> str:
    """Return a message's content in a few words: `text "Hello…"`, `image banner.png`."""
    content = message.content
    words = next(
        value
        for key in ("body", "source", "link", "id")
        if (value := getattr(content, key, None)) is not None
    )
    short = " ".join(words.split())
    short = short if len(short) <= 50 else short[:49] + "…"
    return f'text "{short}"' if message.type == "text" else f"{message.type} {short}"


def stand_in(message: Message) -> str:
    """Return whom a copy of a trial stands for, to append to its message, or nothing."""
    recipient = stands_for(message)
    return f"  (to {message.to} for {recipient})" if recipient is not None else ""


def for_whom(message: Message) -> dict[str, str]:
    """Return the same as a field of JSON output, if there is anything to say."""
    recipient = stands_for(message)
    return {"for": recipient} if recipient is not None else {}


def on_terminal() -> bool:
    """Whether somebody can be asked; standard input may be closed altogether."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str) -> None:
    """Ask a person to confirm. Raises click.Abort, or UsageError if nobody can be asked."""
    if not on_terminal():
        raise click.UsageError(f"{question} There is nobody to ask here; agree with --yes")
    click.confirm(visible(question), abort=True, err=True)


def print_warning(warning: str | LocatedProblem) -> None:
    """Print a warning, which stops nothing; a problem of a file begins with its place."""
    if isinstance(warning, LocatedProblem):
        print_problems([warning], "text", err=True)
    else:
        print_line(coloured("warning"), f": {warning}", err=True)


def counted(number: int, noun: str) -> str:
    """Return `1 message`, `2 messages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def persons(number: int) -> str:
    """Return `1 person`, `2 people`."""
    return "1 person" if number == 1 else f"{number} people"


def _position(problem: LocatedProblem) -> tuple[str, int, int]:
    return problem.location.path, problem.location.line, problem.location.column


def _text(problem: LocatedProblem) -> tuple[Part, ...]:
    said = problem.subject + problem.sentence
    return f"{problem.location}: ", coloured(problem.severity), f": {said}"


def _print_problem_json(problem: LocatedProblem) -> None:
    print_json(
        "problem",
        path=problem.location.path,
        line=problem.location.line,
        column=problem.location.column,
        severity=problem.severity,
        message=problem.location.message_id,
        where=problem.where,
        text=problem.sentence,
    )


def _github(problem: LocatedProblem) -> str:
    """Return a workflow command, which GitHub shows as an annotation in the pull request."""
    text = _escaped(problem.subject + problem.sentence)
    path = _escaped(problem.location.path).replace(":", "%3A").replace(",", "%2C")
    location = f"file={path},line={problem.location.line},col={problem.location.column}"
    return f"::{problem.severity} {location}::{text}"


def _escaped(text: str) -> str:
    return visible(text).replace("%", "%25")  # and line ends, of which it has none
