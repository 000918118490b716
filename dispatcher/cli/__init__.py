"""The command line: the only place that prints."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Sequence

import click

from dispatcher.cli.app import app
from dispatcher.cli.output import open_stdout, unfailing_stderr
from dispatcher.errors import DispatcherError, JournalLocked, PluginError, PluginMissing

# What begins with its place in a file says by itself that it is an error.
_PLACED = re.compile(r"[^\n]+:\d+:\d+: error: ")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    sys.stdout, sys.stderr = open_stdout(), unfailing_stderr()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it tidies up, as Ctrl-C does
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run a command; its exit code (DESIGN, "Exit codes"). Errors are sentences on stderr."""
    if "--debug" in arguments:
        _show_debugging()
    try:
        code = app.main(arguments, prog_name="dispatcher", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        from dispatcher.cli.usage import show

        show(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except Exception as error:
        return _report(error, debug="--debug" in arguments)


def _show_debugging() -> None:
    """What is logged for people who look for a mistake, of ours or a plugin's, goes to stderr."""
    import logging

    logging.basicConfig(format="%(message)s")
    logging.getLogger("dispatcher").setLevel(logging.DEBUG)


def _report(error: Exception, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, DispatcherError):
        prefix = "" if _PLACED.match(str(error)) else "Error: "
        click.echo(f"{prefix}{error}", err=True)
        at_fault = isinstance(error, PluginError) and not isinstance(error, PluginMissing)
        if at_fault and not debug:
            click.echo(
                "--without NAME leaves a plugin out, --debug shows where it failed", err=True
            )
        return 6 if isinstance(error, JournalLocked) else 2
    click.echo(f"Error: this is a bug: {type(error).__name__}: {error}", err=True)
    if not debug:
        click.echo("Run again with --debug to see where.", err=True)
    return 1
