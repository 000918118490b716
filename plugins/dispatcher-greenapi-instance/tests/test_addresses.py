"""What people write for a recipient → the chat that an instance knows."""

from __future__ import annotations

import pytest

from dispatcher import Address, AddressError
from dispatcher.testing import message
from dispatcher_greenapi_instance import GreenApiInstance
from dispatcher_greenapi_instance.payload import build


@pytest.mark.parametrize(
    ("written", "address", "chat"),
    [
        ("79001234567", Address("79001234567", "individual"), "79001234567@c.us"),
        ("+7 900 123-45-67", Address("79001234567", "individual"), "79001234567@c.us"),
        ("79001234567@c.us", Address("79001234567", "individual"), "79001234567@c.us"),
        ("120363043968066561", Address("120363043968066561", "group"), "120363043968066561@g.us"),
        (
            " 120363043968066561@g.us ",
            Address("120363043968066561", "group"),
            "120363043968066561@g.us",
        ),
        (
            "79001234567-1581234048",
            Address("79001234567-1581234048", "group"),
            "79001234567-1581234048@g.us",
        ),
        (
            "79001234567-1581234048@g.us",
            Address("79001234567-1581234048", "group"),
            "79001234567-1581234048@g.us",
        ),
        ("98765432109876@lid", Address("98765432109876@lid", "lid"), "98765432109876@lid"),
    ],
)
def test_the_chat_that_is_meant(written: str, address: Address, chat: str) -> None:
    assert GreenApiInstance().address(written, None) == address
    made = message().model_copy(update=address._asdict())
    assert build(made, None)["chatId"] == chat
    assert not list(GreenApiInstance().check(build(made, None), None))


@pytest.mark.parametrize("written", ["7900", "7900@c.us", "79001234567@g.us", "ops", "1@lid", ""])
def test_what_is_no_chat(written: str) -> None:
    with pytest.raises(AddressError):
        GreenApiInstance().address(written, None)


def test_a_number_is_dialled_in_the_country() -> None:
    address = GreenApiInstance().address("8 (900) 123-45-67", "RU")
    assert address == Address("79001234567", "individual")
