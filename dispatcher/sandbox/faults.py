"""Fault injection: the faults, the rules of /api/faults, and which rule applies to a request.

A new fault is one entry of FAULTS. Some respond instead of the gateway; the others let it handle
the request, and replace its response if it accepted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.sandbox.contract import META, Json, Refusal
from dispatcher.sandbox.openapi import Error
from dispatcher.sandbox.server import Connection
from dispatcher.sandbox.store import Changes

MESSAGES: Final = "/v1/messages"
BODILESS: Final = (204, 205, 304)
REDIRECTS: Final = (301, 302, 303, 307, 308)
LONGEST_DELAY: Final = 3600
PROXY_PAGE: Final = (
    "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>proxy</body></html>\n"
)

Handler = Callable[[], Awaitable[Response]]


async def hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    """Close the connection without a response."""
    Connection.of(scope).close()
    await silence(scope, receive, send)


async def reset(scope: Scope, receive: Receive, send: Send) -> None:
    """Reset the connection without a response."""
    Connection.of(scope).reset()
    await silence(scope, receive, send)


async def silence(scope: Scope, receive: Receive, send: Send) -> None:
    """Send no response; return when the connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _status(rule: Rule, request: Request) -> ASGIApp:
    return Json(Refusal(rule.code).body(), rule.status)


async def _refuse(rule: Rule, request: Request) -> ASGIApp:
    return hang_up


async def _reset_before(rule: Rule, request: Request) -> ASGIApp:
    async for _ in request.stream():
        pass
    return reset


async def _html(rule: Rule, request: Request) -> ASGIApp:
    return HTMLResponse(PROXY_PAGE.format(f"{rule.status} from a proxy"), rule.status)


async def _redirect(rule: Rule, request: Request) -> ASGIApp:
    status = rule.status if rule.status in REDIRECTS else FAULTS["redirect"].status
    return Response(status_code=status, headers={"Location": f"/elsewhere{request.scope['path']}"})


def _no_id(request: Request, accepted: Response) -> ASGIApp:
    kind = "media" if request.scope["path"].startswith("/v1/media") else "messages"
    return Json({kind: [{}], "meta": META}, 201)


class Fault(NamedTuple):
    """What a fault does, either before or after the gateway handles the request.

    `instead` responds instead of the gateway; `accepted` replaces the response to an accepted
    request. `status` is the default of a rule.
    """

    instead: Callable[[Rule, Request], Awaitable[ASGIApp]] | None = None
    accepted: Callable[[Request, Response], ASGIApp] = lambda request, accepted: accepted
    status: int = 500


FAULTS: Final[Mapping[str, Fault]] = {
    "status": Fault(_status),
    "refuse": Fault(_refuse),
    "reset_before": Fault(_reset_before),
    "reset_after": Fault(accepted=lambda request, accepted: reset),
    "stall": Fault(accepted=lambda request, accepted: silence),
    "not_json": Fault(accepted=lambda request, accepted: PlainTextResponse("accepted", 201)),
    "no_id": Fault(accepted=_no_id),
    "html": Fault(_html, status=502),
    "redirect": Fault(_redirect, status=307),
    "delay": Fault(),
}


def _known(name: str) -> str:
    if name not in FAULTS:
        raise ValueError
    return name


def _with_body(status: int) -> int:
    if status in BODILESS:
        raise ValueError
    return status


Count = Annotated[int, Field(ge=0)]
Seconds = Count | Annotated[float, Field(ge=0)]
FaultName = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": list(FAULTS)})]
Status = Annotated[
    int,
    Field(ge=200, le=599, json_schema_extra={"not": {"enum": list(BODILESS)}}),
    AfterValidator(_with_body),
]


class Rule(BaseModel):
    """One fault to inject; `times` counts down to 0, None is without limit."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    fault: FaultName = Field(description=f"one of {', '.join(FAULTS)}")
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

    def concerns(self, path: str) -> bool:
        return self.times != 0 and path.startswith(self.path)


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
        reason = f"rule {index}: {field}: {mistake(first, str(field), Rule)}"
    return {"error": reason, "index": index, "field": field}


def mistake(error: ErrorDetails, field: str, model: type[BaseModel]) -> str:
    """Return what is wrong with a field, in the words of its description in the model."""
    if error["type"] == "missing":
        return "is missing"
    if field not in model.model_fields:
        return f"unknown; there is {', '.join(model.model_fields)}"
    return f"must be {model.model_fields[field].description}"


class FaultInjector:
    """The rules in force; the first that matches a request applies."""

    def __init__(self, changes: Changes, chance: Callable[[], float] = random.random) -> None:
        self._changes = changes
        self._chance = chance
        self._rules: list[Rule] = []

    def replace(self, rules: Iterable[Rule]) -> None:
        self._rules = list(rules)
        self._changes.notify()

    def view(self) -> list[dict[str, Any]]:
        """Return the rules with all defaults; `times` is how often each still applies."""
        return [rule.model_dump() for rule in self._rules]

    def need_recipient(self, path: str) -> bool:
        """Whether a rule depends on the recipient, which is in the body; only messages have one."""
        if path != MESSAGES:
            return False
        return any(rule.to is not None and rule.concerns(path) for rule in self._rules)

    def take(self, path: str, to: str | None) -> Rule | None:
        """Return the rule that applies to this request, if any, and decrease its `times`."""
        for rule in self._rules:
            if rule.concerns(path) and rule.to in (None, to) and self._chance() < rule.probability:
                if rule.times is not None:
                    rule.times -= 1
                    self._changes.notify()
                return rule
        return None


async def inject(rule: Rule, request: Request, handle: Handler) -> ASGIApp:
    """Return the response to a request under this rule; `handle` is the gateway without a fault."""
    fault = FAULTS[rule.fault]
    if fault.instead:
        await asyncio.sleep(rule.delay)
        answer = await fault.instead(rule, request)
    else:
        if rule.delay:
            await request.body()  # accepted even if the client gives up during the delay
            await asyncio.sleep(rule.delay)
        response = await handle()
        answer = response if response.status_code >= 400 else fault.accepted(request, response)
    if isinstance(answer, Response) and rule.retry_after is not None:
        answer.headers["Retry-After"] = str(rule.retry_after)
    return answer
