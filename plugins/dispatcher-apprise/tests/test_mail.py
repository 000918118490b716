"""Mail through a real server: what is known of it, and what is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from dispatcher import DeliveryError, OutcomeUnknown, Receipt, Refused
from dispatcher.testing import message, upload
from dispatcher_apprise.settings import AppriseSettings
from dispatcher_apprise.transport import AppriseTransport


def _mail_server() -> Any:
    # The tests of several plugins run at once, and are no packages.
    path = Path(__file__).with_name("mailserver.py")
    spec = importlib.util.spec_from_file_location("apprise_mailserver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MailServer


MailServer = _mail_server()


def sent(server: Any, file: bool = False) -> Receipt:
    """Send one mail to that server."""
    url = f"mailto://user:pass@{server.address}?mode=insecure&from=a@a.example&to=b@b.example&rto=1"
    transport = AppriseTransport(AppriseSettings(APPRISE_URL=url))
    attachment = upload() if file else None
    content = {"document": {"source": "prices.pdf", "caption": "Prices"}} if file else {}
    payload = transport.build(message(to="default", **content), attachment)
    assert list(transport.check(payload, attachment)) == []
    if attachment is not None:
        payload["attach"][0]["file"] = transport.upload(attachment).id
    return transport.send(payload)


def test_a_mail_arrives() -> None:
    with MailServer() as server:
        assert sent(server).id == "default"
        [mail] = server.mails
    assert "Hello!" in mail


def test_a_file_goes_with_it() -> None:
    with MailServer() as server:
        sent(server, file=True)
        [mail] = server.mails
    assert "application/pdf" in mail
    assert 'filename="prices.pdf"' in mail
    assert "JVBERi0xLjcgcHJpY2Vz" in mail


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"AUTH": "535 wrong password"}, Refused),
        ({"MAIL": "550 not you"}, Refused),
        ({"RCPT": "550 nobody here"}, Refused),
        ({"RCPT": None}, Refused),
        ({"DATA": "554 no"}, OutcomeUnknown),
        ({".": "554 no"}, OutcomeUnknown),
        ({".": None}, OutcomeUnknown),
    ],
)
def test_what_went_wrong(answers: dict[str, str | None], outcome: type[DeliveryError]) -> None:
    with MailServer(answers) as server:
        with pytest.raises(DeliveryError) as caught:
            sent(server)
        assert server.mails == []
    assert type(caught.value) is outcome
    assert "pass" not in str(caught.value).split()
