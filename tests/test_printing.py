"""The one place that prints: any text, any encoding, any stream, whoever writes."""

import ast
import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dispatcher
from dispatcher.cli.diagnosis import logged, print_traceback
from dispatcher.cli.progress import JsonPrinter, ResultPrinter
from dispatcher.models import Outcome
from dispatcher.printing import (
    Coloured,
    OutputError,
    StdoutGuard,
    guarded,
    print_encoded,
    print_line,
    print_text,
    print_value,
)
from dispatcher.redaction import Secrets
from tests.support.cases import cases
from tests.support.messages import TO, message
from tests.support.project import lines_of

ENCODINGS = ["utf-8", "ascii", "latin-1", "cp1251", "koi8-r", "shift_jis", "utf-16", "utf-8-sig"]
ANYTHING = st.text(st.characters())
SECRET = "marker-token-11aa"


class Streams:
    """Two streams of an encoding, and what was written to them."""

    def __init__(self, encoding: str, *, terminal: bool = False) -> None:
        options = {"encoding": encoding, "newline": "", "terminal": terminal}
        self._streams = [_Stream(io.BytesIO(), **options) for _ in range(2)]

    @contextmanager
    def used(self) -> Iterator[None]:
        with redirect_stdout(self._streams[0]), redirect_stderr(self._streams[1]):
            yield

    @property
    def stdout(self) -> str:
        return self._streams[0].written()

    @property
    def stderr(self) -> str:
        return self._streams[1].written()


class _Stream(io.TextIOWrapper):
    def __init__(self, buffer: io.BytesIO, *, terminal: bool, **options: Any) -> None:
        super().__init__(buffer, **options)
        self._bytes, self._terminal = buffer, terminal

    def isatty(self) -> bool:
        return self._terminal

    def written(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode(self.encoding)


def printed(action: Callable[[], object], encoding: str = "utf-8") -> str:
    """What an action prints to stdout."""
    streams = Streams(encoding)
    with streams.used():
        action()
    return streams.stdout


@given(ANYTHING, st.sampled_from(ENCODINGS))
def test_a_line_is_a_line_in_every_encoding(text: str, encoding: str) -> None:
    shown = printed(lambda: print_line(coloured_or_not(text), " | ", text), encoding)
    assert shown.endswith("\n")
    assert len(shown.splitlines()) == 1
    assert not is_command(shown)


def coloured_or_not(text: str) -> Coloured | str:
    return Coloured(text, "red") if len(text) % 2 else text


@given(st.dictionaries(ANYTHING, ANYTHING | st.lists(ANYTHING)), st.sampled_from(ENCODINGS))
def test_json_is_exact_in_every_encoding(value: dict[str, Any], encoding: str) -> None:
    text = json.dumps(value, ensure_ascii=False)
    for action in (
        lambda: print_value(value),
        lambda: print_value(value, indent=2),
        lambda: print_encoded(text, before="  "),
    ):
        shown = printed(action, encoding)
        assert json.loads(shown) == value
        assert not any(is_command(line) for line in shown.splitlines())
    assert len(printed(lambda: print_value(value), encoding).splitlines()) == 1


# GitHub's runner, Azure's agent and TeamCity read these: src/Runner.Common/ActionCommand.cs trims a
# line and looks for `::`, or for `##[` anywhere; Azure looks for `##vso[` anywhere.
COMMANDS = [
    "::error file=a.toml,line=1::text",
    "  ::stop-commands::x",
    "\u3000\xa0::add-mask::x",
    ":::debug::x",
    "text ##[error]x",
    "###[group]x",
    "text ##vso[task.setvariable variable=x]y",
    "##TeamCity[buildStop]",
    "\x1b[0Ksection_start:1:x\r\x1b[0K",
]


def is_command(line: str) -> bool:
    found = re.search(r"^\s*::|##(?:vso|teamcity)?\[|\r|\x1b", line, re.IGNORECASE)
    return found is not None


@pytest.mark.parametrize("text", COMMANDS)
def test_no_line_is_a_command_of_a_ci_runner(text: str) -> None:
    halves = text[: len(text) // 2], text[len(text) // 2 :]
    streams = Streams("utf-8")
    with streams.used(), guarded():
        for err in (True, False):
            print_line(text, err=err)
            print_line(*halves, err=err)
            print_text(f"first\n{text}", err=err)
        print_value({"text": text, text: 1})
        click.echo(text)
        click.echo(f"first\n{text}", err=True)
        print(f"\n{text}", file=sys.stderr)
    assert is_command(text)
    for line in (streams.stdout + streams.stderr).splitlines():
        assert not is_command(line)


def test_colours_are_ours_alone() -> None:
    streams = Streams("utf-8", terminal=True)
    with streams.used():
        print_line(Coloured("sent \x1b[8m", "green"), " \x1b[31mred")
    assert streams.stdout == "\x1b[32msent \\x1b[8m\x1b[0m \\x1b[31mred\n"


def test_what_others_write_to_a_stream_keeps_its_lines_and_nothing_that_steers() -> None:
    streams = Streams("cp1251")
    with streams.used(), guarded():
        click.echo("Привет\t\x1b]0;title\x07 😀\nnext\u202e")
        sys.stdout.buffer.write(b"bytes\n")
    assert streams.stdout == "Привет\t\\x1b]0;title\\x07 \\U0001f600\nnext\\u202e\nbytes\n"


def test_what_plugins_print_is_told_by_module_on_stderr() -> None:
    streams = Streams("ascii")
    with streams.used(), redirect_stdout(StdoutGuard(sys.stdout)):
        print("one", "ключ\x1b", end="")
        print(" two\n::error::x")
        print_line("a result")
    assert streams.stdout == "a result\n"
    assert streams.stderr == (
        f"[{__name__}] one \\u043a\\u043b\\u044e\\u0447\\x1b two\n[{__name__}] ::error::x\n"
    )


def test_whatever_is_logged_or_warned_of_is_one_line_without_secrets() -> None:
    secrets, streams = Secrets(), Streams("ascii")
    secrets.add(SECRET)
    with streams.used(), guarded(secrets), logged(debug=False), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("some.library").warning("bad\nheader %s \x1b", SECRET)
        logging.getLogger("some.library").info("not of interest")
        logging.getLogger("dispatcher.part").error("ours")
        warnings.warn(f"deprecated {SECRET}\n::error::x", stacklevel=1)
        sys.stderr.write(f"directly {SECRET}\n")
        print_line("by us ", SECRET, err=True)
    bad, ours, warning, *rest = streams.stderr.splitlines()
    assert bad == r"[some.library] bad\nheader *** \x1b"
    assert ours == "ours"
    assert warning.endswith(r"UserWarning: deprecated ***\n::error::x")
    assert rest == ["directly ***", "by us ***"]


def test_a_traceback_shows_where_and_no_secret() -> None:
    secrets, streams = Secrets(), Streams("ascii")
    secrets.add(SECRET)
    with streams.used(), guarded(secrets):
        try:
            raise ValueError(f"{SECRET} ключ\n::error::x")
        except ValueError as error:
            print_traceback(error)
    assert "test_printing.py" in streams.stderr
    assert "ValueError: *** \\u043a\\u043b\\u044e\\u0447\n\\x3a:error::x" in streams.stderr
    assert SECRET not in streams.stderr


def test_results_show_secrets_as_they_are_because_they_are_data() -> None:
    secrets, streams = Secrets(), Streams("utf-8")
    secrets.add(SECRET)
    with streams.used(), guarded(secrets):
        print_value({"id": SECRET})
    assert json.loads(streams.stdout) == {"id": SECRET}


class _Full(io.StringIO):
    def write(self, text: str, /) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return Path("/dev/null").open("w").fileno()


def test_what_cannot_be_said_is_no_error_but_a_result_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.printing._lead_nowhere", lambda descriptor: None)
    monkeypatch.setattr(_Full, "fileno", lambda self: 1)
    with redirect_stderr(_Full()), redirect_stdout(_Full()), guarded():
        print_line("a word", err=True)
        click.echo("a word", err=True)
        for action in (lambda: print_line("x"), lambda: print_value({}), lambda: click.echo("x")):
            with pytest.raises(OutputError, match="no space left on device"):
                action()


MESSAGE = message(manifest="ключ", key=f"default/ключ/a/1/{TO}")


@cases("kind", ResultPrinter, JsonPrinter)
@cases("error", UnicodeError("no such letter"), KeyError("a bug"), OSError(5))
def test_nothing_that_fails_in_a_report_reaches_the_mailing(
    kind: type[ResultPrinter], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    for name in ("print_line", "print_json"):
        monkeypatch.setattr(f"dispatcher.cli.progress.{name}", fail)
    reporter = kind()
    with reporter:
        reporter.result(MESSAGE, Outcome(status="sent", id="1"))
        reporter.warning("a warning")
        reporter.notice("a notice")
    monkeypatch.undo()
    streams = Streams("utf-8")
    with streams.used():
        reporter.result(MESSAGE, Outcome(status="sent", id="2"))
        reporter.warning("that is all")
    assert streams.stdout == "", "it says once that it cannot"
    assert "that is all" in streams.stderr


PRINTS = {
    *("print", "click.echo", "click.secho", "click.confirm", "click.prompt", "logging.basicConfig"),
    *("traceback.print_exc", "traceback.print_exception", "sys.stdout.write", "sys.stderr.write"),
}


def test_nothing_else_prints() -> None:
    package = Path(dispatcher.__file__).parent
    found = {
        (path.relative_to(package).as_posix(), called)
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in PRINTS
    }
    assert found == {("cli/output.py", "click.confirm")}


def test_lines_of_json_end_where_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    print_value({"a": "1\u2028\x85"})
    print_value({"b": 2})
    found = [json.loads(line) for line in lines_of(capsys.readouterr().out)]
    assert found == [{"a": "1\u2028\x85"}, {"b": 2}]
