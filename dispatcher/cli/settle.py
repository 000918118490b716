"""`dispatcher settle`: a person's word on messages of which nobody knows whether they arrived."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import filter_options, journal_option, session_options, yes_option
from dispatcher.cli.output import OutputError, coloured, confirm, counted, print_line
from dispatcher.errors import ExitCode
from dispatcher.journal import Journal
from dispatcher.models import Status


@click.command("settle")
@click.argument("keys", nargs=-1, metavar="[KEY]…")
@click.option("--sent", is_flag=True, help="They arrived: skip them from now on.")
@click.option("--not-sent", is_flag=True, help="They did not arrive: the next run sends them.")
@click.option(
    "--missing",
    is_flag=True,
    help="With --sent: also what the journal does not know, as it went back in time.",
)
@click.option(
    "--from",
    "file",
    type=click.File(encoding="utf-8-sig"),
    help="A file with a key on each line; - is standard input.",
)
@filter_options
@yes_option
@journal_option
@session_options
def command(
    dispatcher: Dispatcher,
    keys: tuple[str, ...],
    file: TextIO | None,
    sent: bool,
    not_sent: bool,
    missing: bool,
    yes: bool,
    **filters: str | None,
) -> int:
    """Settle unknown messages by a person's word: by key, from a file, or all that filters name."""
    if sent == not_sent:
        raise click.UsageError("say either --sent or --not-sent")
    named = [*keys, *_keys_in(file)]
    by_filter = any(filters.values())
    if not named and not by_filter:
        raise click.UsageError("name the messages: KEY…, --from FILE, or filters like --run NAME")
    if missing and (not_sent or by_filter):
        raise click.UsageError("--missing goes with --sent and keys: filters find what is known")
    if named and by_filter:
        raise click.UsageError("name keys or filters, not both")
    filters["recipient"] = dispatcher.recipient(filters["recipient"])
    with dispatcher.reading() as known:
        if known is None:  # a word on nothing is no reason to make one
            print_line("there is no journal yet, so that there is nothing to settle", err=True)
            return ExitCode.NOTHING
    with dispatcher.writing("settle") as opened:
        found = named or _unknown(opened, filters)
        if by_filter and found and not yes:
            confirm(f"{counted(len(found), 'unknown message')} will count as {_word(sent)}. Go on?")
        return _settle(opened, found, sent, missing)


def _settle(journal: Journal, keys: Iterable[str], sent: bool, missing: bool) -> int:
    """Settle all of them, even if nobody can read of it; the exit code. Raises OutputError."""
    settled: list[bool] = []
    unwritten: OutputError | None = None
    for key in keys:
        settled.append(journal.settle(key, sent=sent) or (missing and journal.note_sent(key)))
        try:
            if settled[-1]:
                print_line(coloured("sent") if sent else _word(sent), f"  {key}")
            else:
                print_line(coloured("error"), f": {_why_not(journal, key)}", err=True)
        except OutputError as error:
            unwritten = error
    if not settled:
        print_line("no unknown message is like this; see: dispatcher history", err=True)
    if unwritten:
        raise unwritten
    return ExitCode.DONE if settled and all(settled) else ExitCode.NOTHING


def _why_not(journal: Journal, key: str) -> str:
    record = journal.lookup([key]).get(key)
    if record is None:
        return f"no message {key}; see: dispatcher history"
    return f"{key} is not unknown, but {record.status}"


def _unknown(journal: Journal, filters: dict[str, str | None]) -> list[str]:
    return [row.key for row in journal.history(status=Status.UNKNOWN, **filters)]


def _keys_in(file: TextIO | None) -> list[str]:
    try:
        return [key for line in file or () if (key := line.strip())]
    except UnicodeDecodeError:
        name = getattr(file, "name", "the file")
        raise click.BadParameter(f"{name} is not UTF-8", param_hint="--from") from None


def _word(sent: bool) -> str:
    return "sent" if sent else "not sent"
