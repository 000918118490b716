"""Connections that break, lead elsewhere, or serve several threads; nothing is sent twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from dispatcher.errors import NotSent, OutcomeUnknown
from dispatcher.testing import saying
from dispatcher.testing.gateway import ScriptedGateway, closed_address
from dispatcher.testing.script import Reply, Step
from dispatcher.testing.transports import replies
from dispatcher.testing.transports.situation import Situation, attempt, failure, outcome
from dispatcher.transports import Transport

_EACH = 20  # messages of a thread


class Connections(Situation):
    """Whatever happens to a connection, a message is posted once and to one place."""

    @pytest.mark.parametrize("step", replies.BREAKS.values(), ids=replies.BREAKS.keys())
    def test_a_broken_connection_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, step: Step
    ) -> None:
        gateway.script(step)
        began = monotonic()
        kind = outcome(lambda: transport.send(self.payload()))
        assert monotonic() - began < self.patience, "it does not stop waiting for an answer"
        assert kind is OutcomeUnknown

    def test_a_cut_answer_is_unknown(self, gateway: ScriptedGateway, transport: Transport) -> None:
        if not self.answers_with_id:
            pytest.skip("its gateway gives no ids: answers_with_id = False")
        gateway.script(saying.said(self, "accepted").cut())
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    def test_a_refused_connection_is_not_sent(self, gateway: ScriptedGateway) -> None:
        with closed_address() as url:
            transport = self.make(url)
            assert outcome(lambda: transport.send(self.payload())) is NotSent

    @pytest.mark.parametrize("step", replies.BREAKS.values(), ids=replies.BREAKS.keys())
    def test_a_broken_connection_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, step: Step
    ) -> None:
        gateway.script(step)
        attempt(lambda: transport.send(self.payload()))
        _require_one(gateway)

    def test_an_answer_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, listed: Reply
    ) -> None:
        gateway.script(listed)
        attempt(lambda: transport.send(self.payload()))
        _require_one(gateway)

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_broken_gateway_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, status: int
    ) -> None:
        gateway.script(Reply(status))
        attempt(lambda: transport.send(self.payload()))
        _require_one(gateway)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(
        self, gateway: ScriptedGateway, transport: Transport, status: int
    ) -> None:
        with ScriptedGateway(saying.said(self, "accepted")) as elsewhere:
            gateway.script(Reply(status, b"", {"Location": f"{elsewhere.url}/v1/elsewhere"}))
            failure(lambda: transport.send(self.payload()))
            assert not elsewhere.attempts, "it followed a redirect to another host"
        _require_one(gateway)

    def test_two_threads_use_it_at_once(
        self, gateway: ScriptedGateway, transport: Transport
    ) -> None:
        payload, together = self.payload(), threading.Barrier(2)

        def send_many() -> list[str]:
            together.wait()
            return [transport.send(payload).id for _ in range(_EACH)]

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(send_many) for _ in range(2)]
            ids = [identifier for each in running for identifier in each.result()]
        assert set(ids) == {saying.said(self, "accepted_id")} or not self.answers_with_id
        assert gateway.attempts == len(gateway.requests) == 2 * _EACH


def _require_one(gateway: ScriptedGateway) -> None:
    made = gateway.attempts
    assert made == 1, f"it made {made} requests for one message: whoever got it twice, minds"
