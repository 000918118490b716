"""Fault injection: the faults, the rules of /api/faults, and which rule applies to a request.

A new fault is one entry of FAULTS. Some respond instead of the gateway; the others let it handle
the request, and replace its response if it accepted.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple, cast

from pydantic import AfterValidator, BaseModel, Field, RootModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from dispatcher.sandbox.contract import META, Json, Refusal, Strict
from dispatcher.sandbox.openapi import Error
from dispatcher.sandbox.store import Count, Store

MESSAGES: Final = "/v1/messages"
BODILESS: Final = (204, 205, 304)
REDIRECTS: Final = (301, 302, 303, 307, 308)
LONGEST_DELAY: Final = 3600
# struct linger is two shorts on Windows, two ints elsewhere: switched on, for 0 seconds.
NO_LINGER: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
PROXY_PAGE: Final = (
    "<html><head><title>{0}</title></head><body><h1>{0} from a proxy</h1></body></html>\n"
)

Handler = Callable[[], Awaitable[Response]]


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One TCP connection; `used` once a request to /v1 came over it."""

    app_state: dict[str, Any]  # which uvicorn copies into the state of every request
    transport: asyncio.Transport
    used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "connection": self}

    @staticmethod
    def of(scope: Scope) -> Connection:
        """Return the connection over which a request came."""
        return cast(Connection, scope["state"]["connection"])


async def hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    """Close the connection without a response."""
    Connection.of(scope).transport.abort()
    await silence(scope, receive, send)


async def reset(scope: Scope, receive: Receive, send: Send) -> None:
    """Close the connection with an RST, as a socket does that must not linger (socket(7))."""
    raw = Connection.of(scope).transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    await hang_up(scope, receive, send)


async def silence(scope: Scope, receive: Receive, send: Send) -> None:
    """Send no response; return when the connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _redirected(rule: Rule, request: Request) -> ASGIApp:
    status = rule.status if rule.status in REDIRECTS else FAULTS["redirect"].status
    return Response(status_code=status, headers={"Location": f"/elsewhere{request.scope['path']}"})


def _without_id(request: Request) -> ASGIApp:
    kind = "messages" if request.scope["path"] == MESSAGES else "media"
    return Json({kind: [{}], "meta": META}, 201)


class Fault(NamedTuple):
    """What a fault responds: `instead` of the gateway, or `accepted` to what that has accepted.

    `reads` if that is after the whole request. `status` is the default of a rule.
    """

    instead: Callable[[Rule, Request], ASGIApp] | None = None
    accepted: Callable[[Request], ASGIApp] | None = None
    reads: bool = False
    status: int = 500


FAULTS: Final[Mapping[str, Fault]] = {
    "status": Fault(lambda rule, _: Json(Refusal(rule.code).body, rule.status)),
    "refuse": Fault(lambda rule, _: hang_up),
    "reset_before": Fault(lambda rule, _: reset, reads=True),
    "reset_after": Fault(accepted=lambda _: reset),
    "stall": Fault(accepted=lambda _: silence),
    "not_json": Fault(accepted=lambda _: PlainTextResponse("accepted", 201)),
    "no_id": Fault(accepted=_without_id),
    "html": Fault(
        lambda rule, _: HTMLResponse(PROXY_PAGE.format(rule.status), rule.status), status=502
    ),
    "redirect": Fault(_redirected, status=307),
    "delay": Fault(),
}


def _with_body(status: int) -> int:
    if status in BODILESS:
        raise ValueError
    return status


Status = Annotated[
    int,
    Field(ge=200, le=599, json_schema_extra={"not": {"enum": list(BODILESS)}}),
    AfterValidator(_with_body),
]
Seconds = Count | Annotated[float, Field(ge=0)]


class Rule(Strict, allow_inf_nan=False):
    """One fault to inject; `times` counts down to 0, None is without limit."""

    fault: str = Field(pattern=f"^({'|'.join(FAULTS)})$", description=f"one of {', '.join(FAULTS)}")
    path: str = Field(MESSAGES, pattern="^/", description="the start of a path")
    to: str | None = Field(None, description="a recipient or null")
    times: Count | None = Field(None, description="a whole number, 0 or more, or null")
    probability: float = Field(1.0, ge=0, le=1, description="a number from 0 to 1")
    status: Status = Field(500, description="an HTTP status from 200 to 599 that has a body")
    code: Count = Field(1010, description="a whole number, 0 or more")
    retry_after: Seconds | Annotated[str, Field(pattern="^[ -~]+$")] | None = Field(
        None, description="seconds, a printable string or null"
    )
    delay: float = Field(0, ge=0, le=LONGEST_DELAY, description=f"seconds, 0 to {LONGEST_DELAY}")

    def model_post_init(self, context: object) -> None:
        if "status" not in self.model_fields_set:
            self.status = FAULTS[self.fault].status

    async def matches(self, request: Request) -> bool:
        """Whether the rule applies; the request's body is read only if that depends on it."""
        if not request.scope["path"].startswith(self.path):
            return False
        return self.to is None or self.to == await _recipient(request)


async def _recipient(request: Request) -> object:
    """Return to whom a message shall go; what is no message has no recipient."""
    if request.scope["path"] != MESSAGES:
        return None
    try:
        return json.loads(await request.body())["to"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


class Rules(RootModel[list[Rule]]):
    """What `PUT /api/faults` takes."""


def rules_error(error: ValidationError) -> Error:
    """Return the response to invalid rules: the first mistake, with its rule and field."""
    first = error.errors(include_url=False)[0]
    location: list[Any] = [*first["loc"], None, None]
    index, field = location[:2]
    if first["type"] == "string_unicode":  # pydantic gives no location to such a field name
        field = first["input"]
    if index is None:
        reason = "the rules: must be a list of objects"
    elif field is None:
        reason = f"rule {index}: must be an object"
    else:
        reason = f"rule {index}: {mistake(first, field, Rule)}"
    return {"error": reason, "index": index, "field": field}


def mistake(error: ErrorDetails, field: str, model: type[BaseModel]) -> str:
    """Return what is wrong with a field, in the words of its description in the model."""
    if error["type"] == "missing":
        return f"{field}: is missing"
    if field not in model.model_fields:
        return f"{field}: unknown; there is {', '.join(model.model_fields)}"
    return f"{field}: must be {model.model_fields[field].description}"


class FaultInjector:
    """The rules in force; the first that matches a request applies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: list[Rule] = []

    def replace(self, rules: Iterable[Rule]) -> None:
        self._rules = list(rules)
        self._store.changes.notify()

    def view(self) -> list[dict[str, Any]]:
        """Return the rules with all defaults; `times` is how often each still applies."""
        return [rule.model_dump() for rule in self._rules]

    async def respond(self, request: Request, handle: Handler) -> ASGIApp:
        """Return the response to a request; `handle` is the gateway without a fault."""
        rule = await self._take(request)
        if rule is None:
            return await handle()
        self._store.stats.count("faults")
        answer = await _inject(rule, request, handle)
        if isinstance(answer, Response) and rule.retry_after is not None:
            answer.headers["Retry-After"] = str(rule.retry_after)
        return answer

    async def _take(self, request: Request) -> Rule | None:
        """Return the rule that applies to a request, if any, and decrease its `times`."""
        for rule in self._rules:
            is_meant = await rule.matches(request) and random.random() < rule.probability
            if is_meant and rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                    self._store.changes.notify()
                return rule
        return None


async def _inject(rule: Rule, request: Request, handle: Handler) -> ASGIApp:
    fault = FAULTS[rule.fault]
    if fault.reads:
        async for _ in request.stream():
            pass
    elif rule.delay and not fault.instead:
        await request.body()  # accepted even if the client gives up during the delay
    await asyncio.sleep(rule.delay)
    if fault.instead:
        return fault.instead(rule, request)
    response = await handle()
    if fault.accepted and response.status_code < 400:
        return fault.accepted(request)
    return response
