"""The command line. It prints through `dispatcher.printing` only, and so does all that it calls."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence

import click

from dispatcher.cli.app import app
from dispatcher.cli.diagnosis import logged, print_traceback, secrets_of_the_environment
from dispatcher.errors import DispatcherError, InputChanged, JournalLocked, PluginError
from dispatcher.printing import guarded, open_stdout, print_line, print_text, unfailing_stderr

_CODES = {JournalLocked: 6, InputChanged: 1}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    sys.stdout, sys.stderr = open_stdout(), unfailing_stderr()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it tidies up, as Ctrl-C does
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run a command; its exit code (DESIGN, "Exit codes"). Errors are sentences on stderr."""
    secrets, debug = secrets_of_the_environment(), "--debug" in arguments
    with guarded(secrets), logged(debug=debug):
        try:
            code = app.main(arguments, prog_name="dispatcher", standalone_mode=False, obj=secrets)
            return code if isinstance(code, int) else 0
        except click.ClickException as error:
            _show(error)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            print_line("interrupted", err=True)
            return 130
        except Exception as error:
            return _report(error, debug=debug)


def _show(error: click.ClickException) -> None:
    """As click does it: how the command is used, where there is more, what is wrong."""
    stream, said = io.StringIO(), f"Error: {error.format_message()}"
    error.show(file=stream)
    shown = stream.getvalue()
    usage = shown.removesuffix(f"{said}\n")
    if usage == shown or isinstance(error, click.MissingParameter):  # which may list choices
        print_text(shown, err=True)
        return
    if usage:
        print_text(usage, err=True)
    print_line(said, err=True)


def _report(error: Exception, *, debug: bool) -> int:
    if debug:
        print_traceback(error)
    if isinstance(error, DispatcherError):
        first, *more = error.sentences or ("",)
        for line in (f"Error: {first}", *more):
            print_line(line, err=True)
        if isinstance(error, PluginError) and not debug:
            hint = "--without NAME leaves a plugin out, --debug shows where it failed"
            print_line(hint, err=True)
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), 2)
    print_line(f"Error: this is a bug: {type(error).__name__}: {error}", err=True)
    if not debug:
        print_line("Run again with --debug to see where.", err=True)
    return 1
