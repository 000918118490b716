"""To whom a payload goes: no plugin may change that once the transport has built it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from dispatcher.models import Payload, encode

# Where a field is, `("messages", 0, "to")`, and what it holds.
_Place: TypeAlias = tuple[str | int, ...]
Recipient: TypeAlias = Mapping[_Place, bytes]


def recipient_of(payload: Payload, names: Collection[str]) -> Recipient:
    """The fields of these names, at any depth."""
    found: dict[_Place, bytes] = {}
    rest: list[tuple[_Place, Any]] = [((), payload)]
    while rest:
        place, holder = rest.pop()
        items: Iterable[tuple[Any, Any]]
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            if key in names:  # no number of an item is a name
                found[*place, key] = encode({str(key): value})
            elif isinstance(value, (dict, list)):
                rest.append(((*place, key), value))
    return found


def changed_field(built: Recipient, now: Recipient) -> str | None:
    """The first field that is not as the transport built it, or stands anew at the top."""
    gone = (place for place in built if now.get(place) != built[place])
    added = (place for place in now if place not in built and len(place) == 1)
    return next((_shown(place) for places in (gone, added) for place in places), None)


def _shown(place: _Place) -> str:
    """As people write it: `messages[0].to`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")
