"""The rules that transports share: what they say, and that they take whatever a plugin left."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispatcher import Content, Link, MediaId, Problem
from dispatcher.http import rules
from dispatcher.testing import upload
from tests.support.cases import cases

ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.binary() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=10,
)


def only(problems: Iterable[Problem]) -> tuple[str | None, str]:
    """Where the one problem is, and what it says."""
    [problem] = problems
    return problem.where, problem.message


@cases(
    "fields, where, message",
    ({"bodi": 1}, "text.bodi", 'the gateway has no field "bodi" here; did you mean body?'),
    ({"colour": 1}, "text.colour", 'the gateway has no field "colour" here'),
    ({"caption": 1}, "text.caption", "caption is not allowed on text"),
    ({7: 1}, "text", "a field is named by a int"),
)
def test_unknown_fields(fields: dict[Any, Any], where: str, message: str) -> None:
    problems = rules.unknown_fields({"body": "x", **fields}, ("body",), "text", ("caption",))
    assert only(problems) == (where, message)


def test_unknown_fields_at_the_top() -> None:
    found = only(rules.unknown_fields({"caption": 1}, ("to",), elsewhere=("caption",)))
    assert found == ("caption", 'the gateway has no field "caption" here')


@cases(
    "text, message",
    (None, "the caption is empty"),
    ("", "the caption is empty"),
    (7, "must be text"),
    ("😃" * 6, "the caption has 6 characters; at most 5 are allowed"),
)
def test_texts(text: object, message: str) -> None:
    problems = rules.text_problems(text, "image.caption", 5, called="caption")
    assert only(problems) == ("image.caption", message)


def test_texts_that_are_right() -> None:
    assert not list(rules.text_problems("😃" * 5, "text.body", 5))
    assert not list(rules.text_problems("", "image.caption", 5, required=False))
    assert not list(rules.text_problems("x" * 10_000, "text.body"))


@cases(
    "link, message",
    ("ftp://a.example/x", '"ftp://a.example/x" must begin with http:// or https://, not ftp'),
    ("https://", '"https://" has no host'),
    ("https://[", '"https://[" is not a valid URL'),
    ("https://a.example/\u202e", '"https://a.example/\\u202e" must not contain spaces or'),
    (" ", "the link must be text and not empty"),
    (None, "the link must be text and not empty"),
)
def test_links(link: object, message: str) -> None:
    where, said = only(rules.link_problems(link, "image.link"))
    assert where == "image.link"
    assert said.startswith(message)


@cases(
    "changes, message",
    ({"size": 0}, 'the file "a.pdf" is empty'),
    ({"size": 2_000_001}, 'the file "a.pdf" has 2.0 MB (2000001 bytes); at most 2 MB'),
    ({"mime_type": "a\r\nb: c"}, '"a\\r\\nb: c" is not a MIME type'),
)
def test_files(changes: dict[str, Any], message: str) -> None:
    file = upload(b"x", "a.pdf").model_copy(update=changes)
    where, said = only(rules.file_problems(file, "document.source", 2_000_000))
    assert where == "document.source"
    assert said.startswith(message)


@cases("attachment", Link(url="x"), MediaId(id="1"), None)
def test_what_is_not_uploaded_has_no_size(attachment: Any) -> None:
    assert not list(rules.file_problems(attachment, None, 1))


def test_a_value_in_a_sentence_is_short_and_visible() -> None:
    assert rules.quoted_value("+7900") == '"+7900"'
    assert rules.quoted_value("a\ud800\n") == r'"a\ud800\n"'
    assert rules.quoted_value(["x"]) == "a list"
    assert len(rules.quoted_value("\u202e" * 1000)) < 110


@given(ANYTHING)
def test_they_take_anything(value: Any) -> None:
    fields = value if isinstance(value, dict) else {}
    for problem in (
        *rules.unknown_fields(fields, ("body",), "text"),
        *rules.text_problems(value, "x", 3),
        *rules.filled_problems(value, "x"),
        *rules.link_problems(value, "x"),
    ):
        assert f"{problem.where}: {problem.message}".encode()  # can be printed
        assert len(problem.message) < 300


class Flag(StrEnum):
    PLAIN = "plain"
    STRIPED = "striped"


class Ship(Content):
    flags: set[Flag]
    position: tuple[float, float] | None = None
    price: Decimal | None = None


def test_a_payload_keeps_to_a_model_as_json_does() -> None:
    good = {"flags": ["plain", "striped"], "position": [56.95, 24], "price": "12.50"}
    assert list(rules.model_problems(good, Ship, "ship")) == []


@cases(
    "fields, where, message",
    ({"flags": ["plain", "blue"]}, "ship.flags.1", "flags must be plain or striped"),
    ({"flags": "plain"}, "ship.flags", 'flags: expected a list, got "plain"'),
    ({"position": [1.5, "east"]}, "ship.position.1", 'position: expected a number, got "east"'),
    ({"price": "much"}, "ship.price", 'price: expected a number, got "much"'),
    ({"flag": "plain"}, "ship.flag", 'unknown key "flag"; did you mean "flags"?'),
)
def test_what_does_not_keep_to_a_model(fields: dict[str, Any], where: str, message: str) -> None:
    assert only(rules.model_problems({"flags": [], **fields}, Ship, "ship")) == (where, message)


@given(ANYTHING)
def test_a_model_takes_whatever_a_plugin_left(value: Any) -> None:
    for payload in (value, {"flags": value}, {"flags": [], "position": [value, value]}):
        assert all(isinstance(each, Problem) for each in rules.model_problems(payload, Ship, "s"))
