"""Finds known keys that are near an unknown one.

Only the index of keys is read, and only a bounded number of them: there may be millions. Databases
sort differently, which may change what is found, but it always exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

from dispatcher.journal.connection import Connection
from dispatcher.journal.queries import lookup
from dispatcher.keys import Key
from dispatcher.models import RecordStatus, Status
from dispatcher.visible import storable

_RUNS = 20  # how many are read, also of the manifests of a run and of the ids of a manifest
_NAMES = 60  # pairs of manifest and id
_REVISIONS = 20  # of the same run
_FEW_REVISIONS = 5  # elsewhere
_ALIKE = 0.6  # how similar a name must be to the one that was meant
_DIGITS = "0123456789"
# In every usual collation, digits come right after the slash.
_AFTER_SLASH = "0"


class Noted(NamedTuple):
    """A key in the journal, and its status."""

    key: str
    status: RecordStatus


class Near(NamedTuple):
    """Keys near another one; in each group, those with an unknown outcome come first.

    `former` are keys of the same message under a former name, `alike` those that may have been
    meant, `twins` those of the same message in other runs or revisions, and `others` those of other
    messages to the same recipient.
    """

    former: list[Noted]
    alike: list[Noted]
    twins: list[Noted]
    others: list[Noted]


def near_keys(
    connection: Connection, key: Key, former: Sequence[str] = (), recipients: Iterable[str] = ()
) -> Near:
    """Find known keys near an unknown one.

    `former` are keys that the message had before, `recipients` other spellings of its recipient.
    """
    called = (key.recipient, *recipients, *_one_off(key.recipient))
    alike = [str(key._replace(recipient=each)) for each in called]
    others: list[str] = []
    for name in islice(_names(connection, key), _NAMES):
        found = [str(name._replace(revision=each)) for each in _few(key.revision)]
        (alike if _is_alike(name, key) else others).extend(found)
    groups = (former, alike, list(map(str, _twins(connection, key))), others)
    records = lookup(connection, [each for group in groups for each in group])
    return Near(
        *(
            sorted(
                (
                    Noted(record.key or each, record.status)
                    for each in dict.fromkeys(group)
                    if (record := records.get(each))
                ),
                key=lambda noted: noted.status != Status.UNKNOWN,
            )
            for group in groups
        )
    )


def _twins(connection: Connection, key: Key) -> Iterator[Key]:
    """Yield keys of the same message in other revisions and runs."""
    found = [key._replace(revision=str(number)) for number in range(1, _REVISIONS + 1)]
    for run in _parts(connection, ""):
        found += [key._replace(run=run, revision=each) for each in _few(key.revision)]
    return (each for each in found if each != key)


def _names(connection: Connection, key: Key) -> Iterator[Key]:
    """Yield keys of other messages of the run to the same recipient, similar manifests first."""
    manifests = _parts(connection, f"{key.run}/")
    manifests.sort(key=lambda name: _likeness(name, key.manifest), reverse=True)
    for manifest in manifests:
        for id in _parts(connection, f"{key.run}/{manifest}/"):
            if (manifest, id) != (key.manifest, key.id):
                yield key._replace(manifest=manifest, id=id)


def _few(revision: str) -> dict[str, None]:
    return dict.fromkeys([revision, *map(str, range(1, _FEW_REVISIONS + 1))])


def _parts(connection: Connection, before: str) -> list[str]:
    """Return the names that follow `before` in keys, the last ones in order.

    One query of the index leads from each name to the next, however many keys a name has.
    """
    found: dict[str, None] = {}
    below = storable(before[:-1]) + _AFTER_SLASH if before else None
    prefix = storable(before)
    for _ in range(_RUNS):
        last: str | None = (
            connection.value("SELECT key FROM messages ORDER BY key DESC LIMIT 1")
            if below is None
            else connection.value(
                "SELECT key FROM messages WHERE key < :below ORDER BY key DESC LIMIT 1",
                below=below,
            )
        )
        if last is None or not last.startswith(prefix):
            break
        name = last.removeprefix(prefix).partition("/")[0]
        found.setdefault(name)
        below = f"{prefix}{name}/"
    return list(found)


def _is_alike(name: Key, key: Key) -> bool:
    return _likeness(f"{name.manifest}/{name.id}", f"{key.manifest}/{key.id}") >= _ALIKE


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _one_off(number: str) -> Iterator[str]:
    """Yield numbers with one digit changed, removed or added, or two neighbours swapped."""
    if not number.isascii() or not number.isdigit() or len(number) > len(_DIGITS) * 2:
        return
    for index in range(len(number) + 1):
        before, after = number[:index], number[index:]
        yield from (f"{before}{digit}{after}" for digit in _DIGITS)
        if after:
            yield before + after[1:]
            yield from (f"{before}{digit}{after[1:]}" for digit in _DIGITS)
        if len(after) > 1:
            yield f"{before}{after[1]}{after[0]}{after[2:]}"
