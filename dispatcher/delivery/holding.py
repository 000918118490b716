"""Who gets no more in this run, and from which place in the plan on."""

from __future__ import annotations

import threading
from typing import NamedTuple, TypeAlias

from dispatcher.delivery.task import CHANGING, CLAIMED, Lapsed, failure
from dispatcher.models import Failure, Message, Outcome

# A recipient, or a recipient of one manifest.
_Lane: TypeAlias = tuple[str, ...]

_STOPPED = Failure(code="stop_on_failure", text="an earlier message to this recipient was not sent")
_ELSEWHERE = Failure(code="claimed", text="another run is at an earlier message to this recipient")
_LAPSED = failure(Lapsed())
_LATE = Failure(code="lease", text="this run stood still before an earlier message was sent")


class _Hold(NamedTuple):
    """What comes after a place in the plan is held, for this reason."""

    place: int
    why: Failure


class Holds:
    """The recipients who get no more. May be used by any thread.

    Messages are told of in any order: the plan is read ahead of what is being sent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holds: dict[_Lane, _Hold] = {}

    def note(self, message: Message, place: int, outcome: Outcome, *, strict: bool) -> None:
        """Hold what comes after a message that ended like this, if it is to be held.

        `strict`: the manifest says `stop_on_failure`.
        """
        if outcome.error in (CLAIMED, CHANGING):
            self._hold((message.to,), _Hold(place, _ELSEWHERE))
        elif outcome.error == _LAPSED:
            self._hold((message.to,), _Hold(place, _LATE))
        elif strict and outcome.status in ("failed", "unknown"):
            self._hold((message.to, message.manifest), _Hold(place, _STOPPED))

    def reason(self, message: Message, place: int) -> Failure | None:
        """Why a message is held; None: it is not."""
        lanes: list[_Lane] = [(message.to,), (message.to, message.manifest)]
        with self._lock:
            found = [self._holds.get(lane) for lane in lanes]
        return next((hold.why for hold in found if hold and hold.place < place), None)

    def _hold(self, lane: _Lane, hold: _Hold) -> None:
        with self._lock:
            self._holds[lane] = min(hold, self._holds.get(lane, hold), key=lambda each: each.place)
