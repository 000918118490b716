"""When a message may leave: no faster than the account and its recipient allow."""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pyrate_limiter import Rate

from dispatcher.delivery.turns import BURST, SHORT, Turns, parsed, refill
from dispatcher.delivery.uploads import account
from dispatcher.journal.clock import steady
from dispatcher.transports import BoundTransport

# Seconds for which several turns may be held, and one used without a look whether the account is to
# pause meanwhile; far less than the burst allows. The longer where it takes long to take them: this
# share of the time may be spent on that.
_HOLD, _LONGEST_HOLD = 0.01, 0.025
_SHARE = 0.05


class Slot(NamedTuple):
    """When a message may leave, at its account or at its recipient: between these, by `steady`.

    One that leaves later leaves together with those whose slots come next.
    """

    start: float
    end: float


class _Kept(NamedTuple):
    """So many slots that start together and are not used yet; after `end`, they are not to be."""

    start: float
    end: float
    left: int


class Turn(NamedTuple):
    """Seconds until a message may leave, and the slots that were taken for it, by key."""

    wait: float
    slots: Mapping[str, Slot]


class Pace:
    """When the messages of this run may leave. `clock`: see `steady`."""

    def __init__(self, turns: Turns, clock: Callable[[], float] = steady) -> None:
        self._turns, self._clock = turns, clock
        self._lock = threading.Lock()
        self._hold = _HOLD
        self._kept: defaultdict[str, list[_Kept]] = defaultdict(list)

    def turn(self, transport: BoundTransport, to: str) -> Turn:
        """When a message to `to` may leave. What is further away than `SHORT` is not taken, and to
        be asked for again. Call it once for each attempt."""
        whole = account(transport)
        rates = {whole: _rate(transport)}
        if own := transport.recipient_rate:
            rates[f"{whole}/{to}"] = parsed(own)
        with self._lock:
            found = {key: self._kept_slot(key, rate, whole) for key, rate in rates.items()}
            slots = {key: slot for key, slot in found.items() if slot}
            missing = {key: rate for key, rate in rates.items() if key not in slots}
            wait = self._take(missing, slots) if missing else 0.0
            if wait > SHORT:
                self._keep(slots)
                return Turn(wait, {})
            start = max(slot.start for slot in slots.values())
            return Turn(max(0.0, start - self._clock()), slots)

    def is_late(self, turn: Turn) -> bool:
        """Whether a turn was not used in time: the process was frozen, or the machine suspended."""
        now = self._clock()
        return any(now > slot.end for slot in turn.slots.values())

    def give_back(self, turn: Turn) -> None:
        """Keep a turn that was not used for the run's next message, as far as it is not late."""
        with self._lock:
            self._keep(turn.slots)

    def pause(self, transport: BoundTransport, seconds: float) -> None:
        """Hold everything of a transport's account back for so long."""
        with self._lock:
            self._kept.pop(account(transport), None)
        self._turns.pause(account(transport), _rate(transport), seconds)

    def paused(self, transport: BoundTransport) -> float:
        """Seconds for which the account is held back; who waited for its turn has lost it then."""
        return self._turns.paused(account(transport))

    def _take(self, rates: Mapping[str, Rate], slots: dict[str, Slot]) -> float:
        """Take the slots that are missing. Seconds until the first of them, as `Turns.take`.

        What the rate allows while turns may be held is taken at once: where that is several, to
        keep account of each would take longer than they do.
        """
        began = self._clock()
        count = 1
        if not slots and len(rates) == 1:
            (rate,) = rates.values()
            count = max(1, round(rate.burst / BURST * self._hold))
        wait = self._turns.take(rates, SHORT, count)
        now = self._clock()
        self._hold = min(max(_HOLD, (now - began) / _SHARE), _LONGEST_HOLD)
        if wait <= SHORT:
            start = now + wait
            for key, rate in rates.items():
                slots[key] = _slot(start, rate)
                if count > 1:
                    heapq.heappush(self._kept[key], _Kept(start, start + self._hold, count - 1))
        return wait

    def _kept_slot(self, key: str, rate: Rate, whole: str) -> Slot | None:
        """One that was kept, unless the account has been told to pause since."""
        now, kept = self._clock(), self._kept[key]
        while kept:
            start, end, left = heapq.heappop(kept)
            if now > end:
                continue
            if key == whole and now > start + self._hold and self._turns.paused(whole):
                break
            if left > 1:
                heapq.heappush(kept, _Kept(start, end, left - 1))
            return _slot(start, rate)
        del self._kept[key]
        return None

    def _keep(self, slots: Mapping[str, Slot]) -> None:
        now = self._clock()
        for key, slot in slots.items():
            if now <= slot.end:
                heapq.heappush(self._kept[key], _Kept(*slot, left=1))


def _rate(transport: BoundTransport) -> Rate:
    return parsed(transport.rate)


def _slot(start: float, rate: Rate) -> Slot:
    """One that is late no more than is made good by the burst: what leaves late leaves together
    with what comes next."""
    return Slot(start, start + max(BURST, refill(rate) * rate.burst / 1e6))
