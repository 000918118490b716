"""What `plan` and `send` say before anything is sent, and what `send` asks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NamedTuple

from dispatcher.api import Dispatcher, Plan, Resend
from dispatcher.cli.output import confirm, counted, on_terminal, persons, print_json, print_line
from dispatcher.config import shown_journal
from dispatcher.errors import DispatcherError, JournalMissing
from dispatcher.models import Status
from dispatcher.planning.overview import Overview
from dispatcher.printing import without_secrets
from dispatcher.redaction import without_password

_RISKS: dict[Resend, tuple[str, str]] = {  # of one message, and of several
    "changed": ("was sent before with other content", "were sent before with other content"),
    "moved": ("is there already, under another name", "are there already, under other names"),
    "unknown": ("may have arrived, and then arrives twice", "may have arrived, and arrive twice"),
}
_LEFT_OUT = (Status.CHANGED, Status.MOVED, Status.UNKNOWN)
_DIGEST = re.compile("[0-9a-f]{32,}")
_SHOWN = 8  # characters of a digest


class Gateway(NamedTuple):
    """A gateway in use. `account` distinguishes it from others, and does not show its token."""

    transport: str
    url: str | None
    account: str | None
    local: bool

    def __str__(self) -> str:
        at = f" at {self.url}" if self.url else ""
        account = f", account {self.account}" if self.account else ""
        return f"{self.transport}{at}{account}"


def announce(
    dispatcher: Dispatcher, plan: Plan, resend: Collection[Resend] = (), *, as_json: bool = False
) -> None:
    """Print how much would be sent by which gateways: on stderr, or as a JSON object."""
    overview, gateways = plan.overview, list(_gateways(dispatcher))
    journal = without_secrets(without_password(dispatcher.journal))
    if as_json:
        print_json(
            "start",
            gateways=[each._asdict() for each in gateways],
            profile=dispatcher.config.profile,
            journal=journal,
            messages=overview.to_send(resend),
            people=overview.people(resend),
            **{status: overview.counts[status] for status in (Status.RETRY, *_LEFT_OUT)},
        )
        return
    profile = f"profile {dispatcher.config.profile}, " if dispatcher.config.profile else ""
    for each in gateways:
        print_line(str(each), err=True)
    print_line(f"{profile}journal {shown_journal(journal)}", err=True)
    print_line(f"to send: {_amount(overview, resend)}", err=True)


def ask_to_begin(missing: JournalMissing) -> None:
    """Ask a person whether to begin a journal. Raises the error if nobody can be asked."""
    if not on_terminal():
        raise missing
    fact, *ways = missing.sentences
    for line in ways[1:]:
        print_line(line, err=True)
    confirm(f"{fact}. {missing.question}")


def ask(dispatcher: Dispatcher, plan: Plan, resend: Collection[Resend]) -> None:
    """Ask a person to confirm second copies and, on a terminal, all that leaves this machine.

    Raises click.Abort, or UsageError if there are second copies and nobody can be asked.
    """
    counts = plan.overview.counts
    copies = [
        f"{counted(count, 'message')} {_RISKS[status][count > 1]}"
        for status in sorted(resend)
        if (count := counts[Status(status)])
    ]
    for each in copies:
        confirm(f"{each}. Send again?")
    if not copies and plan.overview.to_send() and on_terminal() and not _all_local(dispatcher):
        confirm(f"Send {_amount(plan.overview, resend)}?")


def _amount(overview: Overview, resend: Collection[Resend]) -> str:
    """Return how many messages leave, to how many people, and how many are left out."""
    people = overview.people(resend)
    amount = f"{counted(overview.to_send(resend), 'message')} to {persons(people)}"
    again = overview.counts[Status.RETRY]
    left_out = [
        f"{overview.counts[status]} {status}"
        for status in _LEFT_OUT
        if overview.counts[status] and status not in resend
    ]
    more = [f"{again} again after a failure"] if again else []
    more += [f"not {' and '.join(left_out)}"] if left_out else []
    return f"{amount} ({', '.join(more)})" if more else amount


def _all_local(dispatcher: Dispatcher) -> bool:
    return all(each.local for each in _gateways(dispatcher))


def _gateways(dispatcher: Dispatcher) -> Iterator[Gateway]:
    for each in dispatcher.transports.used:
        account = None
        with suppress(DispatcherError):  # without a token, nobody knows it
            account = _short(each.account)
        yield Gateway(each.name, without_secrets(each.gateway or "") or None, account, each.local)


def _short(account: str) -> str | None:
    if _DIGEST.fullmatch(account):
        return account[:_SHOWN]
    return without_secrets(account) or None
