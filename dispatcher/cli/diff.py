"""`dispatcher diff`: what a change to the manifests changes for their recipients."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from dispatcher.api import Dispatcher
from dispatcher.cli import diff_json, diff_markdown, diff_text
from dispatcher.cli.diff_words import notes
from dispatcher.cli.options import json_option
from dispatcher.cli.output import counted, print_line
from dispatcher.cli.reports import print_problems, print_warning
from dispatcher.cli.session import session_options
from dispatcher.diff import Diff
from dispatcher.errors import ExitCode
from dispatcher.git_revisions import Repository
from dispatcher.visible import quoted

_PRINT: dict[str, Callable[[Diff], None]] = {
    "text": diff_text.print_diff,
    "markdown": diff_markdown.print_diff,
    "json": diff_json.print_diff,
    "github": lambda diff: None,  # its findings are annotations
}


def _split(dispatcher: Dispatcher, given: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the revision, which is the first argument unless that is a file or a folder; the rest.

    What is both is refused: whoever adds a folder would decide what is compared.
    """
    if not given or not os.path.lexists(given[0]):
        return (given[0] if given else None), given[1:]
    first = given[0]
    if Repository(dispatcher.config.folder.absolute()).has_revision(first):
        raise click.UsageError(
            f"{quoted(first)} is a revision, and a file or folder too; say --rev {first} for the "
            f"revision, or ./{first} for the path"
        )
    return None, given


@click.command("diff")
@click.argument(
    "arguments",
    nargs=-1,
    type=click.Path(),  # as it is written: a Path would not tell ./main from main
    metavar="[REV] [PATH]…",
)
@click.option(
    "--rev",
    metavar="REV",
    help="The commit to compare with; all arguments are PATHs then. For scripts.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "json", "github"]),
    default="text",
    show_default=True,
    help="markdown: for a comment, with masked numbers; github: annotations of a pull request.",
)
@click.option(
    "--check", is_flag=True, help="Exit with 1 if a change is probably a mistake; see below."
)
@json_option
@session_options
def command(
    dispatcher: Dispatcher,
    rev: str | None,
    arguments: tuple[str, ...],
    format_: str,
    check: bool,
    as_json: bool,
) -> int:
    """Show what changed for recipients since a commit, without a network.

    The working tree, as it is, is compared with REV: by default, the commit where this branch has
    left the default one. What is a file or a folder is a PATH and no REV; what is both is refused.

    \b
    --check exits with 1 if
      - content changed, but no revision was raised
      - a revision is lower than it was
      - an id is gone and its words are new elsewhere, without moved_from
      - a former name is taken out of moved_from

    Exit code 2: something is wrong, and nothing was compared.
    """
    format = "json" if as_json else format_
    rev, paths = _split(dispatcher, arguments) if rev is None else (rev, arguments)
    diff = dispatcher.diff(rev, paths)
    if diff.errors:
        print_problems(diff.problems, format if format == "github" else "text", err=True)
        return ExitCode.USAGE
    for note in notes(diff):
        print_warning(note)
    print_problems(diff.problems_before, "text", err=True)
    _PRINT[format](diff)
    if format == "github":
        print_problems([each.problem for each in diff.findings], format)
    elif check:
        print_problems([each.problem for each in diff.findings if each.fails], "text", err=True)
    if not (check and diff.fails):
        return ExitCode.DONE
    mistakes = sum(each.fails for each in diff.findings)
    print_line(f"the check found {counted(mistakes, 'mistake')}", err=True)
    return ExitCode.FAILED
