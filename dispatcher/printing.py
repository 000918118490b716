"""The one place that prints: whatever goes to stdout or stderr, in any encoding, passes here.

A line is one line whatever stands in it: what steers a terminal or hides is made visible, and no
line is a command of a CI runner. What a stream cannot write is escaped. A result that cannot be
written is an `OutputError`; what is said on stderr is of use to people, but nothing depends on it.
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

from dispatcher.redaction import Secrets
from dispatcher.visible import visible, visible_json

_STDOUT, _STDERR = 1, 2
_COLOUR = r"\x1b\[[0-9;]*m"
# GitHub: "Workflow commands", and `##[`, the older form, anywhere in a line. Azure Pipelines:
# `##vso[` anywhere; TeamCity: `##teamcity[`. GitLab's begin with an escape, which never gets here.
_COMMAND = re.compile(
    rf"(?m)(?P<before>^(?:[^\S\n]|{_COLOUR})*):(?=:)"
    rf"|(?i:#(?P<between>(?:{_COLOUR})*)#(?=(?:{_COLOUR})*(?:vso|teamcity)?\[))"
)
_COMMAND_IN_JSON = re.compile(r"(?i)##(?=(?:vso|teamcity)?\[)")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


class OutputError(click.ClickException):
    """What is printed cannot be written: a full disk, a closed pipe."""

    exit_code = 1


class Coloured(NamedTuple):
    """A part of a line, in a colour where that is wanted."""

    text: str
    colour: str | None = None
    bold: bool = False

    def __str__(self) -> str:
        return self.text


Part: TypeAlias = str | Coloured


def print_line(*parts: Part, err: bool = False) -> None:
    """A line for people, in colour on a terminal only (and never with NO_COLOR).

    Raises OutputError, for stdout.
    """
    stream = _stream(err)
    coloured = stream.isatty() and not os.environ.get("NO_COLOR")
    _write(f"{rendered(*parts, coloured=coloured, err=err)}\n", stream, err)


def print_text(text: str, *, err: bool = False) -> None:
    """What others wrote in several lines: a traceback, say. As `print_line`."""
    for line in text.removesuffix("\n").split("\n"):
        print_line(line, err=err)


def print_command(line: str) -> None:
    """A line of stdout that a CI runner is to take for a command. Raises OutputError."""
    _write(f"{visible(line)}\n", _stream(err=False), err=False)


def print_value(value: Any, *, indent: int | None = None) -> None:
    """A JSON value on stdout, on one line unless it is indented. As `print_encoded`."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    print_encoded(text)


def print_encoded(text: str, before: str = "") -> None:
    """A JSON text on stdout, after some space. Raises OutputError.

    It says the same in every encoding: what cannot or should not be written as it is, JSON escapes.
    """
    stream = _stream(err=False)
    text = _COMMAND_IN_JSON.sub(r"#\\u0023", visible_json(text))
    if not _is_utf8(stream):
        text = _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    _write(f"{before}{text}\n", stream, err=False)


def rendered(*parts: Part, coloured: bool, err: bool = False) -> str:
    """A line as `print_line` shows it, with the codes of its colours or without them."""
    secrets = sys.stderr.secrets if err and isinstance(sys.stderr, _Guarded) else None

    def shown(part: Part) -> str:
        text = visible(secrets.hidden(str(part)) if secrets else str(part))
        if not coloured or isinstance(part, str):
            return text
        return click.style(text, fg=part.colour, bold=part.bold or None)

    return _defused("".join(map(shown, parts)))


def without_secrets(sentence: str) -> str:
    """What is said to people, also on stdout: no secret of this process shows in it."""
    secrets = sys.stderr.secrets if isinstance(sys.stderr, _Guarded) else None
    return secrets.hidden(sentence) if secrets else sentence


def stderr() -> TextIO:
    """The stream itself, for who draws on a terminal."""
    return _stream(err=True)


@contextmanager
def stderr_through(made: Callable[[TextIO], Any]) -> Iterator[None]:
    """Have all that is printed to stderr written by another stream, which is made of that itself.

    It takes the place of the innermost stream, so that what others write is made harmless as ever.
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
    """What others write to stdout and stderr, past this module, is made harmless as well.

    `secrets` show in nothing that is written to stderr.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Guarded(sys.stdout), _Guarded(sys.stderr, secrets or Secrets())
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def open_stdout() -> TextIO:
    """Stdout; where that is closed, a stream that nobody reads."""
    if sys.stdout is not None:
        return sys.stdout
    _lead_nowhere(_STDOUT)
    return io.TextIOWrapper(io.FileIO(_STDOUT, "wb", closefd=False), "utf-8")


def unfailing_stderr() -> TextIO:
    """A stream to stderr which takes everything, even if that is full, closed or read by nobody."""
    if sys.stderr is None:
        _lead_nowhere(_STDERR)
    encoding = getattr(sys.stderr, "encoding", "utf-8")
    buffer = io.BufferedWriter(_Unfailing(_STDERR, "wb", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=True)


class _Unfailing(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write what can be written; the rest is lost."""
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


class _StandIn(io.TextIOBase):
    """Stands for a stream; this module writes to `inner`, everybody else to this."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner
        self._line_begins = True

    def close(self) -> None:
        """Nothing: the stream belongs to somebody else, and may be closed before this is gone."""

    def fileno(self) -> int:
        """The stream's own, as some programs that a plugin starts want it."""
        return self.inner.fileno()

    def isatty(self) -> bool:
        """As the stream itself."""
        return self.inner.isatty()


class _Guarded(_StandIn):
    """What others write is made harmless. `secrets`: of stderr, on which they are not shown.

    Lines and tabs of others stay as they are; on a terminal their colours, too.
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
        """As the stream itself. Raises OutputError."""
        _write("", self.inner, self.secrets is not None)

    def writable(self) -> bool:
        """It is."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream itself."""
        return self.inner.encoding

    def __getattr__(self, name: str) -> Any:
        """The rest, the buffer for bytes, say."""
        return getattr(self.inner, name)


class StdoutGuard(_StandIn):
    """Stands for stdout: what anybody but this module prints goes to stderr, with its module."""

    def write(self, text: str, /) -> int:
        """Pass a piece of text on, each line after the name of the module that printed it."""
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
    if not isinstance(text, str):  # click asks so whether it may write bytes
        raise TypeError(f"expected text, got {type(text).__name__}")


def _write(text: str, stream: TextIO, err: bool) -> None:
    try:
        stream.write(_writable(text, stream))
        stream.flush()
    except OSError as error:
        if err:
            return
        # Have Python not fail once more, when it flushes what could not be written.
        _lead_nowhere(stream.fileno())
        raise OutputError(f"cannot write the output: {(error.strerror or '').lower()}") from None


def _writable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None)
    return text.encode(encoding, "backslashreplace").decode(encoding) if encoding else text


def _defused(text: str) -> str:
    """The text without commands to a CI runner: one sign of each shows as an escape."""
    return _COMMAND.sub(_escaped_sign, text)


def _escaped_sign(found: re.Match[str]) -> str:
    before = found["before"]
    return rf"#{found['between']}\x23" if before is None else rf"{before}\x3a"


def _is_utf8(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name == "utf-8"


def _lead_nowhere(descriptor: int) -> None:
    """Discard what is written there; else the next file opened would take the stream's place."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
