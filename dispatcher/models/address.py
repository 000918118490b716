"""Where a message goes, as its gateway wants it."""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """What a person wrote for a recipient, read by a transport.

    `to`: what the gateway is given, and the last part of every key; the same for all ways to write
    one recipient. `recipient_type`: a word of the transport's own ("individual", "group").
    """

    to: str
    recipient_type: str
