"""What each fault does to a request (DESIGN, "The sandbox", fault rules).

Some act instead of the gateway; the others let it work as always, and spoil the answer if it
accepted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.sandbox.answers import Json
from dispatcher.sandbox.call import Call
from dispatcher.sandbox.connection import connection_of
from dispatcher.sandbox.errors import META, Refusal
from dispatcher.sandbox.faults import Rule

Handler = Callable[[Call], Awaitable[Response]]

PROXY_PAGE: Final = (
    "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>proxy</body></html>\n"
)


async def misbehave(rule: Rule, call: Call, handle: Handler) -> ASGIApp:
    """What answers the request under this rule; `handle` is the gateway at its best."""
    if rule.fault in INSTEAD:
        await asyncio.sleep(rule.delay)
        answer = await INSTEAD[rule.fault](rule, call)
    else:
        answer = await _accept(rule, call, handle)
    if isinstance(answer, Response) and rule.retry_after is not None:
        answer.headers["Retry-After"] = str(rule.retry_after)
    return answer


async def _accept(rule: Rule, call: Call, handle: Handler) -> ASGIApp:
    if rule.delay:
        await call.body()  # a client who gives up during the delay has then sent it all the same
        await asyncio.sleep(rule.delay)
    response = await handle(call)
    return response if response.status_code >= 400 else SPOILED[rule.fault](call, response)


async def _status(rule: Rule, call: Call) -> ASGIApp:
    return Json(Refusal(rule.code).body(), rule.status)


async def _refuse(rule: Rule, call: Call) -> ASGIApp:
    return hang_up


async def _reset_before(rule: Rule, call: Call) -> ASGIApp:
    async for _ in call.chunks():
        pass
    return reset


async def _html(rule: Rule, call: Call) -> ASGIApp:
    return HTMLResponse(PROXY_PAGE.format(f"{rule.status} from a proxy"), rule.status)


async def _redirect(rule: Rule, call: Call) -> ASGIApp:
    return Response(status_code=307, headers={"Location": f"/elsewhere{call.path}"})


def _without_id(call: Call, response: Response) -> ASGIApp:
    kind = "media" if call.path.startswith("/v1/media") else "messages"
    return Json({kind: [{}], "meta": dict(META)}, 201)


async def hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers by closing the connection."""
    connection_of(scope).close()
    await silence(scope, receive, send)


async def reset(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers by resetting the connection."""
    connection_of(scope).reset()
    await silence(scope, receive, send)


async def silence(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not answer: returns when the connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


INSTEAD: Final[Mapping[str, Callable[[Rule, Call], Awaitable[ASGIApp]]]] = {
    "status": _status,
    "refuse": _refuse,
    "reset_before": _reset_before,
    "html": _html,
    "redirect": _redirect,
}

SPOILED: Final[Mapping[str, Callable[[Call, Response], ASGIApp]]] = {
    "reset_after": lambda call, response: reset,
    "stall": lambda call, response: silence,
    "not_json": lambda call, response: PlainTextResponse("accepted", 201),
    "no_id": _without_id,
    "delay": lambda call, response: response,
}
