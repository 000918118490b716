"""The sandbox as one ASGI application, and serving it."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from dispatcher.local_server import LOCAL_HOSTS, Guard, listen, run, url_of
from dispatcher.sandbox.api import Api, show_error
from dispatcher.sandbox.faults import Connection, FaultInjector
from dispatcher.sandbox.gateway import Gateway
from dispatcher.sandbox.inbox.pages import Inbox
from dispatcher.sandbox.media import MediaStore
from dispatcher.sandbox.store import Database, Store


def create_app(
    database: Database,
    token: str | None = None,
    max_messages: int = 10_000,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Return the sandbox with the messages and uploads of this database.

    It must be served with the protocol `Connection`, which faults break.
    Raises CannotStore if the database has what the sandbox cannot have written.
    """
    store, media = Store(database, max_messages, clock), MediaStore(database, clock)
    faults = FaultInjector(store)
    parts = (
        Gateway(store, media, faults, token),
        Api(store, media, faults),
        Inbox(store, media, faults),
    )
    app = Starlette(
        routes=[route for part in parts for route in part.routes()],
        exception_handlers={HTTPException: show_error},
    )
    app.router.redirect_slashes = False  # the gateway's paths have one form
    return app


def serve(
    host: str,
    port: int,
    token: str | None,
    max_messages: int,
    on_ready: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.time,
    storage: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; call `on_ready` with the URL as soon as it does.

    Port 0 takes a free one; `token` is the only valid one (None: any); the newest `max_messages`
    are kept, in the file `storage` if there is one, with the uploads beside it; `clock` returns the
    time as `time.time` does. Raises OSError if it cannot listen there, CannotStore if it cannot use
    the file.
    """
    with listen(host, port) as listener, closing(Database(storage)) as database:
        app = create_app(database, token, max_messages, clock)
        guarded = Guard(app, (*LOCAL_HOSTS, host.lower()), api="/v1/")
        run(guarded, listener, lambda: on_ready(url_of(listener, host)), Connection)
