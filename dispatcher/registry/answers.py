"""What hooks may answer: everything else is a `PluginError`."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping
from types import GeneratorType
from typing import Any, TypeAlias
from unicodedata import is_normalized

from pydantic import ValidationError

from dispatcher.errors import PluginError
from dispatcher.hookspecs import Engine, Transport
from dispatcher.models import (
    Address,
    Attachment,
    Link,
    MediaId,
    Payload,
    Problem,
    Upload,
    seal,
)
from dispatcher.names import LONGEST_ADDRESS
from dispatcher.visible import printable

Read: TypeAlias = Callable[[object], Any]

_brief = reprlib.Repr()
_brief.maxother = _brief.maxstring = 100


def attachment_answer(answer: object) -> Attachment | None:
    """What `dispatcher_resolve_source` may answer."""
    if answer is None:
        return None
    for kind in (Upload, Link, MediaId):
        if isinstance(answer, kind):
            return kind(**{name: getattr(answer, name) for name in kind.model_fields})
    raise _unexpected(answer, "an Upload, a Link, a MediaId or None")


def no_answer(answer: object) -> None:
    """What hooks answer that are only told something."""
    if answer is not None:
        raise _unexpected(answer, "no answer")


def problem_answer(answer: object) -> list[Problem]:
    """What `dispatcher_validate_message` may answer."""
    expected = "an iterable of Problem, or None"
    problems = [] if answer is None else _items(answer, expected)
    return [_own_problem(problem, expected) for problem in problems]


def _own_problem(answer: object, expected: str) -> Problem:
    """A copy of a problem, checked: it can be made past the checks of its class."""
    if not isinstance(answer, Problem):
        raise _unexpected(answer, expected)
    try:
        return Problem(**{name: getattr(answer, name) for name in Problem.model_fields})
    except ValidationError:
        raise _unexpected(answer, expected) from None


def check_answer(answer: object) -> list[Problem]:
    """What a transport's `check` may answer."""
    if answer is None:
        raise PluginError("answered None, expected an iterable of Problem; forgotten return?")
    return problem_answer(answer)


def payload_answer(answer: object) -> bytes:
    """What a transport's `build` may answer: a table, which is sealed."""
    if not isinstance(answer, dict):
        raise _unexpected(answer, "the JSON body as a dict")
    return sealed(answer)


def sealed(payload: Payload) -> bytes:
    """The bytes of a payload that somebody has built or changed."""
    try:
        return seal(payload)
    except ValueError as error:
        raise PluginError(f"the payload is not JSON: {error}") from error


def address_answer(answer: object) -> Address:
    """What a transport's `address` may answer: a recipient that can be the last part of a key."""
    if not isinstance(answer, Address):
        raise _unexpected(answer, "an Address, or AddressError raised")
    if not isinstance(answer.to, str) or not _stands_in_a_key(answer.to):
        raise _unexpected(answer, _IN_A_KEY)
    if not isinstance(answer.recipient_type, str) or not answer.recipient_type:
        raise _unexpected(answer, "a recipient_type that is a word")
    # Texts themselves: what is derived from them may be written otherwise in a key.
    return Address(str.__str__(answer.to), str.__str__(answer.recipient_type))


_IN_A_KEY = (
    f"a `to` of 1 to {LONGEST_ADDRESS} characters, none of them a blank or invisible, in NFC"
)


def _stands_in_a_key(to: str) -> bool:
    """Keys are copied from a terminal, read from lines of a file, and compared letter by letter."""
    seen = " " not in to and to == printable(to)
    return seen and 0 < len(to) <= LONGEST_ADDRESS and is_normalized("NFC", to)


def transport_answer(answer: object) -> list[type[Transport]]:
    """What `dispatcher_transports` may answer: classes that look like `Transport`."""
    transports = _items(answer, "an iterable of transport classes")
    for transport in transports:
        if not inspect.isclass(transport):
            raise _unexpected(transport, "the transport's class itself, without ()")
        _require_name(transport)
        # Whoever needs none to plan may load their class later.
        later = getattr(transport, "plans_without_settings", False)
        if not later and not inspect.isclass(getattr(transport, "Settings", None)):
            raise PluginError(f"{transport.__name__} has no class Settings")
        _require_methods(transport, Transport, ("build", "check", "upload", "send"))
        _require_names(transport, "recipient_fields")
    return transports


def engine_answer(answer: object) -> list[Engine]:
    """What `dispatcher_engines` may answer: objects that look like `Engine`."""
    engines = _items(answer, "an iterable of engines")
    for engine in engines:
        if inspect.isclass(engine):
            raise _unexpected(engine, "an instance; forgotten ()?")
        _require_name(engine)
        _require_methods(engine, Engine, ("run",))
    return engines


def command_answer(answer: object) -> list[Any]:
    """What `dispatcher_commands` may answer: `click.Command`s with a name."""
    from click import Command

    commands = _items(answer, "an iterable of click.Command")
    for command in commands:
        if not isinstance(command, Command):
            raise _unexpected(command, "an iterable of click.Command")
        _require_name(command)
    return commands


def _unexpected(answer: object, expected: str) -> PluginError:
    return PluginError(f"answered {_brief.repr(answer)}, expected {expected}")


def _items(answer: object, expected: str) -> list[Any]:
    if isinstance(answer, (list, GeneratorType)):  # almost always, and quickly known
        return list(answer)
    # A model iterates over its fields and a text over its letters: neither is a collection here.
    if isinstance(answer, (str, bytes, Mapping, Problem)) or not isinstance(answer, Iterable):
        raise _unexpected(answer, expected)
    return list(answer)


def _require_name(offer: object) -> None:
    name = getattr(offer, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(f'{_brief.repr(offer)} has no name; set its "name" to a text')


def _require_names(transport: type[object], attribute: str) -> None:
    """Fail if an optional attribute is there, and no collection of texts."""
    names = getattr(transport, attribute, ())
    right = isinstance(names, (tuple, list, frozenset, set))
    if not right or not all(isinstance(name, str) for name in names):
        raise PluginError(f'{attribute} of {transport.__name__} must be names, like ("to",)')


def _require_methods(offer: object, interface: type, methods: tuple[str, ...]) -> None:
    owner = offer if inspect.isclass(offer) else type(offer)
    for method in methods:
        found = getattr(offer, method, None)
        # A class derived from the protocol inherits its empty methods.
        if not callable(found) or getattr(owner, method, None) is getattr(interface, method):
            raise PluginError(f"{_brief.repr(offer)} has no method {method}")
