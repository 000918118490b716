"""The token is in no error, no log and no repr, whatever fails and whatever the gateway says."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from dispatcher.errors import DeliveryError
from dispatcher.testing import saying
from dispatcher.testing.gateway import ScriptedGateway, closed_address
from dispatcher.testing.script import Reply, Request, Step
from dispatcher.testing.transports import replies
from dispatcher.testing.transports.situation import Situation
from dispatcher.transports import Transport, optional

_FORMAT = logging.Formatter("%(name)s: %(message)s")  # and tracebacks, if there are any
STATUSES = (200, 201, 302, 400, 401, 403, 404, 422, 429, 500, 503)


class Secrecy(Situation):
    """Whoever reads what it says does not learn the token."""

    @pytest.mark.parametrize("step", replies.BREAKS.values(), ids=replies.BREAKS.keys())
    def test_no_broken_connection_shows_the_token(
        self, gateway: ScriptedGateway, transport: Transport, secret: str, step: Step
    ) -> None:
        gateway.script(step)
        self._require_silence(transport, secret)

    def test_no_refused_connection_shows_the_token(
        self, gateway: ScriptedGateway, secret: str
    ) -> None:
        with closed_address() as url:
            self._require_silence(self.make(url), secret)

    def test_no_answer_shows_the_token(
        self, gateway: ScriptedGateway, transport: Transport, secret: str, listed: Reply
    ) -> None:
        reply = listed
        gateway.script(_reflecting(reply.status, reply.body))
        self._require_silence(transport, secret)

    @pytest.mark.parametrize("status", STATUSES)
    def test_no_reflected_token_shows(
        self, gateway: ScriptedGateway, transport: Transport, secret: str, status: int
    ) -> None:
        for body in ("said", {"error": {"message": "said"}}, saying.said(self, "accepted").body):
            gateway.script(_reflecting(status, body))
            self._require_silence(transport, secret)

    def test_no_log_shows_the_token(
        self,
        gateway: ScriptedGateway,
        transport: Transport,
        secret: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for step in (
            saying.said(self, "accepted"),
            *replies.BREAKS.values(),
            *(Reply(500), Reply(401), _reflecting(401, "said"), replies.BAD_HEADERS),
        ):
            gateway.script(step)
            _everything_of(lambda: transport.send(self.payload()))
        lines = [_FORMAT.format(each) for each in caplog.records]
        _require_hidden(secret, {f"the log {line.partition(':')[0]}": line for line in lines})

    def test_no_object_shows_the_token(self, transport: Transport, secret: str) -> None:
        _everything_of(lambda: transport.send(self.payload()))
        shown = [f"{each!r} {each!s}" for each in (transport, getattr(transport, "settings", None))]
        shown.append(str(optional(transport, "account")))
        assert secret not in " ".join(shown), "a repr or the account shows the token"

    def _require_silence(self, transport: Transport, secret: str) -> None:
        said = _everything_of(lambda: transport.send(self.payload()))
        _require_hidden(secret, said)


def _require_hidden(secret: str, said: Mapping[str, str]) -> None:
    """Fail if a text shows the token, also as a URL writes it; the failure does not."""
    for where, text in said.items():
        plain = unquote(text)
        hidden = plain.replace(secret, "<the token>")[-600:]
        assert secret not in text + plain, f"{where} shows the token: {hidden}"


def _reflecting(status: int, body: Any) -> Callable[[Request], Reply]:
    """An answer that says back who asked, wherever it says anything."""

    def answer(request: Request) -> Reply:
        words = f"{request.path} {json.dumps(dict(request.headers))}".replace('"', "'")
        headers = {"Location": words, "Retry-After": words, "X-Request": words}
        return Reply(status, replies.with_words(body, words), headers)

    return answer


def _everything_of(action: Callable[[], object]) -> dict[str, str]:
    """What an attempt lets anybody see: its receipt, or its error and all from which that came."""
    try:
        return {"the receipt": repr(action())}
    except DeliveryError as error:
        return _everything(error)


def _everything(error: BaseException) -> dict[str, str]:
    shown: dict[str, str] = {}
    seen, left = set(), [error]
    while left:
        each = left.pop()
        seen.add(id(each))
        name = type(each).__name__
        shown |= {f"str({name})": str(each), f"repr({name})": repr(each)}
        shown |= {f"{name}.args": repr(each.args), f"the fields of {name}": repr(vars(each))}
        shown[f"the traceback of {name}"] = "".join(traceback.format_exception(each, chain=False))
        causes = (each.__cause__, each.__context__)
        left += [cause for cause in causes if cause is not None and id(cause) not in seen]
    return shown
