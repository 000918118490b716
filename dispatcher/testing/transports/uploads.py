"""Files on their way: in pieces, as planned, and never with an unknown end."""

from __future__ import annotations

import io
import random
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import OutcomeUnknown, Refused
from dispatcher.models import MediaId, Upload
from dispatcher.testing import saying
from dispatcher.testing.gateway import ScriptedGateway, closed_address
from dispatcher.testing.script import Reply, Step
from dispatcher.testing.transports import replies
from dispatcher.testing.transports.situation import Situation, attempt, failure, outcome
from dispatcher.transports import Transport

_BIG = 20_000_000  # bytes
_MOST = 5_000_000  # bytes more in memory while a big file goes out

# What may have become of a file since it was planned.
CHANGES = {
    "shorter": lambda content: content[:-1],
    "longer": lambda content: content + b"!",
    "other": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "emptied": lambda content: b"",
}


class Uploads(Situation):
    """A file may go out again, so every end of an upload says whether to try that."""

    @pytest.fixture(autouse=True)
    def _accepts_files(self, request: pytest.FixtureRequest) -> None:
        if "uploaded_reply" in request.fixturenames and "gateway" in request.fixturenames:
            gateway = request.getfixturevalue("gateway")
            gateway.script(request.getfixturevalue("uploaded_reply"))

    def test_an_upload_gives_the_media_id(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply
    ) -> None:
        file = self.file()
        media = transport.upload(file)
        assert isinstance(media, MediaId), f"upload gave {media!r}"
        assert media.id == saying.said(self, "uploaded_id")
        expires = media.expires_at
        assert expires is None or expires.tzinfo is not None, "expires_at has no time zone"
        assert _content(file) in self.received(gateway.requests[-1]), "the file did not arrive"

    @pytest.mark.parametrize("step", replies.BREAKS.values(), ids=replies.BREAKS.keys())
    def test_a_broken_upload_is_not_unknown(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, step: Step
    ) -> None:
        gateway.script(step)
        _require_known(transport, self.file())

    @pytest.mark.parametrize("status", [201, 404, 500])
    @pytest.mark.parametrize("body", replies.USELESS.values(), ids=replies.USELESS.keys())
    def test_a_useless_answer_is_not_unknown(
        self,
        gateway: ScriptedGateway,
        transport: Transport,
        uploaded_reply: Reply,
        status: int,
        body: Any,
    ) -> None:
        gateway.script(Reply(status, body))
        _require_known(transport, self.file())

    def test_a_refused_connection_is_not_unknown(
        self, gateway: ScriptedGateway, uploaded_reply: Reply
    ) -> None:
        with closed_address() as url:
            _require_known(self.make(url), self.file())

    def test_an_upload_that_fails_is_not_unknown(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, listed: Reply
    ) -> None:
        gateway.script(listed)
        _require_known(transport, self.file())

    @pytest.mark.parametrize("step", replies.BREAKS.values(), ids=replies.BREAKS.keys())
    def test_an_upload_is_not_retried(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, step: Step
    ) -> None:
        gateway.script(step)
        attempt(lambda: transport.upload(self.file()))
        assert gateway.attempts == 1, "it tries again by itself; the core does that"

    def test_an_upload_streams(
        self,
        gateway: ScriptedGateway,
        transport: Transport,
        uploaded_reply: Reply,
        tmp_path: Path,
    ) -> None:
        path = tmp_path / self.file().filename
        content = random.Random(1).randbytes(_BIG)
        path.write_bytes(content)
        file = Upload.from_path(path)
        transport.upload(self.file())  # what it loads at the first use is not what is measured
        peak = _peak_of(transport, file)
        assert content in self.received(gateway.requests[-1]), "the file did not arrive whole"
        assert peak < _MOST, f"{peak / 1e6:.0f} MB more in memory for a file of {_BIG / 1e6:.0f} MB"

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    def test_a_changed_file_is_refused(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, change: Any
    ) -> None:
        file = self.file()
        changed = partial(io.BytesIO, change(_content(file)))
        planned = file.model_copy(update={"open": changed})
        assert outcome(lambda: transport.upload(planned)) is Refused

    def test_a_missing_file_is_refused(
        self, gateway: ScriptedGateway, transport: Transport, uploaded_reply: Reply, tmp_path: Path
    ) -> None:
        gone = (tmp_path / "gone.pdf").open
        planned = self.file().model_copy(update={"open": partial(gone, "rb")})
        assert outcome(lambda: transport.upload(planned)) is Refused


def _content(file: Upload) -> bytes:
    with file.open() as stream:
        return stream.read()


def _require_known(transport: Transport, file: Upload) -> None:
    error = failure(lambda: transport.upload(file))
    assert not isinstance(error, OutcomeUnknown), "an upload may be tried again: NotSent"


def _peak_of(transport: Transport, file: Upload) -> int:
    """How much more memory an upload takes than there was before, in bytes."""
    traced = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        transport.upload(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not traced:
            tracemalloc.stop()
    return peak - before
