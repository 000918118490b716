"""`dispatcher settle`: a person says whether messages with an unknown outcome arrived."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from typing import TextIO

import click

from dispatcher.api import Dispatcher
from dispatcher.cli import completion
from dispatcher.cli.options import filter_options, journal_option, yes_option
from dispatcher.cli.output import OutputError, coloured, confirm, counted, print_line
from dispatcher.cli.session import session_options
from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.journal import Journal, Noted, journal_name
from dispatcher.keys import Key, parsed
from dispatcher.manifest.former_names import DefinedNames, MessageName
from dispatcher.manifest.runs import DEFAULT
from dispatcher.models import Status
from dispatcher.visible import quoted

_NAMED = 3  # how many known keys are named instead of an unknown one
_FORM = "RUN/MANIFEST/ID/REVISION/RECIPIENT"


@click.command("settle")
@click.argument("keys", nargs=-1, metavar="[KEY]…", shell_complete=completion.keys)
@click.option("--sent", is_flag=True, help="They arrived: no run sends them again.")
@click.option("--not-sent", is_flag=True, help="They did not arrive: the next run sends them.")
@click.option(
    "--missing",
    is_flag=True,
    help="With --sent: also keys that the journal does not know, as a backup was put back, say.",
)
@click.option(
    "--from",
    "file",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="A file with a KEY on each line, or what history --json prints; - is standard input.",
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
    """Say of unknown messages whether they arrived.

    A message is unknown if it may have arrived: the connection broke, say. Nobody gets it again
    until a person has looked, and says --sent or --not-sent. Name the messages by KEY, as history
    --status unknown shows them, by --from FILE, or by --run, --manifest, --message and --to, which
    find the unknown ones, and then it asks.

    Exit code 3: there was nothing to settle.
    """
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
    filters["recipient"] = dispatcher.transports.recipient(filters["recipient"])
    with dispatcher.reading() as known:
        if known is None:  # no reason to make a journal
            name = journal_name(dispatcher.journal)
            print_line(f"there is no journal {name} yet: nothing to settle", err=True)
            return ExitCode.NOTHING
    with dispatcher.writing("settle") as opened:
        found = named or _unknown(opened, filters)
        if by_filter and found and not yes:
            confirm(f"{counted(len(found), 'unknown message')} will count as {_word(sent)}. Go on?")
        why_not = partial(_why_not, dispatcher, opened, cache(partial(_defined, dispatcher)))
        return _settle(opened, found, sent, missing, why_not)


def _settle(
    journal: Journal,
    keys: Iterable[str],
    sent: bool,
    missing: bool,
    why_not: Callable[[str], str],
) -> int:
    """Settle all keys, even if output fails; return the exit code. Raises OutputError."""
    settled: list[bool] = []
    unwritten: OutputError | None = None
    for key in keys:
        settled.append(journal.settle(key, sent=sent) or (missing and journal.note_sent(key)))
        try:
            if settled[-1]:
                print_line(coloured("sent") if sent else _word(sent), f"  {key}")
            else:
                print_line(coloured("error"), f": {why_not(key)}", err=True)
        except OutputError as error:
            unwritten = error
    if not settled:
        print_line("no unknown message is like this; see: dispatcher history", err=True)
    if unwritten:
        raise unwritten
    return ExitCode.DONE if settled and all(settled) else ExitCode.NOTHING


def _why_not(
    dispatcher: Dispatcher, journal: Journal, defined: Callable[[], DefinedNames], key: str
) -> str:
    """Return why there is nothing to settle, and what the journal knows instead."""
    record = journal.lookup([key]).get(key)
    if record is not None:
        return f"{key} is not unknown, but {record.status}"
    meant, sentence, other = parsed(key), f"no message {key}", "; see: dispatcher history"
    if meant is None:
        sentence, other = f"{quoted(key)} is no key: {_FORM}", ", as history has them"
        meant = parsed(f"{DEFAULT}/{key}")  # the run may have been forgotten
    hints = _hints(dispatcher, journal, defined, meant) if meant is not None else []
    return "; ".join([sentence, *hints]) if hints else sentence + other


def _hints(
    dispatcher: Dispatcher, journal: Journal, defined: Callable[[], DefinedNames], key: Key
) -> list[str]:
    """Return what the journal knows that is near a key."""
    names = defined().former(MessageName(key.manifest, key.id))
    former = [str(key._replace(manifest=name.manifest, id=name.id)) for name in names]
    recipient = dispatcher.transports.recipient(key.recipient, quiet=True)
    near = journal.near_keys(key, former, [recipient] if recipient else [])
    said = {
        "the journal has it under its former name: {}": near.former,
        "did you mean {}?": near.alike,
        "the journal has it in another run or revision: {}": near.twins,
        "its recipient has: {}": near.others,
    }
    return [sentence.format(_named(keys)) for sentence, keys in said.items() if keys]


def _named(keys: list[Noted]) -> str:
    named = [f"{key} ({status})" for key, status in keys[:_NAMED]]
    return ", ".join(named if len(keys) <= _NAMED else [*named, f"{len(keys) - _NAMED} more"])


def _defined(dispatcher: Dispatcher) -> DefinedNames:
    """Return the names of all messages, as far as the manifests can be read."""
    with suppress(DispatcherError):
        return dispatcher.planner().defined
    return DefinedNames()


def _unknown(journal: Journal, filters: dict[str, str | None]) -> list[str]:
    return [row.key for row in journal.history(status=Status.UNKNOWN, **filters)]


def _keys_in(file: TextIO | None) -> list[str]:
    try:
        return [_key(written) for line in file or () if (written := line.strip())]
    except UnicodeDecodeError:
        name = getattr(file, "name", "the file")
        raise click.BadParameter(f"{name} is not UTF-8", param_hint="--from") from None


def _key(line: str) -> str:
    """Return the key that a line is, or that it has as a line of `history --json`."""
    with suppress(ValueError):
        row = json.loads(line) if line.startswith("{") else None
        if isinstance(row, dict) and isinstance(row.get("key"), str):
            return str(row["key"])
    return line


def _word(sent: bool) -> str:
    return "sent" if sent else "not sent"
