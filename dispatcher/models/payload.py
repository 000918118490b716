"""A payload: the JSON that a transport posts, and its bytes once nobody is to change it."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Payload: TypeAlias = dict[str, Any]

# One encoder for all: making one takes longer than encoding a message.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


def encode(payload: Payload) -> bytes:
    """The JSON of a payload, as every transport posts it and as `plan` shows it."""
    return _encode(payload).encode()


def decode(sealed: bytes) -> Payload:
    """A payload of one's own, equal to the one that was sealed."""
    payload: Payload = _decode(sealed.decode())
    return payload


def seal(payload: Payload) -> bytes:
    """The JSON of a payload as it is now: `decode` and `encode` lead back to the same bytes.

    Raises ValueError, with a sentence, for what is not JSON, or not the same for every reader.
    """
    try:
        sealed = encode(payload)
        copy = decode(sealed)
        # Equal tables have as many keys; to compare them is quicker than to encode once more
        # (benchmarks/planning.py).
        again = sealed if copy == payload else encode(copy)
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a character (a lone surrogate)") from None
    except RecursionError:
        raise ValueError("tables or lists are nested too deep") from None
    except (TypeError, ValueError) as error:
        raise ValueError(str(error)) from error
    if again != sealed:
        raise ValueError("two keys of one table are the same text")
    return sealed


def fill_in(payload: Payload, reference: str, media_id: str) -> None:
    """Put a media id in every place of a file's reference; nested however deep."""
    rest: list[Any] = [payload]
    while rest:
        holder = rest.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, (dict, list)):
                rest.append(value)
            elif value == reference:
                holder[key] = media_id
