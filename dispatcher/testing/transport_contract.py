"""The contract of transports, as tests: `class TestContract(TransportContract)`."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from dispatcher.bubbles import Bubble
from dispatcher.errors import (
    AccountRefused,
    ConfigError,
    NotSent,
    OutcomeUnknown,
    Refused,
)
from dispatcher.models import DeliveryStatus, Problem, Receipt, Upload, encode, leaves
from dispatcher.models.payload import fill_in, seal
from dispatcher.testing import corpus
from dispatcher.testing.contract_cases import declared
from dispatcher.testing.corpus import Planned
from dispatcher.testing.gateway import Reply, ScriptedGateway, Step, closed_address
from dispatcher.testing.purity import watched
from dispatcher.testing.secrecy import reflecting, require_hidden, revealed_by
from dispatcher.testing.transport_files import TransportFiles
from dispatcher.testing.transport_setup import (
    BAD_HEADERS,
    BREAKS,
    STATUSES,
    URL,
    USELESS,
    attempt,
    failure,
    outcome,
    require_one,
    without_id,
)
from dispatcher.transports import Transport, optional, override

_EACH = 20  # messages per thread
_FORMAT = logging.Formatter("%(name)s: %(message)s")  # and tracebacks, if there are any


class TransportContract(TransportFiles):
    """Derive a test class from it, and declare what its gateway answers: see `TransportSetup`.

    class TestContract(TransportContract):
        token = "secret-token-1234"
        accepted = Reply(200, {"messages": [{"id": "m1"}]})
        accepted_id = "m1"
        uploaded = None  # it takes no files
        refused = (Reply(400, {"error": {"code": 100, "message": "no such number"}}),)
        account_refused = (Reply(401),)
        not_sent = ()
        throttled = (Reply(429, {}, {"Retry-After": "7"}),)
        unknown = (Reply(500),)

        def make(self, url):
            return Pigeon(PigeonSettings(base_url=url, token=self.token, read_timeout=0.5))
    """

    # Planning: name, settings, `build` and `check`, without a network.

    def test_it_has_a_name_and_settings(self) -> None:
        kind: Any = type(self.make(URL))
        name = getattr(kind, "name", None)
        assert isinstance(name, str), "`name` must be a text of the class"
        assert name.strip(), "`name` is empty"
        assert issubclass(kind.Settings, BaseSettings), (
            "`Settings` must be BaseSettings of pydantic"
        )

    def test_it_loads_without_credentials(self) -> None:
        bare = self.make_without_credentials()
        bare.build(*self.example(next(iter(self.contents))))
        require = override(bare, "require_credentials")
        if require is not None and declared(self, "token") is not None:
            with pytest.raises(ConfigError):
                require()

    def test_build_is_pure(self, planned: Planned) -> None:
        message, attachment = planned
        transport, before = self.make(URL), copy.deepcopy(planned)
        with watched() as watch:
            first = copy.deepcopy(transport.build(message, attachment))
            second = transport.build(message, attachment)
        watch.require_pure()
        assert first == second, "build answers differently when it is asked again"
        assert encode(first) == encode(second), "build writes its keys in another order"
        assert planned == before, "build changed its arguments"

    def test_check_is_pure(self, planned: Planned) -> None:
        transport, attachment = self.make(URL), planned[1]
        payload = transport.build(*planned)
        before = copy.deepcopy(payload)
        with watched() as watch:
            first = list(transport.check(payload, attachment))
            second = list(transport.check(payload, attachment))
        watch.require_pure()
        assert first == second, "check answers differently when it is asked again"
        assert all(isinstance(each, Problem) for each in first), f"check gave {first!r}"
        assert payload == before, "check changed the payload"

    def test_check_survives_what_plugins_leave(self) -> None:
        transport = self.make(URL)
        for payload in corpus.odd(self.payload()):
            found = list(transport.check(payload, None))
            assert all(isinstance(each, Problem) for each in found), f"check gave {found!r}"

    # Kinds of content: an example of each is accepted, shown and sent.

    def test_an_example_is_accepted(self, kind: str) -> None:
        transport, (message, attachment) = self.make(URL), self.example(kind)
        payload = transport.build(message, attachment)
        try:
            seal(payload)
        except ValueError as error:
            pytest.fail(f"the payload of {kind} is not JSON: {error}")
        found = [each for each in transport.check(payload, attachment) if each.is_error]
        assert not found, f"check refuses the example of {kind}"

    def test_an_example_is_shown(self, kind: str) -> None:
        content = self.example(kind)[0].content
        summary, bubble = content.summary(), content.bubble()
        assert isinstance(summary, str), f"summary() of {kind} gave {summary!r}"
        assert isinstance(bubble, Bubble), f"bubble() of {kind} gave {bubble!r}"
        texts = (bubble.label, bubble.text, *bubble.lines, *bubble.buttons)
        assert all(isinstance(each, str) for each in texts), f"bubble() of {kind} gave {bubble!r}"
        assert (content.summary(), content.bubble()) == (summary, bubble), "it changes"

    def test_an_example_is_sent_once(
        self, gateway: ScriptedGateway, transport: Any, kind: str
    ) -> None:
        message, attachment = self.example(kind)
        payload, files = transport.build(message, attachment), []
        if isinstance(attachment, Upload) and self._sends_inline:
            files.append(attachment)
        elif isinstance(attachment, Upload):
            fill_in(payload, attachment.reference, declared(self, "uploaded_id"))
        receipt = transport.send(payload, *files)
        assert isinstance(receipt, Receipt), f"send gave {receipt!r}"
        require_one(gateway)

    # Responses: a receipt, or the one outcome that is true.

    def test_success_gives_the_receipt(
        self, gateway: ScriptedGateway, transport: Transport
    ) -> None:
        receipt = transport.send(self.payload())
        assert isinstance(receipt, Receipt), f"send gave {receipt!r}"
        assert receipt.id == declared(self, "accepted_id") or not self.answers_with_id
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
        error = failure(lambda: transport.send(self.payload()))
        assert isinstance(error, NotSent), f"it raised {type(error).__name__}"
        _require_wait(error, not_sent)

    def test_throttled(
        self, gateway: ScriptedGateway, transport: Transport, throttled: Reply
    ) -> None:
        gateway.script(throttled)
        error = failure(lambda: transport.send(self.payload()))
        assert isinstance(error, NotSent), f"it raised {type(error).__name__}"
        assert error.throttled, "NotSent without throttled=True: other messages would go on"
        _require_wait(error, throttled)

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
    @pytest.mark.parametrize("body", USELESS.values(), ids=USELESS.keys())
    def test_success_without_an_id_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, status: int, body: Any
    ) -> None:
        self._needs_an_id()
        gateway.script(Reply(status, body))
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    def test_what_is_no_id_is_unknown(self, gateway: ScriptedGateway, transport: Transport) -> None:
        self._needs_an_id()
        accepted, identifier = declared(self, "accepted"), declared(self, "accepted_id")
        bodies = list(without_id(accepted.body, identifier))
        if not bodies:
            pytest.skip("the id is in no JSON")
        for body in bodies:
            gateway.script(Reply(accepted.status, body))
            assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown, body

    def _needs_an_id(self) -> None:
        if not self.answers_with_id:
            pytest.skip("its gateway gives no ids: answers_with_id = False")

    # Connections: however one breaks, a message is posted once and to one place.

    @pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
    def test_a_broken_connection_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, step: Step
    ) -> None:
        gateway.script(step)
        began = monotonic()
        kind = outcome(lambda: transport.send(self.payload()))
        assert monotonic() - began < self.patience, "it does not stop waiting for an answer"
        assert kind is OutcomeUnknown

    def test_a_cut_answer_is_unknown(self, gateway: ScriptedGateway, transport: Transport) -> None:
        self._needs_an_id()
        gateway.script(declared(self, "accepted").cut())
        assert outcome(lambda: transport.send(self.payload())) is OutcomeUnknown

    def test_a_refused_connection_is_not_sent(self, gateway: ScriptedGateway) -> None:
        with closed_address() as url:
            transport = self.make(url)
            assert outcome(lambda: transport.send(self.payload())) is NotSent

    @pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
    def test_a_broken_connection_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, step: Step
    ) -> None:
        gateway.script(step)
        attempt(lambda: transport.send(self.payload()))
        require_one(gateway)

    def test_an_answer_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, listed: Reply
    ) -> None:
        gateway.script(listed)
        attempt(lambda: transport.send(self.payload()))
        require_one(gateway)

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_broken_gateway_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, status: int
    ) -> None:
        gateway.script(Reply(status))
        attempt(lambda: transport.send(self.payload()))
        require_one(gateway)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(
        self, gateway: ScriptedGateway, transport: Transport, status: int
    ) -> None:
        with ScriptedGateway(declared(self, "accepted")) as elsewhere:
            gateway.script(Reply(status, b"", {"Location": f"{elsewhere.url}/v1/elsewhere"}))
            failure(lambda: transport.send(self.payload()))
            assert not elsewhere.attempts, "it followed a redirect to another host"
        require_one(gateway)

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
        assert set(ids) == {declared(self, "accepted_id")} or not self.answers_with_id
        assert gateway.attempts == len(gateway.requests) == 2 * _EACH

    # Statuses: what a webhook's body says of messages, and nothing of any other body.

    def test_an_unknown_webhook_says_nothing(self) -> None:
        statuses = self._statuses()
        for body in corpus.unknown_webhooks():
            found = list(statuses(body))
            assert not found, f"statuses({body!r}) gave {found!r}"

    def test_a_webhook_says_what_became_of_messages(self) -> None:
        statuses = self._statuses()
        for body in self._webhooks():
            before = copy.deepcopy(body)
            with watched() as watch:
                found = list(statuses(body))
            watch.require_pure()
            assert found, f"statuses({body!r}) gave nothing"
            assert all(isinstance(each, DeliveryStatus) for each in found), f"it gave {found!r}"
            assert body == before, "statuses changed its argument"

    def test_statuses_survives_a_webhook_that_lacks_something(self) -> None:
        statuses = self._statuses()
        for whole in self._webhooks():
            for body in corpus.odd_webhooks(whole):
                found = list(statuses(body))
                assert all(isinstance(each, DeliveryStatus) for each in found), f"it gave {found!r}"

    def _statuses(self) -> Callable[[Any], Iterable[Any]]:
        statuses = override(self.make(URL), "statuses")
        if statuses is None:
            pytest.skip("it has no statuses")
        found: Callable[[Any], Iterable[Any]] = statuses
        return found

    def _webhooks(self) -> Sequence[Any]:
        if not self.webhooks:
            pytest.skip("nothing to test: webhooks is empty")
        return self.webhooks

    # Secrecy: the token is in no error, no log and no repr, whatever the gateway says.

    @pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
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
        gateway.script(reflecting(listed.status, listed.body))
        self._require_silence(transport, secret)

    @pytest.mark.parametrize("status", STATUSES)
    def test_no_reflected_token_shows(
        self, gateway: ScriptedGateway, transport: Transport, secret: str, status: int
    ) -> None:
        for body in ("said", {"error": {"message": "said"}}, declared(self, "accepted").body):
            gateway.script(reflecting(status, body))
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
            declared(self, "accepted"),
            *BREAKS.values(),
            *(Reply(500), Reply(401), reflecting(401, "said"), BAD_HEADERS),
        ):
            gateway.script(step)
            revealed_by(lambda: transport.send(self.payload()))
        lines = [_FORMAT.format(each) for each in caplog.records]
        require_hidden(secret, {f"the log {line.partition(':')[0]}": line for line in lines})

    def test_no_object_shows_the_token(self, transport: Transport, secret: str) -> None:
        revealed_by(lambda: transport.send(self.payload()))
        shown = [f"{each!r} {each!s}" for each in (transport, getattr(transport, "settings", None))]
        shown.append(str(optional(transport, "account")))
        assert secret not in " ".join(shown), "a repr or the account shows the token"

    def _require_silence(self, transport: Transport, secret: str) -> None:
        said = revealed_by(lambda: transport.send(self.payload()))
        require_hidden(secret, said)


def _require_wait(error: NotSent, reply: Reply) -> None:
    """Fail if the error does not ask for the wait for which the reply asks."""
    asked = max(_waits(reply), default=None)
    if asked is not None:
        assert error.retry_after is not None, f"the wait of {asked:g} s for which it asks got lost"
        assert error.retry_after >= asked, f"it waits {error.retry_after} s, not {asked:g} s"


def _waits(reply: Reply) -> Iterator[float]:
    """Yield the seconds in the header Retry-After, and those that the body has by such a name."""
    header = reply.headers.get("Retry-After", "")
    if header.isdigit():
        yield float(header)
    for path, value in leaves(reply.body):
        name = path.rpartition(".")[2].lower().replace("_", "").replace("-", "")
        if name == "retryafter" and isinstance(value, (int, float)):
            yield float(value)
