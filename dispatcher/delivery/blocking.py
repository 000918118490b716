"""Who gets no more messages in this run, and from which place in the plan on."""

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


class _Block(NamedTuple):
    """What comes after a place in the plan is not sent, for this reason."""

    place: int
    why: Failure


class BlockedRecipients:
    """The recipients who get no more messages. May be used by any thread.

    Messages are told of in any order: the plan is read ahead of what is being sent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[_Lane, _Block] = {}

    def note(self, message: Message, place: int, outcome: Outcome, *, strict: bool) -> None:
        """Block what comes after a message that ended like this, if it is not to be sent then.

        `strict`: the manifest says `stop_on_failure`.
        """
        if outcome.error in (CLAIMED, CHANGING):
            self._block((message.to,), _Block(place, _ELSEWHERE))
        elif outcome.error == _LAPSED:
            self._block((message.to,), _Block(place, _LATE))
        elif strict and outcome.status in ("failed", "unknown"):
            self._block((message.to, message.manifest), _Block(place, _STOPPED))

    def reason(self, message: Message, place: int) -> Failure | None:
        """Why a message is not to be sent; None: it is."""
        lanes: list[_Lane] = [(message.to,), (message.to, message.manifest)]
        with self._lock:
            found = [self._blocks.get(lane) for lane in lanes]
        return next((block.why for block in found if block and block.place < place), None)

    def _block(self, lane: _Lane, block: _Block) -> None:
        with self._lock:
            self._blocks[lane] = min(
                block, self._blocks.get(lane, block), key=lambda each: each.place
            )
