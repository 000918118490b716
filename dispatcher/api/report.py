"""What became of a run: how many of each message were sent, and why others were not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, get_args

from dispatcher.models import DeliveryState, Failure, Status
from dispatcher.names import canonical_name

if TYPE_CHECKING:
    from dispatcher.journal import HistoryRow

STATUSES = (Status.SENT, Status.FAILED, Status.UNKNOWN, Status.SENDING)
LATER: tuple[str, ...] = get_args(DeliveryState)


@dataclass
class Tally:
    """To how many people a message was sent, how often it failed, and what gateways said later.

    `id` is the message's in its manifest. `counts` has numbers by the names in `STATUSES`, which
    make up `tried`, and in `LATER`, of which each has at most one: what the gateway
    said last. `attempts` are those of all together. Each has a last change; the earliest of these
    was at `first_change`, the latest at `last_change`, UTC, ISO 8601.
    """

    manifest: str
    id: str
    transport: str
    counts: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    first_change: str = ""
    last_change: str = ""

    @property
    def tried(self) -> int:
        """Of how many the journal knows: what a run has not come to yet is not among them."""
        return sum(self.counts[status] for status in STATUSES)

    def add(self, row: HistoryRow) -> None:
        """Count a row; they must come in the order of their last changes. Raises JournalError."""
        number = row.attempts
        if row.status not in STATUSES or not (isinstance(number, int) and number > 0):
            from dispatcher.journal.queries import changed_by_hand

            raise changed_by_hand(row.key, f"status is {row.status!r}, attempts is {number!r}")
        self.counts[row.status] += 1
        if row.delivery is not None:
            self.counts[row.delivery.status] += 1
        self.attempts += number
        self.first_change = self.first_change or row.changed_at
        self.last_change = row.changed_at


@dataclass(frozen=True)
class Reason:
    """Why messages are `failed`, `unknown` or `undelivered`, and how many have this reason.

    The words of the `error` are about the first of them, to this `recipient`.
    """

    status: str
    error: Failure
    count: int
    recipient: str


class Report:
    """What became of a run's messages: `messages` by manifest and id, and the `reasons`.

    Only what was tried is in it: the journal does not know what a run has not come to yet. It is
    false if there is nothing. `other_runs` are the names of the others, the last one first.
    """

    def __init__(
        self, run: str, rows: Iterable[HistoryRow] = (), other_runs: Sequence[str] = ()
    ) -> None:
        self.run, self.other_runs = run, other_runs
        tallies: dict[tuple[str, str, str], Tally] = {}
        counts: Counter[tuple[str, ...]] = Counter()
        first: dict[tuple[str, ...], tuple[Failure, str]] = {}
        for row in rows:
            name = (canonical_name(row.manifest), canonical_name(row.message), row.transport)
            tallies.setdefault(name, Tally(*name)).add(row)
            for status, error in _reasons(row):
                # What a gateway says with a code may quote what is different in each message.
                words = (row.transport, error.code) if error.code else (error.text,)
                counts[status, *words] += 1
                first.setdefault((status, *words), (error, row.recipient))
        self.messages = [tallies[name] for name in sorted(tallies)]
        self.reasons = [
            Reason(alike[0], error, count, recipient)
            for alike, count in counts.most_common()
            for error, recipient in [first[alike]]
        ]

    def __bool__(self) -> bool:
        return bool(self.messages)

    @cached_property
    def total(self) -> Tally:
        """Return the counts of all messages together."""
        return _together(self.messages, self.run)

    def by_message(self) -> list[Tally]:
        """Return the counts of each message, by whatever transports it was sent."""
        return [
            _together(list(each), *name)
            for name, each in groupby(self.messages, attrgetter("manifest", "id"))
        ]

    def by_manifest(self) -> list[Tally]:
        """Return the counts of each manifest."""
        manifests = groupby(self.messages, attrgetter("manifest"))
        return [_together(list(messages), name) for name, messages in manifests]


def _reasons(row: HistoryRow) -> Iterator[tuple[str, Failure]]:
    if row.error is not None and row.status in (Status.FAILED, Status.UNKNOWN):
        yield row.status, row.error
    if row.delivery is not None and row.delivery.status == "undelivered" and row.delivery.reason:
        yield row.delivery.status, Failure(code=None, text=row.delivery.reason)


def _together(tallies: Sequence[Tally], manifest: str, id: str = "") -> Tally:
    counts: Counter[str] = Counter()
    for each in tallies:
        counts.update(each.counts)
    return Tally(
        manifest,
        id,
        transport="",
        counts=counts,
        attempts=sum(each.attempts for each in tallies),
        first_change=min((each.first_change for each in tallies), default=""),
        last_change=max((each.last_change for each in tallies), default=""),
    )
