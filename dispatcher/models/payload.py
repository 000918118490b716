"""A payload: the JSON that a transport posts."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Payload: TypeAlias = dict[str, Any]

# One encoder for all: making one takes longer than encoding a message.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(payload: Payload) -> bytes:
    """The JSON of a payload, as every transport posts it and as `plan` shows it."""
    return _encode(payload).encode()
