"""Who gets a message, and which content: sixteen bytes for each person, as there may be a million.

A recipient and a content are each a hash, the same for equal ones in one process.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from dispatcher.planning import PlannedMessage


class Copy(NamedTuple):
    """The hashes of a recipient, and of what that recipient gets."""

    person: int
    content: int

    @classmethod
    def of(cls, planned: PlannedMessage) -> Self:
        """Return the hashes of a planned message."""
        to = planned.message.to
        return cls(hash(to), hash((to, planned.content)))


class Table:
    """Numbers by hashes, found by bisection once they are sorted."""

    def __init__(self) -> None:
        self._keys = array("q")
        self._values = array("q")

    def add(self, key: int, value: int) -> None:
        """Add a number."""
        self._keys.append(key)
        self._values.append(value)

    def sort(self) -> None:
        """Sort it by the hashes."""
        order = sorted(range(len(self)), key=self._keys.__getitem__)
        for numbers in (self._keys, self._values):
            numbers[:] = array("q", map(numbers.__getitem__, order))

    def get(self, key: int) -> int | None:
        """Return the number of a hash, or None."""
        place = bisect_left(self._keys, key)
        found = place < len(self) and self._keys[place] == key
        return self._values[place] if found else None

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: int) -> bool:
        return self.get(key) is not None


class People(Table):
    """The contents of a message, by person."""

    @classmethod
    def joined(cls, parts: Sequence[People]) -> People:
        """Return the people of several messages together, each once."""
        if len(parts) == 1:
            return parts[0]
        together = cls()
        for each in parts:
            new = [copy for copy in each if copy.person not in together]
            for copy in new:
                together.add(*copy)
            together.sort()
        return together

    def __iter__(self) -> Iterator[Copy]:
        return map(Copy, self._keys, self._values)
