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
_Path: TypeAlias = tuple[str | int, ...]
Recipient: TypeAlias = Mapping[_Path, bytes]


class RecipientChanged(PluginError):
    """A plugin changed the recipient of a payload. The text is a problem of the message."""

    def __init__(self, plugin: PluginInfo, path: str) -> None:
        sentence = f'"{path}" of the payload says who gets the message, and is not to be changed'
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
    found: dict[_Path, bytes] = {}
    rest: list[tuple[_Path, Any]] = [((), payload)]
    while rest:
        path, holder = rest.pop()
        items: Iterable[tuple[Any, Any]]
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            if key in names:  # an index is never one of the names
                found[*path, key] = encode({str(key): value})
            elif isinstance(value, (dict, list)):
                rest.append(((*path, key), value))
    return found


def changed_field(built: Recipient, now: Recipient) -> str | None:
    """Return the first field that is not as the transport built it, or was added at the top."""
    gone = (path for path in built if now.get(path) != built[path])
    added = (path for path in now if path not in built and len(path) == 1)
    return next((_shown(path) for paths in (gone, added) for path in paths), None)


def _shown(path: _Path) -> str:
    """Return a path as people write it: `messages[0].to`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
