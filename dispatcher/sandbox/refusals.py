"""The requests that the gateway refused, newest first, and why."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.sandbox.changes import ChangeNotifier
from dispatcher.sandbox.responses import Refusal

MOST: Final = 50
LONGEST_REQUEST: Final = 500
LONGEST_BODY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A request, the error that was answered, and how the body began, if it was read."""

    at: float
    request: str
    error: dict[str, Any]
    body: str


class Refusals:
    """Keeps the newest few; `total` counts all."""

    def __init__(self, clock: Callable[[], float], changes: ChangeNotifier) -> None:
        self.total = 0
        self._clock = clock
        self._changes = changes
        self._newest: deque[Refused] = deque(maxlen=MOST)

    def __iter__(self) -> Iterator[Refused]:
        return iter(self._newest)

    def add(self, request: str, refusal: Refusal, body: bytes) -> None:
        [error] = refusal.body()["errors"]
        text = body[:LONGEST_BODY].decode(errors="replace")
        self._newest.appendleft(Refused(self._clock(), request[:LONGEST_REQUEST], error, text))
        self.total += 1
        self._changes.notify()

    def clear(self) -> None:
        self.total = 0
        self._newest.clear()
        self._changes.notify()
