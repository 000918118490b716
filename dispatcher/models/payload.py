"""A payload: the JSON that a transport posts, and its bytes once it is sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

Payload: TypeAlias = dict[str, Any]

# One encoder for all: creating one takes longer than encoding a message.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# `decode` also looks for blanks around it (benchmarks/planning.py).
_decode = json.JSONDecoder().raw_decode


def encode(payload: Payload) -> bytes:
    """Return the JSON of a payload, as every transport posts it and as `plan` shows it."""
    return _encode(payload).encode()


def decode(sealed: bytes) -> Payload:
    """Return a new payload, equal to the one that was sealed."""
    payload: Payload
    payload, _ = _decode(sealed.decode())
    return payload


def seal(payload: Payload) -> bytes:
    """Return the JSON of a payload as it is now, such that `decode` and `encode` keep its bytes.

    Raises ValueError, with a sentence, for what is not JSON, or not the same for every reader.
    """
    try:
        sealed = encode(payload)
        copy = decode(sealed)
        # Equal tables have as many keys; comparing them is faster than encoding once more
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


def refers_to(payload: Payload, reference: str) -> bool:
    """Whether a payload has a file's reference anywhere, where `fill_in` would find it."""
    return any(value == reference for _, value in leaves(payload))


def fill_in(payload: Payload, reference: str, media_id: str) -> None:
    """Put a media id wherever a payload has a file's reference, however deeply nested."""
    rest: list[Any] = [payload]
    while rest:
        holder = rest.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, (dict, list)):
                rest.append(value)
            elif value == reference:
                holder[key] = media_id


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that holds no others, with its path: `text.body`."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, value
