"""All of it in one ASGI application."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.sandbox.api import Api, show_error
from dispatcher.sandbox.bell import Bell
from dispatcher.sandbox.counts import Counts
from dispatcher.sandbox.endpoint import Door
from dispatcher.sandbox.faults import Faults
from dispatcher.sandbox.gateway import Gateway
from dispatcher.sandbox.guard import LOCAL_HOSTS, Guard
from dispatcher.sandbox.inbox.events import Events
from dispatcher.sandbox.inbox.pages import Inbox
from dispatcher.sandbox.inbox.uploads import Uploads
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
    bell, counts = Bell(), Counts()
    messages = Messages(max_messages, clock, bell, storage)
    media = MediaStore(folder, clock, storage)
    faults, refusals = Faults(bell=bell), Refusals(clock, bell)
    gateway = Gateway(Door(faults, counts, refusals, token), messages, media)
    api = Api(messages, media, faults, counts, refusals)
    inbox = Inbox(messages, Uploads(media), faults, refusals, Events(bell))
    endpoints = gateway.endpoints()
    routes = [
        Route(path, endpoint, methods=[method]) for (method, path), endpoint in endpoints.items()
    ]
    routed = Starlette(
        routes=[*routes, *api.routes(), *inbox.routes()],
        exception_handlers={HTTPException: show_error},
    )
    routed.router.redirect_slashes = False  # the gateway's paths have one form
    return Guard(Shortcut(endpoints, routed), (*LOCAL_HOSTS, *hosts))


@dataclass
class Shortcut:
    """Finds the gateway's fixed paths at once; routing would take a third of the time of a post."""

    endpoints: Mapping[tuple[str, str], ASGIApp]
    routed: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        endpoint = None if "{" in path else self.endpoints.get((scope["method"], path))
        await (endpoint or self.routed)(scope, receive, send)
