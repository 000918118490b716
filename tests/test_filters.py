"""Numbers and dates as people write them, and values that are no text of a message."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.manifest.filters import number, written_date
from dispatcher.manifest.templates import Renderer, RenderError
from dispatcher.testing import manifest, plan
from tests.support.cases import cases

TO = "79001234567"


def rendered(text: str, **variables: Any) -> str:
    """With no-break spaces shown as underscores."""
    return Renderer().render(text, variables).replace("\u00a0", "_")


@cases(
    "value, call, text",
    (1234567, "number", "1_234_567"),
    (1234567.5, "number", "1_234_567.5"),
    (-1234, "number", "-1_234"),
    (999, "number", "999"),
    (0.1, "number", "0.1"),
    ("1234.50", "number", "1_234.50"),
    ("1 234,50", "number", "1_234.50"),
    ("1\u00a0234\u202f567", "number", "1_234_567"),
    ("1,234.50", "number", "1_234.50"),
    ("1.234,50", "number", "1_234.50"),
    ("-1,234,567", "number", "-1_234_567"),
    ("1’234’567.5", "number", "1_234_567.5"),
    (1234567.5, "number('1 234,50')", "1_234_567,50"),
    (1234567.5, "number('1,234.50')", "1,234,567.50"),
    (1234567.5, "number('1.234,50')", "1.234.567,50"),
    (1234567.5, "number('1234')", "1234568"),
    (1234567.5, "number('1’234.5')", "1’234’567.5"),
    ("0,125", "number('1 234,00')", "0,13"),
    (2.675, "number('1234.00')", "2.68"),
    (-0.004, "number('1234.00')", "0.00"),
    ("1", "number('1 234,00000000000000000000')", "1,00000000000000000000"),
    ("123456789012345678901234567890", "number('1234,00')", "123456789012345678901234567890,00"),
    (2.6, "round | number('1234')", "3"),
    (date(2026, 12, 1), "date", "01.12.2026"),
    ("2026-12-01", "date", "01.12.2026"),
    ("01.12.2026", "date('%Y-%m-%d')", "2026-12-01"),
    (" 1.2.2026 ", "date", "01.02.2026"),
    ("31.12.2026 9:05", "date('%-d %B, %H:%M')", "31 December, 09:05"),
    ("2026-12-01T09:05", "date('%-d.%-m.%y, %H:%M:%S')", "1.12.26, 09:05:00"),
    (datetime(2026, 12, 1, 9, tzinfo=UTC), "date('%H:%M')", "09:00"),
    ("2026-12-01", "date('%A, %-d %B')", "Tuesday, 1 December"),
    ("2026-12-01", "date('%-d %B %Y, %A', 'ru')", "1 декабря 2026, вторник"),
    ("2026-12-01", "date('100 %%')", "100 %"),
)
def test_as_people_write_them(value: Any, call: str, text: str) -> None:
    assert rendered(f"{{{{ x | {call} }}}}", x=value) == text


@cases(
    "value, call, said",
    ("1,234", "number", '"1,234" may have thousands or decimals; write 1234.5'),
    ("many", "number", '"many" is no number like 1234.5'),
    ("", "number", "an empty value is no number like 1234.5; write {% if … %} around it"),
    ("1,23,456", "number", '"1,23,456" is no number like 1234.5'),
    ("1.234.5", "number", '"1.234.5" is no number like 1234.5'),
    ("0,123.5", "number", '"0,123.5" is no number like 1234.5'),
    (True, "number", "number is for numbers"),
    ([1], "number", "number is for numbers"),
    ("9" * 31, "number", "a number is too large"),
    (5, "number('2 345')", 'number takes an example like "1 234,50"'),
    (5, "number('1,234,5')", 'number takes an example like "1 234,50"'),
    ("31.13.2026", "date", '"31.13.2026" is no date like 2026-12-01 or 01.12.2026'),
    ("01.12.26", "date", '"01.12.26" is no date like'),
    ("01/12/2026", "date", '"01/12/2026" is no date like'),
    (" ", "date", "an empty value is no date like"),
    (5, "date", "date is for dates"),
    (time(9), "date", "a time of day is no date"),
    ("2026-12-01", "date('%H')", "has no time of day for %H"),
    ("2026-12-01", "date('%c')", 'date has no "%c"; it has %d %-d %m'),
    ("2026-12-01", "date('%')", None),
    ("2026-12-01", "date('%B', 'fr')", 'date knows the languages "en" and "ru", not "fr"'),
    ("x", "numbr", 'no filter "numbr"; did you mean "number"?'),
)
def test_what_is_no_number_and_no_date(value: Any, call: str, said: str | None) -> None:
    if said is None:
        assert rendered(f"{{{{ x | {call} }}}}", x=value) == "%"
        return
    with pytest.raises(RenderError) as raised:
        rendered(f"{{{{ x | {call} }}}}", x=value)
    assert said in str(raised.value)


@cases("call", "number", "date")
def test_what_is_not_defined_is_named(call: str) -> None:
    with pytest.raises(RenderError, match='unknown variable "y"'):
        rendered(f"{{{{ y | {call} }}}}", x=1)


@given(st.decimals(-(10**12), 10**12, places=2))
def test_a_number_keeps_its_value(value: Decimal) -> None:
    written = number(str(value), "1 234,50")
    assert Decimal(written.replace("\u00a0", "").replace(",", ".")) == value


@given(st.dates())
def test_a_date_keeps_its_day(day: date) -> None:
    assert date.fromisoformat(written_date(day.isoformat(), "%Y-%m-%d")) == day


# ------------------------------------------------------------------------- no text of a message


@cases("value", "inf", "-inf", "+inf", "nan", "-nan", "1e400", "-1_0.0E999")
@cases("place", "vars", "defaults.vars", "messages.vars")
def test_what_is_no_number_in_a_manifest(tmp_path: Path, value: str, place: str) -> None:
    table = f"[{place}]\nprice = {value}\nlist = [1.0, {value}]\n"
    entry = f'[[messages]]\nid = "a"\nto = "{TO}"\ntext.body = "{{{{ price }}}}"\n'
    order = [entry, table] if place == "messages.vars" else [table, entry]
    first, second = plan(manifest(tmp_path, *order)).problems
    assert first.message.endswith("is not a number; leave the key out, or put it in quotes")
    begin = 8 if place == "messages.vars" else 3
    places = [(each.location.line, each.location.column) for each in (first, second)]
    assert places == [(begin, 9), (begin + 1, 14)]


def test_words_like_numbers_are_words(tmp_path: Path) -> None:
    made = plan(manifest(tmp_path, {"text": {"body": "inf, nan and 1e400"}}, vars={"inf": "nan"}))
    assert made.problems == []


@cases(
    "expression",
    *("x | float", "y | float", "1e999", "-1e999", "1e999 - 1e999", "1e999 | string"),
    *("x | float | round", "[1e999] | sum", "[1e999, 1] | max", "[1e999] | join"),
    *("'' ~ 1e999", "(x | float) * 0", "x | float | number"),
)
def test_what_a_template_calculates_is_a_number(expression: str) -> None:
    with pytest.raises(RenderError, match="a number is infinite, or not a number at all"):
        rendered(f"{{{{ {expression} }}}}", x="inf", y="nan")


def test_what_is_no_number_in_a_list(tmp_path: Path) -> None:
    lines = [f'{{"to": "{TO}", "price": {value}}}' for value in ("1e400", "NaN", "12.5")]
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    made = plan(manifest(tmp_path, {"recipients": "r.jsonl", "text": {"body": "{{ price }}"}}))
    assert [each.location.line for each in made.problems] == [1, 2]
    assert json.loads(lines[2])["price"] == 12.5
