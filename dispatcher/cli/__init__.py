"""The command line. All output goes through `dispatcher.printing`."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Sequence

import click

from dispatcher.cli import completion
from dispatcher.cli.app import app
from dispatcher.cli.diagnosis import logged, print_traceback, secrets_of_the_environment
from dispatcher.errors import DispatcherError, ExitCode, PluginError, PluginMissing
from dispatcher.printing import guarded, open_stdout, print_line, unfailing_stderr
from dispatcher.visible import quoted

# What begins with a place in a file is clearly an error, without a word.
_PLACED = re.compile(r"[^\n]+:\d+:\d+: error: ")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    if sys.getfilesystemencoding() != "utf-8":
        _start_in_utf8()
    sys.stdout, sys.stderr = open_stdout(), unfailing_stderr()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, signal.default_int_handler)  # it cleans up, as Ctrl-C does
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def _start_in_utf8() -> None:
    """Restart the process with file names in UTF-8, whatever the locale says.

    A manifest's name is part of its messages' keys, so it is the same everywhere. Output stays in
    the locale's encoding.
    """
    if sys.stdout is not None:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def run(arguments: list[str]) -> int:
    """Run a command; return its exit code (docs/design.md, "Exit codes"). Errors go to stderr."""
    if completion.asked():
        return completion.answer(app)
    secrets, debug = secrets_of_the_environment(), "--debug" in arguments
    with guarded(secrets), logged(debug=debug):
        try:
            code = app.main(arguments, prog_name="dispatcher", standalone_mode=False, obj=secrets)
            return code if isinstance(code, int) else ExitCode.DONE
        except click.ClickException as error:
            from dispatcher.cli.usage import show

            show(error)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            print_line("interrupted", err=True)
            return ExitCode.INTERRUPTED
        except Exception as error:
            return _print_error(error, debug=debug)


def _print_error(error: Exception, *, debug: bool) -> int:
    if debug:
        print_traceback(error)
    if isinstance(error, DispatcherError):
        first, *more = error.sentences or ("",)
        prefix = "" if _PLACED.match(first) else "Error: "
        for line in (f"{prefix}{first}", *more):
            print_line(line, err=True)
        at_fault = isinstance(error, PluginError) and not isinstance(error, PluginMissing)
        if at_fault and not debug:
            hint = "--without NAME leaves a plugin out, --debug shows where it failed"
            print_line(hint, err=True)
        return error.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # of whatever was given
        from dispatcher.localfiles import reason

        print_line(f"Error: {quoted(str(error.filename))}: {reason(error)}", err=True)
        return ExitCode.USAGE
    print_line(f"Error: this is a bug: {type(error).__name__}: {error}", err=True)
    if not debug:
        print_line("Run again with --debug to see where.", err=True)
    return ExitCode.FAILED
