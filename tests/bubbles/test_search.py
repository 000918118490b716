"""What a search finds."""

from dispatcher.bubbles.search import as_number, mentions
from tests.support.cases import cases


@cases(
    "sought, is_found",
    ("bold words", True),
    ("*bold* words", True),
    ("BOLD", True),
    ("snake_case", True),
    ("snakecase", True),
    ("body", False),
    ("words bold", False),
)
def test_what_is_written_and_what_is_shown_are_found(sought: str, is_found: bool) -> None:
    assert mentions({"text": {"body": "*bold* words in snake_case"}}, sought) == is_found


def test_marks_alone_are_found_where_they_are() -> None:
    assert mentions({"text": {"body": "a * b"}}, "*")
    assert not mentions({"text": {"body": "a b"}}, "*")


@cases(
    "sought, number",
    ("+7 900 123-45-67", "79001234567"),
    ("79001234567", "79001234567"),
    ("79001234567-1581234048", "79001234567-1581234048"),
    ("order 1041", "order 1041"),
)
def test_a_number_as_people_write_it(sought: str, number: str) -> None:
    assert as_number(sought) == number
