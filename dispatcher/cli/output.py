"""What the commands print alike: JSON lines, words in colour, counts, questions."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from dispatcher.printing import (
    Coloured,
    OutputError,
    Part,
    print_line,
    print_value,
)
from dispatcher.timezones import local, shown
from dispatcher.visible import visible

if TYPE_CHECKING:
    from dispatcher.models import Content, Message

__all__ = [
    "Coloured",
    "OutputError",
    "Part",
    "coloured",
    "confirm",
    "counted",
    "described",
    "for_whom",
    "local_time",
    "on_terminal",
    "persons",
    "print_json",
    "print_line",
    "stand_in",
]

_LONGEST_SUMMARY = 52  # characters

_COLOURS = {
    "error": "red",
    "warning": "yellow",
    "new": "green",
    "retry": "yellow",
    "changed": "yellow",
    "sent": "green",
    "delivered": "green",
    "read": "green",
    "undelivered": "red",
    "failed": "red",
    "unknown": "magenta",
}


def print_json(event: str, **fields: Any) -> None:
    """Print one object on one line of stdout."""
    print_value({"event": event, **fields})


def coloured(word: str, text: str | None = None) -> Coloured:
    """Return a word of ours, or a text of that meaning, in its colour."""
    return Coloured(text or word, _COLOURS.get(word), bold=word in ("error", "failed"))


def described(message: Message) -> str:
    """Return a message's content in a few words: `text "Hello…"`, `image banner.png`."""
    return f"{message.type} {summary(message.content)}"


def summary(content: Content) -> str:
    """Return a content in a few words."""
    from dispatcher.models.content import said_by

    words = " ".join(said_by(content, "summary", str).split())
    return words if len(words) <= _LONGEST_SUMMARY else f"{words[: _LONGEST_SUMMARY - 1]}…"


def stand_in(message: Message) -> str:
    """Return whom a copy of a trial stands for, to append to its message, or nothing."""
    from dispatcher.planning.selection import stands_for

    recipient = stands_for(message)
    return f"  (to {message.to} for {recipient})" if recipient is not None else ""


def for_whom(message: Message) -> dict[str, str]:
    """Return the same as a field of JSON output, if there is anything to say."""
    from dispatcher.planning.selection import stands_for

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


def counted(number: int, noun: str) -> str:
    """Return `1 message`, `2 messages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def persons(number: int) -> str:
    """Return `1 person`, `2 people`."""
    return "1 person" if number == 1 else f"{number} people"


def local_time(noted: str, timezone: str | None) -> str:
    """Format a time of the journal for people; leave a text that is no time unchanged."""
    try:
        at = datetime.fromisoformat(noted)
        return shown(local(at if at.tzinfo else at.replace(tzinfo=UTC), timezone))
    except (ValueError, OverflowError):
        return noted
