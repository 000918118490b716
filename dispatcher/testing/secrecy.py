"""What an attempt reveals: whether a token shows in an error, a receipt or a log."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from dispatcher.errors import DeliveryError
from dispatcher.testing.gateway import Reply, Request
from dispatcher.testing.transport_setup import with_words


def require_hidden(secret: str, said: Mapping[str, str]) -> None:
    """Fail if a text shows the token, also as a URL writes it; the failure does not show it."""
    for where, text in said.items():
        plain = unquote(text)
        hidden = plain.replace(secret, "<the token>")[-600:]
        assert secret not in text + plain, f"{where} shows the token: {hidden}"


def reflecting(status: int, body: Any) -> Callable[[Request], Reply]:
    """Return a step whose response repeats the request in every text."""

    def answer(request: Request) -> Reply:
        words = f"{request.path} {json.dumps(dict(request.headers))}".replace('"', "'")
        headers = {"Location": words, "Retry-After": words, "X-Request": words}
        return Reply(status, with_words(body, words), headers)

    return answer


def revealed_by(action: Callable[[], object]) -> dict[str, str]:
    """Return all that an attempt reveals: its receipt, or its error and what caused it."""
    try:
        return {"the receipt": repr(action())}
    except DeliveryError as error:
        return _revealed(error)


def _revealed(error: BaseException) -> dict[str, str]:
    shown: dict[str, str] = {}
    seen, left = set(), [error]
    while left:
        each = left.pop()
        seen.add(id(each))
        # Two of them may be of one class.
        name = type(each).__name__ + (f" ({len(seen)})" if len(seen) > 1 else "")
        shown |= {f"str({name})": str(each), f"repr({name})": repr(each)}
        shown |= {f"{name}.args": repr(each.args), f"the fields of {name}": repr(vars(each))}
        shown[f"the traceback of {name}"] = "".join(traceback.format_exception(each, chain=False))
        causes = (each.__cause__, each.__context__)
        left += [cause for cause in causes if cause is not None and id(cause) not in seen]
    return shown
