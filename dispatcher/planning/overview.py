"""Counts a plan before anything is sent: how many messages, to how many people, and which are left
out."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable

from dispatcher.keys import Key, parsed
from dispatcher.manifest.former_names import MessageName
from dispatcher.models import Status
from dispatcher.planning.comparison import PlannedMessage

# What a run always sends, besides what it was asked to send again.
SENDABLE: frozenset[Status] = frozenset({Status.NEW, Status.RETRY})

_MOST_AT_ONCE = 100_000  # people: as numbers in a set, each of them takes ten times the memory


class Overview:
    """The counted messages of a plan.

    `counts` are by status, `manifests` by manifest. `moved` counts the recipients of each
    of these messages; `was` is a former key of one. `found` are the messages that the
    journal has for any recipient. `transports` are the names of theirs.
    """

    def __init__(self) -> None:
        self.counts: Counter[Status] = Counter()
        self.manifests: Counter[str] = Counter()
        self.moved: Counter[MessageName] = Counter()
        self.was: dict[MessageName, Key] = {}
        self.found: set[MessageName] = set()
        self.transports: set[str] = set()
        self._people: dict[Status, array[int]] = {}

    def add(self, planned: PlannedMessage) -> None:
        """Count a message."""
        message, status = planned.message, planned.status
        self.counts[status] += 1
        self.transports.add(message.transport)
        self.manifests[message.manifest] += 1
        people = self._people.setdefault(status, array("q"))
        people.append(hash((message.transport, message.to)))  # there may be a million of them
        if status == Status.NEW:
            return
        name = MessageName(message.manifest, message.id)
        if planned.record is not None:
            self.found.add(name)
        if status == Status.MOVED:
            self.moved[name] += 1
            former = parsed(planned.was or "")
            if former is not None:
                self.was.setdefault(name, former)

    def to_send(self, resend: Collection[str] = ()) -> int:
        """Return how many messages leave: new, to retry, or with a status in `resend`."""
        return sum(self.counts[status] for status in SENDABLE.union(map(Status, resend)))

    def people(self, resend: Collection[str] = ()) -> int:
        """Return how many people get at least one of these."""
        chosen = SENDABLE.union(map(Status, resend))
        people = [self._people[status] for status in chosen if status in self._people]
        parts = 1 + sum(map(len, people)) // _MOST_AT_ONCE
        return sum(
            len({each for hashes in people for each in hashes if each % parts == part})
            for part in range(parts)
        )


def overview_of(plan: Iterable[PlannedMessage]) -> Overview:
    """Return the overview of a plan."""
    overview = Overview()
    for planned in plan:
        overview.add(planned)
    return overview
