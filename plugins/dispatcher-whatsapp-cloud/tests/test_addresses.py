"""What people write for a recipient → what Meta's gateways are given."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher import Address, AddressError
from dispatcher.testing import manifest, plan
from dispatcher_whatsapp_cloud import CloudPluginSettings, WhatsAppCloud, WhatsAppCloudPlugin

GROUP = "Y2FwaV9ncm91cDoxNzAwMDAwMDAwMDoxMjAzNjMwNDM5NjgwNjY1NjEZD"


@pytest.fixture
def transport() -> WhatsAppCloud:
    return WhatsAppCloud()


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (GROUP, Address(GROUP, "group")),
        (f" {GROUP}\n", Address(GROUP, "group")),
        ("+7 900 123-45-67", Address("79001234567", "individual")),
        ("79001234567-1581234048", Address("79001234567-1581234048", "group")),
    ],
)
def test_who_is_meant(transport: WhatsAppCloud, written: str, address: Address) -> None:
    assert transport.address(written, None) == address


@pytest.mark.parametrize("written", [GROUP.lower(), "Y2FwaV9ncm91cDo", f"{GROUP} x", "900"])
def test_what_is_nobody(transport: WhatsAppCloud, written: str) -> None:
    with pytest.raises(AddressError):
        transport.address(written, None)


def test_a_group_of_a_manifest_is_posted_as_it_is(tmp_path: Any) -> None:
    path = manifest(tmp_path, {"to": GROUP}, transport="whatsapp-cloud")
    made = plan(path, WhatsAppCloudPlugin(CloudPluginSettings()))
    assert made.problems == []
    payload = made.messages[0].payload
    assert (payload["recipient_type"], payload["to"]) == ("group", GROUP)
