"""The way of every /v1 request: count it, let a fault act, check token and size, do the work."""

import json
import secrets
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.sandbox.answers import Json
from dispatcher.sandbox.call import Call, Gone
from dispatcher.sandbox.connection import Connection, connection_of
from dispatcher.sandbox.counts import Counts
from dispatcher.sandbox.errors import Refusal
from dispatcher.sandbox.faults import Faults
from dispatcher.sandbox.misbehaviour import Handler, misbehave
from dispatcher.sandbox.refusals import Refusals


@dataclass
class Door:
    """What all /v1 requests pass; `token`: the one that is asked for (None: any)."""

    faults: Faults
    counts: Counts
    refusals: Refusals
    token: str | None

    def authorize(self, header: str | None) -> None:
        """Raises Refusal 1040 or 1041 unless the header is `Bearer` and a valid token.

        Source: docs/greenapi-v1.md, "Error codes".
        """
        if header is None:
            raise Refusal(1040)
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or not token or not self._is_valid(token):
            raise Refusal(1041)

    def _is_valid(self, token: str) -> bool:
        return self.token is None or secrets.compare_digest(token.encode(), self.token.encode())


@dataclass
class Endpoint:
    """One /v1 route as an ASGI application: what it does, its count, and its largest body."""

    door: Door
    handle: Handler
    counted: str
    largest: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive, self.largest)
        self._count(connection_of(scope))
        try:
            answer = await self._answer(call)
        except Refusal as refusal:
            self.door.refusals.add(f"{scope['method']} {call.path}", refusal, call.seen)
            answer = Json(refusal.body(), 400)
        except Gone:
            return
        await answer(scope, receive, send)

    def _count(self, connection: Connection) -> None:
        self.door.counts[self.counted] += 1
        if not connection.used:
            connection.used = True
            self.door.counts["connections"] += 1

    async def _answer(self, call: Call) -> ASGIApp:
        faults = self.door.faults
        to = await _recipient(call) if faults.need_recipient(call.path) else None
        rule = faults.take(call.path, to)
        if rule is None:
            return await self._work(call)
        self.door.counts["faults"] += 1
        return await misbehave(rule, call, self._work)

    async def _work(self, call: Call) -> Response:
        self.door.authorize(call.header(b"authorization"))
        call.check_length()
        return await self.handle(call)


async def _recipient(call: Call) -> str | None:
    try:
        to = json.loads(await call.body())["to"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return to if isinstance(to, str) else None
