"""Who can be written to, and that one recipient is one, however it is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import AddressError
from dispatcher_telegram import Telegram
from dispatcher_telegram.addresses import read_address


@pytest.mark.parametrize(
    ("written", "to", "kind"),
    [
        ("123456789", "123456789", "user"),
        (" 123456789 ", "123456789", "user"),
        ("-4512345", "-4512345", "group"),
        ("-1001234567890", "-1001234567890", "channel"),
        ("@shop_news", "@shop_news", "channel"),
        ("@Shop_News", "@shop_news", "channel"),
    ],
)
def test_chats(make: Callable[[], Telegram], written: str, to: str, kind: str) -> None:
    assert make().address(written, None) == (to, kind)
    assert make().address(to, "RU") == (to, kind)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("+7 900 123-45-67", "is a phone number"),
        ("0", "no chat"),
        ("007", "no chat"),
        ("1.23E+08", "no chat"),
        ("123456789.0", "no chat"),
        ("-", "no chat"),
        ("@abc", "no chat"),
        ("@1shop", "no chat"),
        ("shop_news", "no chat"),
        ("@магазин", "no chat"),
        ("١٢٣٤٥٦٧٨٩", "no chat"),
        (str(1 << 52), "no chat"),
        ("", "no chat"),
    ],
)
def test_what_is_none(make: Callable[[], Telegram], written: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        make().address(written, None)


@given(st.text())
def test_whatever_is_written_is_a_chat_or_explained(written: str) -> None:
    try:
        read = read_address(written)
    except AddressError:
        return
    assert read_address(read.to) == read
