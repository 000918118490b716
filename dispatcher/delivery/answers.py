"""What a transport answers while messages are sent, in the words that delivery goes by.

A transport may be anybody's. Whatever it returns or raises becomes one of these words here, and is
well formed: an error of ours further on would end the run, with everybody else's messages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from dispatcher.errors import (
    AccountRefused,
    DeliveryError,
    NotSent,
    OutcomeUnknown,
    Refused,
    pass_on_interruption,
)
from dispatcher.models import MediaId, Receipt

_log = logging.getLogger("dispatcher")

# Gives what a call gave, or raises what it raised.
Answer: TypeAlias = Callable[[], Any]
Made = TypeVar("Made", Receipt, MediaId)
_WORDS = (AccountRefused, Refused, NotSent, OutcomeUnknown)  # each before those it derives from
_FAULT = "transport_error"


def receipt(transport: str, answer: Answer) -> Receipt:
    """What `send` answers. Raises one of the words of `dispatcher.errors`; whatever else it raises,
    or returns, the message may have left: unknown."""
    given = _answered(transport, answer, OutcomeUnknown)
    found = _made(Receipt, given, "id")
    if found is None:
        raise OutcomeUnknown("the transport returned no receipt with an id", code=_FAULT)
    return found


def media_id(transport: str, answer: Answer) -> MediaId:
    """What `upload` answers. Raises `NotSent` or `Refused`: no message has left."""
    try:
        given = _answered(transport, answer, Refused)
    except OutcomeUnknown as error:
        raise NotSent(error.text, code=error.code) from error
    found = _made(MediaId, given, "id", "expires_at")
    if found is None:
        raise Refused("the transport returned no media id", code=_FAULT)
    return found


def _answered(transport: str, answer: Answer, otherwise: type[DeliveryError]) -> Any:
    try:
        return answer()
    except BaseException as error:
        pass_on_interruption(error)
        try:
            word = _word(error)
        except Exception:  # one of its attributes fails
            word = None
        if word is error:
            raise
        if word is not None:
            raise word from error
        # Only so: its text may hold anything, a token in a URL, say.
        _log.debug("transport %s failed", transport, exc_info=True)
        text = f"the transport failed: {type(error).__name__}; --debug shows where"
        raise otherwise(text, code=_FAULT) from error


def _made(kind: type[Made], given: object, *fields: str) -> Made | None:
    """A model of one's own, with an id, of what is one only by its class; None: it is none."""
    try:
        found = kind(**{name: getattr(given, name) for name in fields})
    except Exception:  # not only ValidationError: what is asked for may be a property that fails
        return None
    return found if isinstance(given, kind) and found.id.strip() else None


def _word(error: BaseException) -> DeliveryError | None:
    """An error in the words of `dispatcher.errors`, itself where it is well formed; None: it is
    none of them."""
    kind = next((word for word in _WORDS if isinstance(error, word)), None)
    if kind is None:
        return None
    code, text = getattr(error, "code", None), getattr(error, "text", None)
    written = isinstance(text, str) and text and (code is None or isinstance(code, str))
    if written and kind is not NotSent:
        assert isinstance(error, DeliveryError)
        return error
    code, text = code if code is None else str(code), str(text or f"{type(error).__name__} raised")
    if kind is not NotSent:
        return kind(text, code=code)
    after, throttled = getattr(error, "retry_after", None), getattr(error, "throttled", False)
    return NotSent(text, code=code, retry_after=_seconds(after), throttled=bool(throttled))


def _seconds(given: object) -> float | None:
    """A number of seconds, also where it was passed on as a header has it; None: it is none."""
    if not isinstance(given, (int, float, str)):
        return None
    try:
        return float(given)
    except (ValueError, OverflowError):
        return None
