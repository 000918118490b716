"""`dispatcher journal`: copies the journal, and checks whether one is complete."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import journal_option, yes_option
from dispatcher.cli.output import coloured, confirm, print_line
from dispatcher.cli.reports import print_warning
from dispatcher.cli.session import session_options
from dispatcher.config import sqlite_url
from dispatcher.errors import ExitCode


@click.group("journal")
def command() -> None:
    """Copy the journal, and see whether a copy is whole."""


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@journal_option
@session_options
def backup(dispatcher: Dispatcher, file: Path) -> int:
    """Copy the journal into a new FILE, whole as it is now, also while a run is on.

    A copy of journal.db by other means lacks what is still in journal.db-wal.
    """
    from dispatcher.journal.backup import back_up

    back_up(dispatcher.journal, file)
    print_line(f"the journal as it is now is in {file}", err=True)
    return ExitCode.DONE


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Take it for whole from now on, though what a run wrote last may be lost.",
)
@yes_option
@journal_option
@session_options
def check(dispatcher: Dispatcher, file: Path | None, accept_loss: bool, yes: bool) -> int:
    """Say whether a journal is whole: FILE, or the one that send would use.

    Exit code 0: it is, 1: it is not, 2: it cannot be read.
    """
    from dispatcher.journal import backup

    url = sqlite_url(file.absolute()) if file else dispatcher.journal
    condition = backup.check(url)
    if condition.defects and accept_loss:
        for defect in condition.defects:
            print_warning(defect)
        if not yes:
            confirm("What is not in the journal is sent again. Take it as it is?")
        backup.accept_loss(url)
        condition = backup.check(url)
    for note in condition.notes:
        print_warning(note)
    for defect in condition.defects:
        print_line(coloured("error"), f": {defect}", err=True)
    if condition.version:
        counts = ", ".join(f"{count} {status}" for status, count in condition.counts.items())
        verdict = "not whole" if condition.defects else "whole"
        print_line(f"{verdict}, schema {condition.version}: {counts or 'no messages'}")
    return ExitCode.FAILED if condition.defects else ExitCode.DONE
