"""Transports to a test's own gateway, and files for them."""

from typing import Any

import pytest

from dispatcher import DeliveryError, Upload, testing
from dispatcher.builtin.greenapi.transport import GreenApi

TOKEN = "marker-token-7f3a9c"
PAYLOAD = {"to": "79001234567", "type": "text", "text": {"body": "x"}}


def transport(url: str | None = None, **settings: Any) -> GreenApi:
    """A transport with a token; `url` sets both addresses."""
    urls = {} if url is None else {"base_url": url, "media_url": url}
    given = {"token": TOKEN, "connect_timeout": 5, "read_timeout": 5, **urls, **settings}
    return GreenApi(GreenApi.Settings(**given))


def upload(content: bytes = b"%PDF-1.7 prices", **changes: Any) -> Upload:
    """A file to upload; `changes` replace what would be true of it."""
    return testing.upload(content).model_copy(update=changes)


def failure(
    sender: GreenApi,
    kind: type[DeliveryError],
    code: str | None = None,
    *,
    file: Upload | None = None,
    payload: Any = PAYLOAD,
) -> DeliveryError:
    """How it fails to send a payload or, where there is one, to upload a file."""
    with pytest.raises(DeliveryError) as caught:
        sender.send(payload) if file is None else sender.upload(file)
    failed = caught.value
    assert type(failed) is kind
    assert code in (None, failed.code)
    assert failed.__context__ is None
    assert " at 0x" not in failed.text
    assert "object" not in failed.text
    return failed
