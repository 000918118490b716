"""What each answer of the gateway means."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.errors import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.models import Receipt
from dispatcher.testing import saying
from dispatcher.testing.gateway import ScriptedGateway
from dispatcher.testing.script import Reply
from dispatcher.testing.transports import replies
from dispatcher.testing.transports.situation import Situation, failure, outcome
from dispatcher.transports import Transport


class Answers(Situation):
    """A receipt, or the one outcome that is true."""

    def test_success_gives_the_receipt(
        self, gateway: ScriptedGateway, transport: Transport
    ) -> None:
        receipt = transport.send(self.payload())
        assert isinstance(receipt, Receipt), f"send gave {receipt!r}"
        assert receipt.id == saying.said(self, "accepted_id") or not self.answers_with_id
        assert gateway.attempts == 1, f"it made {gateway.attempts} requests for one message"

    def test_refused(self, gateway: ScriptedGateway, transport: Transport, refused: Reply) -> None:
        gateway.script(refused)
        assert outcome(lambda: transport.send(self.payload())) is Refused

    def test_account_refused(
        self, gateway: ScriptedGateway, transport: Transport, account_refused: Reply
    ) -> None:
        gateway.script(account_refused)
        assert outcome(lambda: transport.send(self.payload())) is AccountRefused

    def test_not_sent(
        self, gateway: ScriptedGateway, transport: Transport, not_sent: Reply
    ) -> None:
        gateway.script(not_sent)
        assert outcome(lambda: transport.send(self.payload())) is NotSent

    def test_throttled(
        self, gateway: ScriptedGateway, transport: Transport, throttled: Reply
    ) -> None:
        reply = throttled
        gateway.script(reply)
        error = failure(lambda: transport.send(self.payload()))
        assert isinstance(error, NotSent), f"it raised {type(error).__name__}"
        assert error.throttled, "NotSent without throttled=True: other messages would go on"
        asked = reply.headers.get("Retry-After", "")
        if asked.isdigit():
            assert error.retry_after is not None, "the Retry-After got lost"
            assert error.retry_after >= float(asked), f"it waits {error.retry_after} s only"

    def test_unknown(self, gateway: ScriptedGateway, transport: Transport, unknown: Reply) -> None:
        gateway.script(unknown)
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    @pytest.mark.parametrize("body", [b"", {}, "<html>Bad gateway</html>"], ids=["", "{}", "html"])
    def test_a_broken_gateway_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, status: int, body: Any
    ) -> None:
        gateway.script(Reply(status, body))
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    @pytest.mark.parametrize("status", [300, 303, 304])
    def test_a_redirect_that_may_mean_done_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, status: int
    ) -> None:
        gateway.script(Reply(status, b"", {"Location": "/done"}))
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize("body", replies.USELESS.values(), ids=replies.USELESS.keys())
    def test_success_without_an_id_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, status: int, body: Any
    ) -> None:
        self._needs_an_id()
        gateway.script(Reply(status, body))
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    def test_what_is_no_id_is_unknown(self, gateway: ScriptedGateway, transport: Transport) -> None:
        self._needs_an_id()
        accepted, identifier = saying.said(self, "accepted"), saying.said(self, "accepted_id")
        bodies = list(replies.without_id(accepted.body, identifier))
        if not bodies:
            pytest.skip("the id is in no JSON")
        for body in bodies:
            gateway.script(Reply(accepted.status, body))
            assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown, body

    def _needs_an_id(self) -> None:
        if not self.answers_with_id:
            pytest.skip("its gateway gives no ids: answers_with_id = False")
