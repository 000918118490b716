"""Files that go along with messages: copied once, as planned, and for one run only."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest

from dispatcher import Refused
from dispatcher.testing import upload
from dispatcher_apprise.settings import AppriseSettings
from dispatcher_apprise.transport import AppriseTransport


@pytest.fixture
def transport() -> AppriseTransport:
    return AppriseTransport(AppriseSettings(APPRISE_URL="json://127.0.0.1:9/"))


def test_a_file_is_copied_once_and_no_later_run_is_to_know_it(transport: AppriseTransport) -> None:
    opened = []
    content = b"%PDF-1.7 prices"

    def stream() -> BytesIO:
        opened.append(True)
        return BytesIO(content)

    file = upload(content).model_copy(update={"open": stream})
    first, second = transport.upload(file), transport.upload(file)
    assert (first.id, len(opened)) == (second.id, 1)
    assert first.expires_at is not None
    assert first.expires_at <= datetime.now(UTC)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"%PDF-1.7 prices!", b"%PDF-1.7 pricez"])
def test_a_changed_file_is_refused(transport: AppriseTransport, content: bytes) -> None:
    file = upload(b"%PDF-1.7 prices").model_copy(update={"open": lambda: BytesIO(content)})
    for _ in range(2):
        with pytest.raises(Refused):
            transport.upload(file)


def test_a_file_of_another_run_is_refused(transport: AppriseTransport) -> None:
    attached = [{"file": "file:0", "name": "a.pdf", "type": "application/pdf"}]
    with pytest.raises(Refused, match="not one of this run"):
        transport.send({"to": "default", "body": "x", "attach": attached})
