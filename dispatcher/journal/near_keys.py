"""What a journal knows that is near a key which it does not know.

Only the index of keys is asked, and for a bounded number of them: there may be millions. Databases
sort differently; whichever way one does, what is found is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.journal.queries import lookup
from dispatcher.journal.schema import messages
from dispatcher.keys import Key
from dispatcher.models import RecordStatus, Status
from dispatcher.visible import storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_RUNS = 20  # that are looked at, and manifests of a run, and ids of a manifest
_NAMES = 60  # manifest and id
_REVISIONS = 20  # of the same run
_FEW_REVISIONS = 5  # elsewhere
_ALIKE = 0.6  # as much as a name has to have in common with another that it is meant for
_DIGITS = "0123456789"
# In the order of every usual collation digits come right after the slash.
_AFTER_SLASH = "0"


class Noted(NamedTuple):
    """A key that the journal knows, and what it says of it."""

    key: str
    status: RecordStatus


class Near(NamedTuple):
    """Keys near another one. `former`: of the same message under a former name; `alike`: one that
    may have been meant; `twins`: of the same message in other runs or revisions; `others`: of other
    messages to the same recipient. The unknown ones come first."""

    former: list[Noted]
    alike: list[Noted]
    twins: list[Noted]
    others: list[Noted]


def near_keys(
    connection: Connection, key: Key, former: Sequence[str] = (), recipients: Iterable[str] = ()
) -> Near:
    """Find what is near a key. `former`: keys that the message had; `recipients`: how else its
    recipient may be called."""
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
    """The same message in other revisions and runs."""
    found = [key._replace(revision=str(number)) for number in range(1, _REVISIONS + 1)]
    for run in _parts(connection, ""):
        found += [key._replace(run=run, revision=each) for each in _few(key.revision)]
    return (each for each in found if each != key)


def _names(connection: Connection, key: Key) -> Iterator[Key]:
    """The same recipient of other messages of the run, those of the same manifest first."""
    manifests = _parts(connection, f"{key.run}/")
    manifests.sort(key=lambda name: _likeness(name, key.manifest), reverse=True)
    for manifest in manifests:
        for id in _parts(connection, f"{key.run}/{manifest}/"):
            if (manifest, id) != (key.manifest, key.id):
                yield key._replace(manifest=manifest, id=id)


def _few(revision: str) -> dict[str, None]:
    return dict.fromkeys([revision, *map(str, range(1, _FEW_REVISIONS + 1))])


def _parts(connection: Connection, before: str) -> list[str]:
    """The names that come next in keys which begin like this, the last ones by order.

    From one name the index leads to the next, whatever number of keys each of them has.
    """
    found: dict[str, None] = {}
    below = storable(before[:-1]) + _AFTER_SLASH if before else None
    prefix = storable(before)
    for _ in range(_RUNS):
        query = sa.select(messages.c.key).order_by(messages.c.key.desc()).limit(1)
        if below is not None:
            query = query.where(messages.c.key < below)
        last = connection.execute(query).scalar()
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
    """The numbers that differ by a digit which is wrong, missing, too many, or in another place."""
    if not number.isascii() or not number.isdigit() or len(number) > len(_DIGITS) * 2:
        return
    for place in range(len(number) + 1):
        before, after = number[:place], number[place:]
        yield from (f"{before}{digit}{after}" for digit in _DIGITS)
        if after:
            yield before + after[1:]
            yield from (f"{before}{digit}{after[1:]}" for digit in _DIGITS)
        if len(after) > 1:
            yield f"{before}{after[1]}{after[0]}{after[2:]}"
