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
        message, upload = planned.message, planned.upload
        file = upload and (upload.sha256, upload.mime_type, upload.filename)
        return cls(hash(message.to), hash((message.to, message.transport, planned.digest, file)))


class People:
    """The copies of one message, in the order of the persons' hashes once it is `sorted`."""

    def __init__(self) -> None:
        self._persons = array("q")
        self._contents = array("q")

    @classmethod
    def joined(cls, parts: Sequence[People]) -> People:
        """Return the people of several messages together, each once."""
        if len(parts) == 1:
            return parts[0]
        together = cls()
        for each in parts:
            new = [copy for copy in each if copy.person not in together]
            for copy in new:
                together.add(copy)
            together.sort()
        return together

    def add(self, copy: Copy) -> None:
        """Add a copy."""
        self._persons.append(copy.person)
        self._contents.append(copy.content)

    def sort(self) -> None:
        """Sort the copies, so that they can be found."""
        order = sorted(range(len(self)), key=self._persons.__getitem__)
        for values in (self._persons, self._contents):
            values[:] = array("q", map(values.__getitem__, order))

    def content_of(self, person: int) -> int | None:
        """Return what a person gets, or None if that person gets nothing."""
        place = bisect_left(self._persons, person)
        found = place < len(self) and self._persons[place] == person
        return self._contents[place] if found else None

    def __len__(self) -> int:
        return len(self._persons)

    def __iter__(self) -> Iterator[Copy]:
        return map(Copy, self._persons, self._contents)

    def __contains__(self, person: int) -> bool:
        return self.content_of(person) is not None
