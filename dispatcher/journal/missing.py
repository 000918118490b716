"""What a journal no longer knows, since it went back in time, by a person's word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.journal import queries
from dispatcher.journal.attempts import storable, timestamp
from dispatcher.journal.schema import messages
from dispatcher.models import Status

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def note_sent(connection: Connection, insert: Callable[..., Any], key: str, now: datetime) -> bool:
    """Note that a message was sent of which nothing is known, or that it failed.

    False: it is known to be something else, or this is no key. Nobody knows with which words it
    was sent: it counts as changed since.
    """
    match key.split("/"):
        case [run, manifest, message, revision, recipient] if revision.isdigit() and recipient:
            names = {"run": run, "manifest": manifest, "message": message, "recipient": recipient}
        case _:
            return False
    spelt = storable(queries.noted_as(connection, key))
    sent = {
        "status": Status.SENT,
        "changed_at": timestamp(now),
        "receipt": None,
        "error_code": None,
        "error_text": None,
        "not_before": None,
        "digest": "",
    }
    values = {name: storable(value) for name, value in names.items()}
    statement = insert(messages).values(key=spelt, **values, **sent, transport="", attempts=1)
    failed = messages.c.status == sa.literal_column("'failed'")
    upsert = statement.on_conflict_do_update(index_elements=["key"], set_=sent, where=failed)
    return connection.execute(upsert.returning(messages.c.key)).first() is not None
