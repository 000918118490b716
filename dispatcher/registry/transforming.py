"""Lets plugins transform a payload, except for its recipient."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from dispatcher import plugin_results
from dispatcher.errors import PluginError
from dispatcher.models import Message, Payload, decode, encode

if TYPE_CHECKING:
    from dispatcher.registry.loading import PluginInfo
    from dispatcher.registry.plugin_calls import Implementation

# The path of a field, `("messages", 0, "to")`, and what it holds.
_Place: TypeAlias = tuple[str | int, ...]
Recipient: TypeAlias = Mapping[_Place, bytes]


class RecipientChanged(PluginError):
    """A plugin changed the recipient of a payload. The text is a problem of the message."""

    def __init__(self, plugin: PluginInfo, place: str) -> None:
        sentence = f'"{place}" of the payload says who gets the message, and is not to be changed'
        super().__init__(f"{sentence} ({plugin.name})")


def transformed(each: Implementation, sealed: bytes, message: Message) -> bytes:
    """Return the sealed payload as one plugin has changed it.

    It is sealed at once, before anything else can change it.
    """
    payload = decode(sealed)

    def check(result: object) -> bytes:
        plugin_results.require_nothing(result)
        return plugin_results.sealed(payload)

    return each.call(check, {"payload": payload, "message": message})


def recipient_of(payload: Payload, names: Collection[str]) -> Recipient:
    """Return the fields of these names, at any depth."""
    found: dict[_Place, bytes] = {}
    rest: list[tuple[_Place, Any]] = [((), payload)]
    while rest:
        place, holder = rest.pop()
        items: Iterable[tuple[Any, Any]]
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            if key in names:  # an index is never one of the names
                found[*place, key] = encode({str(key): value})
            elif isinstance(value, (dict, list)):
                rest.append(((*place, key), value))
    return found


def changed_field(built: Recipient, now: Recipient) -> str | None:
    """Return the first field that is not as the transport built it, or was added at the top."""
    gone = (place for place in built if now.get(place) != built[place])
    added = (place for place in now if place not in built and len(place) == 1)
    return next((_shown(place) for places in (gone, added) for place in places), None)


def _shown(place: _Place) -> str:
    """Return a path as people write it: `messages[0].to`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")
