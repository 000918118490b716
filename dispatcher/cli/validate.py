"""`dispatcher validate`: every problem of every manifest, offline."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import json_option, paths_argument
from dispatcher.cli.output import counted, print_line
from dispatcher.cli.reports import FORMATS, print_problems
from dispatcher.cli.session import session_options
from dispatcher.errors import ExitCode


@click.command("validate")
@paths_argument
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How problems are printed; github: as annotations of a pull request, junit: each file as "
    "a test, sarif: for code scanning.",
)
@click.option("--strict", is_flag=True, help="End with 2 for a warning, too.")
@json_option
@session_options
def command(
    dispatcher: Dispatcher, paths: tuple[Path, ...], format_: str, strict: bool, as_json: bool
) -> int:
    """Check manifests without a network; all problems of all files at once."""
    plan = dispatcher.check(*paths)
    format = "json" if as_json else format_
    errors = print_problems(plan.problems, format, checked=plan.planner.paths.values())
    warnings = len(plan.problems) - errors
    if format == "text":
        print_line(_conclusion(len(plan), errors, warnings if strict else 0), err=True)
    return ExitCode.USAGE if errors or (strict and warnings) else ExitCode.DONE


def _conclusion(messages: int, errors: int, warnings: int) -> str:
    """Return the last line; `warnings` are those that count."""
    wrong = [counted(errors, "error")] if errors else []
    wrong += [counted(warnings, "warning")] if warnings else []
    return ", ".join(wrong) or f"{counted(messages, 'message')}, no errors"
