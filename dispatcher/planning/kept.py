"""The planned messages of a check, while they are few enough to be kept for what follows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from dispatcher.manifest.definitions import LoadedMessage
from dispatcher.planning.comparison import PlannedMessage

_MOST = 5000  # messages
_MOST_BYTES = 16 * 1024 * 1024  # of their payloads and variables


class KeptMessages:
    """Planned messages in order, in batches. As soon as they are too many, there are none.

    `samples` are the first message of each manifest, transport and kind of content: as it was
    loaded, and as it was planned.
    """

    def __init__(self) -> None:
        self.samples: list[tuple[LoadedMessage, PlannedMessage]] = []
        self._batches: deque[list[PlannedMessage]] = deque()
        self._kinds: set[tuple[str, str, str]] = set()
        self._vars: dict[str, Any] | None = None  # of the last message, which many may share
        self._count = self._bytes = 0
        self.complete = True

    def add(self, batch: list[PlannedMessage], loaded: list[LoadedMessage]) -> None:
        """Keep a batch, made of what was loaded, or drop all if there are too many by now."""
        if not self.complete:
            return
        self._count += len(batch)
        self._bytes += sum(map(self._size, batch))
        if self._count > _MOST or self._bytes > _MOST_BYTES:
            self.drop()
            return
        self._batches.append(batch)
        for planned in batch:
            message = planned.message
            kind = (message.manifest, message.transport, message.type)
            if kind not in self._kinds:
                self._kinds.add(kind)
                origin = next(each for each in loaded if each.message is message)
                self.samples.append((origin, planned))

    def drop(self) -> None:
        """Keep nothing, and nothing that is added later."""
        self.complete = False
        self.samples.clear()
        self._batches.clear()
        self._kinds.clear()
        self._vars = None

    def batches(self) -> Iterator[list[PlannedMessage]]:
        """Yield them all."""
        yield from self._batches

    def taken(self) -> Iterator[list[PlannedMessage]]:
        """Yield them all, once: a batch is dropped when it is given out."""
        batches, self._batches = self._batches, deque()
        self.drop()
        while batches:
            yield batches.popleft()

    def _size(self, planned: PlannedMessage) -> int:
        """Return about how much text a message holds. Its content is that of its payload."""
        size = 2 * len(planned.sealed) + len(planned.built or b"")
        if planned.message.vars is not self._vars:
            self._vars = planned.message.vars
            size += _text_size(self._vars.values())
        return size


def _text_size(values: Iterable[Any]) -> int:
    """Return about how much the values hold; they may be nested deeper than a function can call
    itself."""
    size, rest = 0, [*values]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
        else:
            size += len(value) if isinstance(value, str) else 8
    return size
