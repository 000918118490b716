"""Validates what plugins return.

What a hook does not allow is a `PluginError`. Every `send` and `upload` of a transport returns, or
raises a `DeliveryError`.

A plugin may do anything. What it returns is copied and well formed from here on: an error of the
dispatcher's own further on would end the run, and with it all other messages.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping
from types import GeneratorType
from typing import Any, TypeAlias, TypeVar
from unicodedata import is_normalized

from pydantic import ValidationError

from dispatcher.errors import (
    AccountRefused,
    DeliveryError,
    NotSent,
    OutcomeUnknown,
    PluginError,
    Refused,
    pass_on_interruption,
)
from dispatcher.models import (
    Address,
    Attachment,
    DeliveryStatus,
    Failure,
    Link,
    MediaId,
    Payload,
    Problem,
    Receipt,
    Upload,
    seal,
)
from dispatcher.names import LONGEST_ADDRESS
from dispatcher.visible import printable

# Returns a checked copy of what a plugin returned, or raises PluginError.
Check: TypeAlias = Callable[[object], Any]
# Returns what a call returned, or raises what it raised.
Call: TypeAlias = Callable[[], Any]
WithId = TypeVar("WithId", Receipt, MediaId)

_OUTCOMES = (AccountRefused, Refused, NotSent, OutcomeUnknown)  # each before its base class
_FAULT = "transport_error"
# Characters. Anybody may have posted to the webhook, and the journal keeps it.
_LONGEST_REASON = 300
_brief = reprlib.Repr()
_brief.maxother = _brief.maxstring = 100


def checked_attachment(result: object) -> Attachment | None:
    """Return a copy of what `dispatcher_resolve_source` returned. Raises PluginError."""
    if result is None:
        return None
    for kind in (Upload, Link, MediaId):
        if isinstance(result, kind):
            return kind(**{name: getattr(result, name) for name in kind.model_fields})
    raise unexpected(result, "an Upload, a Link, a MediaId or None")


def require_nothing(result: object) -> None:
    """Raise PluginError if a hook that is only notified returned anything."""
    if result is not None:
        raise unexpected(result, "no answer")


def checked_problems(result: object) -> list[Problem]:
    """Return copies of what `dispatcher_validate_message` returned. Raises PluginError."""
    expected = "an iterable of Problem, or None"
    problems = [] if result is None else items(result, expected)
    return [_checked_problem(problem, expected) for problem in problems]


def _checked_problem(result: object, expected: str) -> Problem:
    # Validated again: a model can be made without the checks of its class.
    if not isinstance(result, Problem):
        raise unexpected(result, expected)
    try:
        return Problem(**{name: getattr(result, name) for name in Problem.model_fields})
    except ValidationError:
        raise unexpected(result, expected) from None


def required_problems(result: object) -> list[Problem]:
    """Return copies of what a transport's `check` returned, which may not be None.

    Raises PluginError.
    """
    if result is None:
        raise PluginError("answered None, expected an iterable of Problem; forgotten return?")
    return checked_problems(result)


def checked_key(result: object) -> str | None:
    """Return what a content's `written_at` returned. Raises PluginError."""
    if result is not None and not isinstance(result, str):
        raise unexpected(result, "the key of a manifest, or None")
    return result


def checked_payload(result: object) -> bytes:
    """Return the sealed payload that a transport's `build` returned. Raises PluginError."""
    if not isinstance(result, dict):
        raise unexpected(result, "the JSON body as a dict")
    return sealed(result)


def sealed(payload: Payload) -> bytes:
    """Return the bytes of a payload that a plugin built or changed. Raises PluginError."""
    try:
        return seal(payload)
    except ValueError as error:
        raise PluginError(f"the payload is not JSON: {error}") from error


def checked_address(result: object) -> Address:
    """Return a copy of what a transport's `address` returned.

    Raises PluginError, also where the recipient cannot be the last part of a key.
    """
    if not isinstance(result, Address):
        raise unexpected(result, "an Address, or AddressError raised")
    if not isinstance(result.to, str) or not _can_be_in_a_key(result.to):
        raise unexpected(result, _IN_A_KEY)
    if not isinstance(result.recipient_type, str) or not result.recipient_type:
        raise unexpected(result, "a recipient_type that is a word")
    # Plain texts: a class derived from `str` may be written differently in a key.
    return Address(str.__str__(result.to), str.__str__(result.recipient_type))


_IN_A_KEY = (
    f"a `to` of 1 to {LONGEST_ADDRESS} characters, none of them a blank or invisible, in NFC"
)


def _can_be_in_a_key(to: str) -> bool:
    """Whether it can be part of a key: keys are copied, stored one per line, compared exactly."""
    visible = " " not in to and to == printable(to)
    return visible and 0 < len(to) <= LONGEST_ADDRESS and is_normalized("NFC", to)


def delivery_statuses(result: object) -> list[DeliveryStatus]:
    """Return copies of what a transport's `statuses` returned. Raises PluginError."""
    expected = "an iterable of DeliveryStatus"
    return [_checked_status(status, expected) for status in items(result, expected)]


def _checked_status(result: object, expected: str) -> DeliveryStatus:
    if not isinstance(result, DeliveryStatus):
        raise unexpected(result, expected)
    try:
        fields = {name: getattr(result, name) for name in DeliveryStatus.model_fields}
        status = DeliveryStatus(**fields)
    except (ValidationError, AttributeError):
        raise unexpected(result, expected) from None
    if status.reason is None or len(status.reason) <= _LONGEST_REASON:
        return status
    return status.model_copy(update={"reason": f"{status.reason[: _LONGEST_REASON - 1]}…"})


def unexpected(result: object, expected: str) -> PluginError:
    """Return the error for a result that a hook does not allow."""
    return PluginError(f"answered {brief(result)}, expected {expected}")


def items(result: object, expected: str) -> list[Any]:
    """Return the items of a result that is a collection. Raises PluginError if it is none."""
    if isinstance(result, (list, GeneratorType)):  # almost always
        return list(result)
    # A model iterates over its fields and a text over its letters: neither is a collection here.
    if isinstance(result, (str, bytes, Mapping, Problem)) or not isinstance(result, Iterable):
        raise unexpected(result, expected)
    return list(result)


def brief(result: object) -> str:
    """Return a result as an error shows it, in at most about 100 characters."""
    return _brief.repr(result)


def receipt(transport: str, call: Call) -> Receipt:
    """Return what a transport's `send` returned. Raises a `DeliveryError`.

    Whatever else the transport raises or returns is an `OutcomeUnknown`: the message may have left.
    """
    result = _result(transport, call, OutcomeUnknown)
    found = _with_id(Receipt, result, "id")
    if found is None:
        raise OutcomeUnknown("the transport returned no receipt with an id", code=_FAULT)
    return found


def reconciled(result: object) -> Receipt | Failure | None:
    """Return a checked copy of what a transport's `reconcile` returned; None tells nothing."""
    if not isinstance(result, Failure):
        return _with_id(Receipt, result, "id")
    try:
        return Failure(code=result.code, text=result.text)
    except Exception:  # a model can be made without the checks of its class
        return None


def media_id(transport: str, call: Call) -> MediaId:
    """Return what a transport's `upload` returned. Raises `NotSent`, `Refused` or `AccountRefused`.

    Whatever else the transport raises or returns is a `Refused`: no message has left.
    """
    try:
        result = _result(transport, call, Refused)
    except OutcomeUnknown as error:
        raise NotSent(error.text, code=error.code) from error
    found = _with_id(MediaId, result, "id", "expires_at")
    if found is None:
        raise Refused("the transport returned no media id", code=_FAULT)
    return found


def _result(transport: str, call: Call, otherwise: type[DeliveryError]) -> Any:
    """Return what a call returned; raises `otherwise` for an error that is no `DeliveryError`."""
    try:
        return call()
    except BaseException as error:
        pass_on_interruption(error)
        try:
            outcome = _delivery_error(error)
        except Exception:  # one of its attributes fails
            outcome = None
        if outcome is error:
            raise
        if outcome is not None:
            raise outcome from error
        import logging

        # Only with --debug: its text may hold anything, for example a token in a URL.
        logging.getLogger("dispatcher").debug("transport %s failed", transport, exc_info=True)
        text = f"the transport failed: {type(error).__name__}; --debug shows where"
        raise otherwise(text, code=_FAULT) from error


def _with_id(kind: type[WithId], result: object, *fields: str) -> WithId | None:
    """Return a checked copy of a model with an id, or None if the result is not well formed."""
    try:
        found = kind(**{name: getattr(result, name) for name in fields})
    except Exception:  # not only ValidationError: what is asked for may be a property that fails
        return None
    return found if isinstance(result, kind) and found.id.strip() else None


def _delivery_error(error: BaseException) -> DeliveryError | None:
    """Return the error itself if it is a well-formed `DeliveryError`, or one made of it.

    Returns None for any other exception.
    """
    kind = next((kind for kind in _OUTCOMES if isinstance(error, kind)), None)
    if kind is None:
        return None
    code, text = getattr(error, "code", None), getattr(error, "text", None)
    well_formed = isinstance(text, str) and text and (code is None or isinstance(code, str))
    if well_formed and kind is not NotSent:
        assert isinstance(error, DeliveryError)
        return error
    code, text = code if code is None else str(code), str(text or f"{type(error).__name__} raised")
    if kind is not NotSent:
        return kind(text, code=code)
    after, throttled = getattr(error, "retry_after", None), getattr(error, "throttled", False)
    return NotSent(text, code=code, retry_after=_seconds(after), throttled=bool(throttled))


def _seconds(value: object) -> float | None:
    """Return a number of seconds, also from the text of a header, or None if it is no number."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
