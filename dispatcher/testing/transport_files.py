"""What the contract of transports says of files, as tests: `TransportContract` has them."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import OutcomeUnknown, Refused
from dispatcher.models import MediaId, Receipt, Upload, encode
from dispatcher.testing.contract_cases import declared
from dispatcher.testing.gateway import Reply, ScriptedGateway, Step, closed_address
from dispatcher.testing.secrecy import reflecting, require_hidden, revealed_by
from dispatcher.testing.transport_setup import (
    BREAKS,
    STATUSES,
    USELESS,
    Carry,
    TransportSetup,
    attempt,
    failure,
    outcome,
    require_one,
)
from dispatcher.transports import Transport

_BIG = 20_000_000  # bytes
_MOST = 5_000_000  # more bytes in memory while a big file is uploaded

# How a file may have changed since it was planned.
_CHANGES = {
    "shorter": lambda content: content[:-1],
    "longer": lambda content: content + b"!",
    "other": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "emptied": lambda content: b"",
}


class TransportFiles(TransportSetup):
    """Files are streamed, once, and only as they were planned; each answer has its outcome."""

    def test_a_file_stands_in_the_payload_as_its_reference(self, carry: Carry) -> None:
        file = self.file()
        assert file.reference in _texts(json.loads(encode(self.file_payload(file)))), (
            "the core finds no place for the file: put upload.reference, whole, where it goes"
        )

    @pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
    def test_an_upload_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, carry: Carry, step: Step
    ) -> None:
        gateway.script(step)
        attempt(lambda: carry(transport, self.file()))
        assert gateway.attempts == 1, "it tries again by itself; the core does that"

    def test_an_upload_streams(
        self, gateway: ScriptedGateway, transport: Transport, carry: Carry, tmp_path: Path
    ) -> None:
        path = tmp_path / self.file().filename
        content = random.Random(1).randbytes(_BIG)
        path.write_bytes(content)
        file = Upload.from_path(path)
        carry(transport, self.file())  # what it loads at the first use is not measured
        peak = _peak_of(lambda: carry(transport, file))
        assert content in self.received(gateway.requests[-1]), "the file did not arrive whole"
        assert peak < _MOST, f"{peak / 1e6:.0f} MB more in memory for a file of {_BIG / 1e6:.0f} MB"

    @pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES.keys())
    def test_a_changed_file_is_refused(
        self, gateway: ScriptedGateway, transport: Transport, carry: Carry, change: Any
    ) -> None:
        file = self.file()
        changed = partial(io.BytesIO, change(_content(file)))
        planned = file.model_copy(update={"open": changed})
        assert outcome(lambda: carry(transport, planned)) is Refused

    def test_a_missing_file_is_refused(
        self, gateway: ScriptedGateway, transport: Transport, carry: Carry, tmp_path: Path
    ) -> None:
        gone = (tmp_path / "gone.pdf").open
        planned = self.file().model_copy(update={"open": partial(gone, "rb")})
        assert outcome(lambda: carry(transport, planned)) is Refused

    # Files that are uploaded: that may be done again, so every error says whether to try.

    @pytest.fixture(autouse=True)
    def _accepts_files(self, request: pytest.FixtureRequest) -> None:
        if "uploaded_reply" in request.fixturenames and "gateway" in request.fixturenames:
            gateway = request.getfixturevalue("gateway")
            gateway.script(request.getfixturevalue("uploaded_reply"))

    def test_an_upload_gives_the_media_id(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply
    ) -> None:
        file = self.file()
        media = self.upload(transport, file)
        assert isinstance(media, MediaId), f"upload gave {media!r}"
        assert media.id == declared(self, "uploaded_id")
        expires = media.expires_at
        assert expires is None or expires.tzinfo is not None, "expires_at has no time zone"
        assert _content(file) in self.received(gateway.requests[-1]), "the file did not arrive"

    @pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
    def test_a_broken_upload_is_not_unknown(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, step: Step
    ) -> None:
        gateway.script(step)
        self._require_known(transport)

    @pytest.mark.parametrize("status", [201, 404, 500])
    @pytest.mark.parametrize("body", USELESS.values(), ids=USELESS.keys())
    def test_a_useless_answer_is_not_unknown(
        self,
        gateway: ScriptedGateway,
        transport: Transport,
        uploaded_reply: Reply,
        status: int,
        body: Any,
    ) -> None:
        gateway.script(Reply(status, body))
        self._require_known(transport)

    def test_a_refused_connection_is_not_unknown(
        self, gateway: ScriptedGateway, uploaded_reply: Reply
    ) -> None:
        with closed_address() as url:
            self._require_known(self.make(url))

    def test_an_upload_that_fails_is_not_unknown(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, listed: Reply
    ) -> None:
        gateway.script(listed)
        self._require_known(transport)

    def _require_known(self, transport: Transport) -> None:
        error = failure(lambda: self.upload(transport, self.file()))
        assert not isinstance(error, OutcomeUnknown), "an upload may be tried again: NotSent"

    # Files that are sent with their messages: nothing else may follow from an answer or a break.

    def test_a_file_arrives_with_its_message(
        self, gateway: ScriptedGateway, transport: Transport, inline: None
    ) -> None:
        file = self.file()
        receipt = self.send_inline(transport, file)
        assert isinstance(receipt, Receipt), f"send gave {receipt!r}"
        assert receipt.id == declared(self, "accepted_id") or not self.answers_with_id
        require_one(gateway)
        [request] = gateway.requests
        assert _content(file) in self.received(request), "the file did not arrive"
        reference = file.reference.encode()
        assert reference not in request.body, "the reference is in the request, in place of a file"

    @pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
    def test_a_broken_connection_with_a_file_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, inline: None, step: Step
    ) -> None:
        gateway.script(step)
        assert outcome(lambda: self.send_inline(transport, self.file())) is OutcomeUnknown

    def test_a_broken_gateway_with_a_file_is_unknown(
        self, gateway: ScriptedGateway, transport: Transport, inline: None
    ) -> None:
        replies = [Reply(status) for status in (300, 500, 502, 503, 504)]
        if self.answers_with_id:
            replies += [Reply(200, body) for body in USELESS.values()]
        for reply in replies:
            gateway.script(reply)
            kind = outcome(lambda: self.send_inline(transport, self.file()))
            assert kind is OutcomeUnknown, f"{reply} gave {kind.__name__}"
            require_one(gateway)

    def test_an_answer_means_the_same_with_a_file(
        self, gateway: ScriptedGateway, transport: Transport, inline: None, listed: Reply
    ) -> None:
        gateway.script(listed)
        without = outcome(lambda: transport.send(self.payload()))
        gateway.script(listed)
        assert outcome(lambda: self.send_inline(transport, self.file())) is without
        require_one(gateway)

    def test_no_answer_to_a_file_shows_the_token(
        self, gateway: ScriptedGateway, transport: Transport, inline: None, secret: str
    ) -> None:
        for status in STATUSES:
            gateway.script(reflecting(status, {"error": {"message": "said"}}))
            said = revealed_by(lambda: self.send_inline(transport, self.file()))
            require_hidden(secret, said)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _content(file: Upload) -> bytes:
    with file.open() as stream:
        return stream.read()


def _peak_of(action: Callable[[], object]) -> int:
    """Return how much more memory it takes than there was before, in bytes."""
    traced = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        action()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not traced:
            tracemalloc.stop()
    return peak - before
