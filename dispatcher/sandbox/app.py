"""All of it in one ASGI application."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from dispatcher.sandbox.api import Api, show_error
from dispatcher.sandbox.changes import ChangeNotifier, Events
from dispatcher.sandbox.counts import Counts
from dispatcher.sandbox.faults import FaultInjector
from dispatcher.sandbox.gateway import Gateway
from dispatcher.sandbox.guard import LOCAL_HOSTS, Guard
from dispatcher.sandbox.inbox.pages import Inbox
from dispatcher.sandbox.media import MediaStore
from dispatcher.sandbox.messages import Messages
from dispatcher.sandbox.refusals import Refusals
from dispatcher.sandbox.storage import Storage


def create_app(
    folder: Path,
    token: str | None = None,
    max_messages: int = 10_000,
    hosts: Collection[str] = (),
    clock: Callable[[], float] = time.time,
    storage: Storage | None = None,
) -> ASGIApp:
    """A gateway that has heard nothing yet.

    `folder` holds the uploads, `token` is the only valid one (None: any), `hosts` are names of this
    server beside the local ones, `clock` tells the time as `time.time` does, `storage` keeps the
    messages and what is known of the uploads. To be served by `dispatcher.sandbox.server`, whose
    protocol hands every request its connection.
    """
    changes, counts = ChangeNotifier(), Counts()
    messages = Messages(max_messages, clock, changes, storage)
    media = MediaStore(folder, clock, storage)
    faults, refusals = FaultInjector(changes), Refusals(clock, changes)
    gateway = Gateway(messages, media, faults, counts, refusals, token)
    api = Api(messages, media, faults, counts, refusals)
    inbox = Inbox(messages, media, faults, refusals, Events(changes))
    app = Starlette(
        routes=[*gateway.routes(), *api.routes(), *inbox.routes()],
        exception_handlers={HTTPException: show_error},
    )
    app.router.redirect_slashes = False  # the gateway's paths have one form
    return Guard(app, (*LOCAL_HOSTS, *hosts))
