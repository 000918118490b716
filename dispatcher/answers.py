"""Checks of what plugins return. What a hook does not allow is a `PluginError`; every `send` and
`upload` of a transport returns, or raises a `DeliveryError`.

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

Read: TypeAlias = Callable[[object], Any]
# Returns what a call returned, or raises what it raised.
Answer: TypeAlias = Callable[[], Any]
Made = TypeVar("Made", Receipt, MediaId)

_OUTCOMES = (AccountRefused, Refused, NotSent, OutcomeUnknown)  # each before its base class
_FAULT = "transport_error"
_brief = reprlib.Repr()
_brief.maxother = _brief.maxstring = 100


def attachment_answer(answer: object) -> Attachment | None:
    """What `dispatcher_resolve_source` may answer."""
    if answer is None:
        return None
    for kind in (Upload, Link, MediaId):
        if isinstance(answer, kind):
            return kind(**{name: getattr(answer, name) for name in kind.model_fields})
    raise unexpected(answer, "an Upload, a Link, a MediaId or None")


def no_answer(answer: object) -> None:
    """What a hook may answer that is only notified: nothing."""
    if answer is not None:
        raise unexpected(answer, "no answer")


def problem_answer(answer: object) -> list[Problem]:
    """What `dispatcher_validate_message` may answer."""
    expected = "an iterable of Problem, or None"
    problems = [] if answer is None else items(answer, expected)
    return [_own_problem(problem, expected) for problem in problems]


def _own_problem(answer: object, expected: str) -> Problem:
    """A checked copy of a problem: one can be made without the checks of its class."""
    if not isinstance(answer, Problem):
        raise unexpected(answer, expected)
    try:
        return Problem(**{name: getattr(answer, name) for name in Problem.model_fields})
    except ValidationError:
        raise unexpected(answer, expected) from None


def check_answer(answer: object) -> list[Problem]:
    """What a transport's `check` may answer."""
    if answer is None:
        raise PluginError("answered None, expected an iterable of Problem; forgotten return?")
    return problem_answer(answer)


def payload_answer(answer: object) -> bytes:
    """What a transport's `build` may answer: a table, which is sealed."""
    if not isinstance(answer, dict):
        raise unexpected(answer, "the JSON body as a dict")
    return sealed(answer)


def sealed(payload: Payload) -> bytes:
    """The bytes of a payload that a plugin has built or changed. Raises PluginError."""
    try:
        return seal(payload)
    except ValueError as error:
        raise PluginError(f"the payload is not JSON: {error}") from error


def address_answer(answer: object) -> Address:
    """What a transport's `address` may answer: a recipient that can be the last part of a key."""
    if not isinstance(answer, Address):
        raise unexpected(answer, "an Address, or AddressError raised")
    if not isinstance(answer.to, str) or not _stands_in_a_key(answer.to):
        raise unexpected(answer, _IN_A_KEY)
    if not isinstance(answer.recipient_type, str) or not answer.recipient_type:
        raise unexpected(answer, "a recipient_type that is a word")
    # Plain texts: a class derived from `str` may be written differently in a key.
    return Address(str.__str__(answer.to), str.__str__(answer.recipient_type))


_IN_A_KEY = (
    f"a `to` of 1 to {LONGEST_ADDRESS} characters, none of them a blank or invisible, in NFC"
)


def _stands_in_a_key(to: str) -> bool:
    """Keys are copied from a terminal, read from lines of a file, and compared letter by letter."""
    seen = " " not in to and to == printable(to)
    return seen and 0 < len(to) <= LONGEST_ADDRESS and is_normalized("NFC", to)


def unexpected(answer: object, expected: str) -> PluginError:
    """The error for an answer that is not what a hook allows."""
    return PluginError(f"answered {brief(answer)}, expected {expected}")


def items(answer: object, expected: str) -> list[Any]:
    """What an answer has in it, if it is a collection. Raises PluginError."""
    if isinstance(answer, (list, GeneratorType)):  # almost always
        return list(answer)
    # A model iterates over its fields and a text over its letters: neither is a collection here.
    if isinstance(answer, (str, bytes, Mapping, Problem)) or not isinstance(answer, Iterable):
        raise unexpected(answer, expected)
    return list(answer)


def brief(answer: object) -> str:
    """An answer as an error shows it."""
    return _brief.repr(answer)


def receipt(transport: str, answer: Answer) -> Receipt:
    """What `send` returned. Raises a `DeliveryError`.

    Whatever else the transport raises or returns, the message may have left: `OutcomeUnknown`.
    """
    given = _answered(transport, answer, OutcomeUnknown)
    found = _made(Receipt, given, "id")
    if found is None:
        raise OutcomeUnknown("the transport returned no receipt with an id", code=_FAULT)
    return found


def media_id(transport: str, answer: Answer) -> MediaId:
    """What `upload` returned. Raises `NotSent` or `Refused`: no message has left."""
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
            outcome = _delivery_error(error)
        except Exception:  # one of its attributes fails
            outcome = None
        if outcome is error:
            raise
        if outcome is not None:
            raise outcome from error
        import logging

        # Only with --debug: its text may hold anything, a token in a URL, say.
        logging.getLogger("dispatcher").debug("transport %s failed", transport, exc_info=True)
        text = f"the transport failed: {type(error).__name__}; --debug shows where"
        raise otherwise(text, code=_FAULT) from error


def _made(kind: type[Made], given: object, *fields: str) -> Made | None:
    """A checked copy of a model with an id; None: it is not one, or not well formed."""
    try:
        found = kind(**{name: getattr(given, name) for name in fields})
    except Exception:  # not only ValidationError: what is asked for may be a property that fails
        return None
    return found if isinstance(given, kind) and found.id.strip() else None


def _delivery_error(error: BaseException) -> DeliveryError | None:
    """The error itself where it is a well-formed `DeliveryError`, else one made of it; None: it is
    another exception."""
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


def _seconds(given: object) -> float | None:
    """A number of seconds, also as the text of a header; None: it is no number."""
    if not isinstance(given, (int, float, str)):
        return None
    try:
        return float(given)
    except (ValueError, OverflowError):
        return None
