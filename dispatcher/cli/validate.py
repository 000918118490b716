"""`dispatcher validate`: every problem of every manifest, offline."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.cli.output import counted, print_line, print_problems
from dispatcher.cli.session import Session, json_option, paths_argument, session_options


@click.command("validate")
@paths_argument
@click.option("--format", "format_", type=click.Choice(["text", "json", "github"]), default="text")
@json_option
@session_options
def command(session: Session, paths: tuple[Path, ...], format_: str, as_json: bool) -> int:
    """Check manifests without a network; all problems of all files at once."""
    planner = session.planner(paths)
    problems = list(planner.check())
    format = "json" if as_json else format_
    errors = print_problems(problems, format)
    if format == "text":
        good = f"{counted(planner.checked, 'message')}, no errors"
        print_line(counted(errors, "error") if errors else good, err=True)
    return 2 if errors else 0
