"""Prints everything that goes to stdout or stderr, in any encoding.

A line stays one line whatever it contains: what controls a terminal or is invisible is escaped, and
no line is a command to a CI runner. What a stream cannot encode is escaped. A result that cannot be
written is an `OutputError`; output on stderr helps people, but nothing depends on it.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple, TextIO, TypeAlias

import click

from dispatcher.errors import ExitCode
from dispatcher.redaction import Secrets
from dispatcher.visible import visible, visible_json

_STDOUT, _STDERR = 1, 2
_COLOUR = r"\x1b\[[0-9;]*m"
# GitHub: "Workflow commands", and `##[`, the older form, anywhere in a line. Azure Pipelines:
# `##vso[` anywhere; TeamCity: `##teamcity[`. GitLab's begin with an escape, which is never printed.
_COMMAND = re.compile(
    rf"(?m)(?P<before>^(?:[^\S\n]|{_COLOUR})*):(?=:)"
    rf"|(?i:#(?P<between>(?:{_COLOUR})*)#(?=(?:{_COLOUR})*(?:vso|teamcity)?\[))"
)
_COMMAND_IN_JSON = re.compile(r"(?i)##(?=(?:vso|teamcity)?\[)")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


class OutputError(click.ClickException):
    """The output cannot be written: a full disk, a closed pipe."""

    exit_code = ExitCode.FAILED


class Coloured(NamedTuple):
    """A part of a line, in a colour where colours are used."""

    text: str
    colour: str | None = None
    bold: bool = False

    def __str__(self) -> str:
        return self.text


Part: TypeAlias = str | Coloured


def print_line(*parts: Part, err: bool = False) -> None:
    """Print a line for people, in colour on a terminal only (and never with NO_COLOR).

    Raises OutputError, for stdout.
    """
    stream = _stream(err)
    coloured = stream.isatty() and not os.environ.get("NO_COLOR")
    _write(f"{rendered(*parts, coloured=coloured, err=err)}\n", stream, err)


def print_text(text: str, *, err: bool = False) -> None:
    """Print several lines that others wrote, like a traceback, as `print_line` does."""
    for line in text.removesuffix("\n").split("\n"):
        print_line(line, err=err)


def print_command(line: str) -> None:
    """Print a line on stdout that a CI runner takes for a command. Raises OutputError."""
    _write(f"{visible(line)}\n", _stream(err=False), err=False)


def print_value(value: Any, *, indent: int | None = None) -> None:
    """Print a JSON value on stdout, on one line unless `indent` is set. Raises OutputError."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    print_encoded(text)


def print_encoded(text: str, before: str = "") -> None:
    """Print a JSON text on stdout, after `before`. Raises OutputError.

    It means the same in every encoding: what cannot or should not be written as it is, is escaped
    as in JSON.
    """
    stream = _stream(err=False)
    text = _COMMAND_IN_JSON.sub(r"#\\u0023", visible_json(text))
    if not _is_utf8(stream):
        text = _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    _write(f"{before}{text}\n", stream, err=False)


def print_xml(text: str) -> None:
    """Print an XML text of visible characters on stdout. Raises OutputError.

    It means the same in every encoding, and no line of it is a command to a CI runner.
    """
    stream = _stream(err=False)
    text = _COMMAND.sub(_xml_sign, text)
    if not _is_utf8(stream):
        text = text.encode("ascii", "xmlcharrefreplace").decode()
    _write(f"{text}\n", stream, err=False)


def rendered(*parts: Part, coloured: bool, err: bool = False) -> str:
    """Return a line as `print_line` shows it, with or without the codes of its colours."""
    secrets = sys.stderr.secrets if err and isinstance(sys.stderr, _Guarded) else None

    def shown(part: Part) -> str:
        text = visible(secrets.hidden(str(part)) if secrets else str(part))
        if not coloured or isinstance(part, str):
            return text
        return click.style(text, fg=part.colour, bold=part.bold or None)

    return _defused("".join(map(shown, parts)))


def without_secrets(sentence: str) -> str:
    """Return a sentence for people, also on stdout, without any secret of this process."""
    secrets = sys.stderr.secrets if isinstance(sys.stderr, _Guarded) else None
    return secrets.hidden(sentence) if secrets else sentence


def stderr() -> TextIO:
    """Return the stream itself, for drawing on a terminal."""
    return _stream(err=True)


@contextmanager
def stderr_through(made: Callable[[TextIO], Any]) -> Iterator[None]:
    """Write all that is printed to stderr through another stream, which `made` wraps around it.

    It replaces the innermost stream, so that what others write is still made harmless.
    """
    outer: Any = sys.stderr
    while isinstance(outer, _StandIn) and isinstance(outer.inner, _StandIn):
        outer = outer.inner
    if not isinstance(outer, _StandIn):
        yield
        return
    inner = outer.inner
    with closing(made(inner)) as outer.inner:
        try:
            yield
        finally:
            outer.inner = inner


@contextmanager
def guarded(secrets: Secrets | None = None) -> Iterator[None]:
    """Make harmless what others write to stdout and stderr without this module.

    None of `secrets` is shown on stderr.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Guarded(sys.stdout), _Guarded(sys.stderr, secrets or Secrets())
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def open_stdout() -> TextIO:
    """Return stdout, or if it is closed, a stream that nobody reads."""
    if sys.stdout is not None:
        return sys.stdout
    _lead_nowhere(_STDOUT)
    return io.TextIOWrapper(io.FileIO(_STDOUT, "wb", closefd=False), "utf-8")


def unfailing_stderr() -> TextIO:
    """Return a stream to stderr that never fails, even if stderr is full, closed or unread."""
    if sys.stderr is None:
        _lead_nowhere(_STDERR)
    encoding = getattr(sys.stderr, "encoding", "utf-8")
    buffer = io.BufferedWriter(_Unfailing(_STDERR, "wb", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=True)


class _Unfailing(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write what can be written and drop the rest."""
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


class _StandIn(io.TextIOBase):
    """Replaces a stream: this module writes to `inner`, everybody else to this."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner
        self._line_begins = True

    def close(self) -> None:
        """Do nothing: the stream belongs to somebody else, and may be closed before this is."""

    def fileno(self) -> int:
        """Return the stream's own, as some programs that a plugin starts need it."""
        return self.inner.fileno()

    def isatty(self) -> bool:
        """Whether the stream itself is a terminal."""
        return self.inner.isatty()


class _Guarded(_StandIn):
    """Makes what others write harmless; on stderr, it hides `secrets`.

    Their lines and tabs stay as they are; on a terminal, so do their colours.
    """

    def __init__(self, inner: TextIO, secrets: Secrets | None = None) -> None:
        super().__init__(inner)
        self.secrets = secrets
        kept = rf"\n|\t|\r|{_COLOUR}" if inner.isatty() else r"\n|\t"
        self._kept = re.compile(f"({kept})")

    def write(self, text: str, /) -> int:
        """Write a piece of text. Raises OutputError."""
        _require_text(text)
        shown = self.secrets.hidden(text) if self.secrets else text
        pieces = self._kept.split(shown)
        pieces[::2] = map(visible, pieces[::2])
        shown = "".join(pieces)
        shown = _defused(shown) if self._line_begins else _defused(f"|{shown}")[1:]
        self._line_begins = text.endswith("\n") if text else self._line_begins
        _write(shown, self.inner, self.secrets is not None)
        return len(text)

    def flush(self) -> None:
        """Flush the stream itself. Raises OutputError."""
        _write("", self.inner, self.secrets is not None)

    def writable(self) -> bool:
        """Return True."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own encoding."""
        return self.inner.encoding

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream, like its buffer for bytes."""
        return getattr(self.inner, name)


class StdoutGuard(_StandIn):
    """Replaces stdout: what other modules print goes to stderr, with the module's name."""

    def write(self, text: str, /) -> int:
        """Pass on a piece of text, each line after the name of the module that printed it."""
        _require_text(text)
        module = sys._getframe(1).f_globals.get("__name__", "?")
        for line in re.findall("[^\n]*\n|[^\n]+", text):
            before = f"[{module}] " if self._line_begins else ""
            self._line_begins = line.endswith("\n")
            shown = rendered(before, line.removesuffix("\n"), coloured=False, err=True)
            _write(shown + "\n" * self._line_begins, _stream(err=True), err=True)
        return len(text)


def _stream(err: bool) -> TextIO:
    stream: Any = sys.stderr if err else sys.stdout
    while isinstance(stream, _StandIn):
        stream = stream.inner
    found: TextIO = stream
    return found


def _require_text(text: object) -> None:
    if not isinstance(text, str):  # this is how click asks whether it may write bytes
        raise TypeError(f"expected text, got {type(text).__name__}")


def _write(text: str, stream: TextIO, err: bool) -> None:
    try:
        stream.write(_writable(text, stream))
        stream.flush()
    except OSError as error:
        if err:
            return
        # Keep Python from failing again when it flushes what could not be written.
        _lead_nowhere(stream.fileno())
        raise OutputError(f"cannot write the output: {(error.strerror or '').lower()}") from None


def _writable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None)
    return text.encode(encoding, "backslashreplace").decode(encoding) if encoding else text


def _defused(text: str) -> str:
    """Return the text without commands to a CI runner: one character of each is escaped."""
    return _COMMAND.sub(_escaped_sign, text)


def _escaped_sign(found: re.Match[str]) -> str:
    before = found["before"]
    return rf"#{found['between']}\x23" if before is None else rf"{before}\x3a"


def _xml_sign(found: re.Match[str]) -> str:
    before = found["before"]
    return f"#{found['between']}&#35;" if before is None else f"{before}&#58;"


def _is_utf8(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name == "utf-8"


def _lead_nowhere(descriptor: int) -> None:
    """Discard what is written there; else the next opened file would take the stream's place."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
