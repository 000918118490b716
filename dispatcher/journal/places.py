"""From which files manifests came: a name that comes from another file is another manifest's.

A table of its own, made when there is something to note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa  # noqa: TID253 - the command line imports the journal where it is used

from dispatcher.errors import JournalError
from dispatcher.journal.backend import Backend

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# `path`: relative to the configuration's folder, so that a clone elsewhere has the same.
places = sa.Table(
    "places",
    sa.MetaData(),
    sa.Column("manifest", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
)
_NAMES_AT_ONCE = 500
# Bytes. A row of a PostgreSQL index cannot have many more, and a warning is not worth a run.
_LONGEST_PATH = 2000


def lookup(connection: Connection, manifests: Iterable[str]) -> dict[str, set[str]]:
    """From which paths each of these manifests came, as far as it is noted."""
    found: dict[str, set[str]] = {}
    names = list(manifests)
    with _where_permitted(connection):
        if not sa.inspect(connection).has_table(places.name):
            return found
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = names[start : start + _NAMES_AT_ONCE]
            query = sa.select(places).where(places.c.manifest.in_(some))
            for row in connection.execute(query):
                found.setdefault(row.manifest, set()).add(row.path)
    return found


def note(connection: Connection, backend: Backend, paths: Mapping[str, str]) -> None:
    """Note the path of each manifest, beside those it had before."""
    known = lookup(connection, paths)
    new = [
        {"manifest": name, "path": path}
        for name, path in paths.items()
        if path not in known.get(name, ()) and len(path.encode()) <= _LONGEST_PATH
    ]
    if not new:
        return
    with _where_permitted(connection):
        if not sa.inspect(connection).has_table(places.name):
            backend.make_room(connection)  # of several runs, one makes it
            places.create(connection, checkfirst=True)
        connection.execute(backend.insert(places).on_conflict_do_nothing(), new)


@contextmanager
def _where_permitted(connection: Connection) -> Iterator[None]:
    """Around what a database's role may not be allowed to do: a warning is not worth a run."""
    with suppress(sa.exc.ProgrammingError, JournalError), connection.begin_nested():
        yield
