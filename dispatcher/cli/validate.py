"""`dispatcher validate`: every problem of every manifest, offline."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import json_option, paths_argument, session_options
from dispatcher.cli.output import counted, print_line, print_problems
from dispatcher.errors import ExitCode


@click.command("validate")
@paths_argument
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How problems are printed; github: as annotations of a pull request.",
)
@json_option
@session_options
def command(dispatcher: Dispatcher, paths: tuple[Path, ...], format_: str, as_json: bool) -> int:
    """Check manifests without a network; all problems of all files at once."""
    plan = dispatcher.check(*paths)
    format = "json" if as_json else format_
    errors = print_problems(plan.problems, format)
    if format == "text":
        good = f"{counted(len(plan), 'message')}, no errors"
        print_line(counted(errors, "error") if errors else good, err=True)
    return ExitCode.USAGE if errors else ExitCode.DONE
