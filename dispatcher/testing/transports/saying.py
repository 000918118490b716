"""What an author said of a transport, and the tests' cases that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from dispatcher.testing.script import Fault, Raw, Reply, Step

LISTS = ("refused", "account_refused", "not_sent", "throttled", "unknown")

# In none of these does anybody know whether the message was accepted.
BREAKS: dict[str, Step] = {
    **{fault.name.lower().replace("_", "-"): fault for fault in Fault},
    "not-http": Raw(b"hello\r\n\r\n"),
    "cut-in-the-status": Raw(b"HTTP/1.1 20"),
}
USELESS: dict[str, Any] = {
    "empty": b"",
    "no-object": "[]",
    "no-id": {},
    "broken-json": '{"id": "m1", "messages": [{"id": "m1',
    "html": "<html><body>Welcome to this network! Please sign in.</body></html>",
    "deep": "[" * 100_000,
    "not-utf-8": b'{"id": "\xff\xfe',
}


def said(situation: object, name: str) -> Any:
    """What an author said; the test fails if that is nothing."""
    try:
        return getattr(situation, name)
    except AttributeError:
        of = type(situation).__name__
        pytest.fail(f"{of} says nothing of `{name}`: what is it, or is it () or None?")


def cases(situation: object, name: str) -> Iterable[Any]:
    """A test's cases for a list of answers; `listed`: for all of them."""
    if name == "listed":
        return [case for each in LISTS for case in cases(situation, each)]
    replies = getattr(situation, name, None)
    if replies is None:
        return [pytest.param(Missing(name), id=f"{name}-missing")]
    if not replies:
        skipped = pytest.mark.skip(reason=f"no answer means this: {name} = ()")
        return [pytest.param(None, id=f"{name}-none", marks=skipped)]
    return [
        pytest.param(reply, id=f"{name}-{number}-{reply.status}")
        for number, reply in enumerate(replies, 1)
    ]


class Missing:
    """Stands for a list that an author forgot."""

    def __init__(self, name: str) -> None:
        self.name = name


def reply_of(case: Reply | Missing, situation: object) -> Reply:
    """The answer of a case; the test fails if it was forgotten."""
    return said(situation, case.name) if isinstance(case, Missing) else case


def without_id(value: Any, identifier: str) -> Iterator[Any]:
    """An accepted body in which, in the place of the id, stands what is none."""
    others: list[Any] = [None, "", " ", {}, [], True]
    for instead in others:
        yield _replaced(value, identifier, instead)


def _replaced(value: Any, old: str, new: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    return new if str(value) == old else value


def with_words(value: Any, words: str) -> Any:
    """A body that says something more in each of its texts."""
    if isinstance(value, dict):
        return {key: with_words(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [with_words(each, words) for each in value]
    return f"{value} {words}" if isinstance(value, str) else value


def settings_prefix(situation: Any) -> str:
    """How the environment's variables of the transport's settings begin."""
    config = getattr(type(situation.make("http://127.0.0.1:9")).Settings, "model_config", {})
    return str(config.get("env_prefix", ""))
