"""`dispatcher statuses`: notes what gateways say of messages that they have accepted before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import IO

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import journal_option, json_option, wait_option
from dispatcher.cli.output import coloured, print_json, print_line
from dispatcher.cli.session import invocation, session_options, wait_seconds
from dispatcher.errors import ExitCode, PluginError
from dispatcher.journal import NotedStatus
from dispatcher.models import DeliveryStatus

_AT_ONCE = 10_000  # statuses for which the journal is held once


@click.command("statuses")
@click.argument("file", required=False, type=click.File("rb"))
@click.option("--poll", is_flag=True, help="Ask the gateway, instead of reading what it posted.")
@wait_option
@journal_option
@json_option
@session_options
def command(
    dispatcher: Dispatcher, file: IO[bytes] | None, poll: bool, wait: str | None, as_json: bool
) -> int:
    """Note what the gateway says of messages after it has accepted them.

    FILE, or standard input, has what the gateway posted to a webhook: one body of JSON a line, of
    the gateway that --transport or the configuration names. The message counts as sent as before,
    and nobody gets it again because of this: history shows `sent (delivered)`, `sent (read)` or
    `sent (undelivered)`. The same may come again, and in any order.

    With an SQLite journal, no run may be sending meanwhile: exit code 6, or --wait.

    Exit code 2: some lines could not be read; the others are noted. 3: no message of the journal
    was among them.
    """
    if poll and file is not None:
        raise click.UsageError("either FILE or --poll")
    reader = _Reader(dispatcher, as_json, wait_seconds(wait))
    if poll:
        reader.note(dispatcher.statuses())
    else:
        statuses = reader.statuses(file or click.open_file("-", "rb"))
        while some := list(islice(statuses, _AT_ONCE)):
            reader.note(some)
    reader.print_summary()
    if reader.unreadable:
        return ExitCode.USAGE
    return ExitCode.DONE if reader.noted or reader.known else ExitCode.NOTHING


class _Reader:
    """Reads statuses, notes and prints them, and counts what became of each."""

    def __init__(self, dispatcher: Dispatcher, as_json: bool, wait: float) -> None:
        self._dispatcher, self._as_json, self._wait = dispatcher, as_json, wait
        self.noted = self.known = self.missing = self.ambiguous = self.unreadable = 0

    def statuses(self, file: IO[bytes]) -> Iterator[DeliveryStatus]:
        """Yield what all lines say; a line that cannot be read is counted, and printed."""
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                body = json.loads(line)
                if not isinstance(body, dict):
                    raise ValueError("it is no object")
                yield from self._dispatcher.statuses(body)
            except (ValueError, RecursionError) as error:
                self._failed(number, f"this is no webhook's body as JSON: {error}")
            except PluginError as error:
                self._failed(number, str(error))

    def _failed(self, number: int, why: str) -> None:
        self.unreadable += 1
        print_line(coloured("error"), f": line {number}: {why}", err=True)

    def note(self, statuses: list[DeliveryStatus]) -> None:
        """Note statuses in the journal, and print what is new."""
        found = self._dispatcher.note_statuses(statuses, wait=self._wait)
        new = [each for each in found.noted if each.new]
        self.noted += len(new)
        self.known += len(found.noted) - len(new)
        self.missing += found.missing
        self.ambiguous += found.ambiguous
        for each in new:
            self._print(each)

    def _print(self, noted: NotedStatus) -> None:
        key, (status, _, reason) = noted.key, noted.delivery
        settle = invocation(self._dispatcher).other("settle", key, "--sent")
        if self._as_json:
            advice = {"settle": settle} if noted.arrived else {}
            print_json("status", key=key, id=noted.id, **noted.delivery._asdict(), **advice)
        else:
            detail = "  ".join(filter(None, [noted.id, reason]))
            print_line(coloured(status, f"{status:11}"), f" {key}  {detail}")
        if noted.arrived:
            print_line(f"{key} is unknown, but one attempt is {status}: {settle}", err=True)

    def print_summary(self) -> None:
        """Print how many there were of each."""
        counts = {
            "noted": self.noted,
            "known": self.known,
            "missing": self.missing,
            "ambiguous": self.ambiguous,
        }
        if self._as_json:
            print_json("summary", **counts)
            return
        words = {
            "noted": "{} noted",
            "known": "{} known already",
            "missing": "{} of messages that this journal does not have",
            "ambiguous": "{} with an id that several messages have",
        }
        said = [words[name].format(count) for name, count in counts.items() if count]
        print_line(", ".join(said) or "nothing was said of any message", err=True)
