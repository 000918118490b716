"""A message of today and what it was: who stays, who is added, and who gets it no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dispatcher.diff.changes import SHOWN
from dispatcher.diff.people import Copy, People
from dispatcher.diff.side import Defined, Sample
from dispatcher.manifest.former_names import MessageName


class Pair:
    """A message of the present side, and those of the commit that it was, if there are any.

    `dropped` are former names of these that no message claims any more: copies that people have
    under one count for nothing now.
    """

    def __init__(
        self, now: Defined, before: list[Defined], dropped: Sequence[MessageName] = ()
    ) -> None:
        self.now, self.before, self.dropped = now, before, dropped
        self.people_before = People.joined([each.people for each in before])
        self.kept = self.altered = 0
        self.added: list[str] = []
        self.removed: list[str] = []
        self.sample: Sample | None = None
        self.sample_before: Sample | None = None

    def add(self, copy: Copy, to: str) -> bool:
        """Count a person; return whether that person's content is another one now."""
        content = self.people_before.get(copy.person)
        if content is None:
            if len(self.added) < SHOWN:
                self.added.append(to)
            return False
        self.kept += 1
        self.altered += content != copy.content
        return content != copy.content

    @property
    def added_count(self) -> int:
        """How many people get it who did not."""
        return len(self.now.people) - self.kept

    @property
    def removed_count(self) -> int:
        """How many people get it no more."""
        return len(self.people_before) - self.kept

    @property
    def differs(self) -> bool:
        """Whether anything is to be shown."""
        was = self.before[0] if self.before else None
        if was is None or self.altered or self.added_count or self.removed_count or self.dropped:
            return True
        return (was.name, was.said) != (self.now.name, self.now.said)

    @property
    def is_served(self) -> bool:
        """Whether nothing of the commit's side has to be looked up any more."""
        named = len(self.removed) == min(self.removed_count, SHOWN)
        return named and (self.sample is None or self.sample_before is not None)

    def look_at(self, to: str, sample: Callable[[], Sample]) -> None:
        """Take what is wanted of a copy of the commit's side."""
        if hash(to) not in self.now.people and len(self.removed) < SHOWN:
            self.removed.append(to)
        if self.sample is not None and self.sample.to == to:
            self.sample_before = sample()
