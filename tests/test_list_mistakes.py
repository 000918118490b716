"""Mistakes that people make with lists, and the whole of what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

TO = "79001234567"


class Mistake(NamedTuple):
    """A list by name and content, the text of the message, and what `validate` says."""

    name: str
    content: str
    body: str
    code: int
    said: str


MISTAKES = {
    "an empty cell that the text shows": Mistake(
        "people.csv",
        f"to,name\n{TO},\n",
        "Dear {{ name }}!",
        0,
        'm.toml:5:13: warning: message "a": "name" is empty (people.csv:2)\n1 message, no errors\n',
    ),
    "a column's name with a hyphen": Mistake(
        "people.csv",
        f"to,first-name\n{TO},Ann\n",
        "Dear {{ first-name }}!",
        2,
        'm.toml:5:13: error: message "a": the column "first-name" is written '
        '{{ row["first-name"] }} (people.csv:2)\n1 error\n',
    ),
    "a column's name with a space": Mistake(
        "people.csv",
        f"to,First Name\n{TO},Ann\n",
        "Dear {{ First Name }}!",
        2,
        'm.toml:5:13: error: message "a": the column "First Name" is written '
        '{{ row["First Name"] }} (people.csv:2)\n1 error\n',
    ),
    "another column of numbers": Mistake(
        "people.csv",
        f"name,phone\nAnn,{TO}\n",
        "Hello!",
        2,
        'people.csv:1:1: error: there is no column "to" among name, phone; write '
        'recipients = { file = "people.csv", to = "phone" }\n1 error\n',
    ),
    "a workbook": Mistake(
        "people.xlsx",
        "PK\3\4",
        "Hello!",
        2,
        "people.xlsx:1:1: error: this is a workbook; save its sheet as CSV (UTF-8), and name that "
        "file\n1 error\n",
    ),
    "a JSON array": Mistake(
        "people.jsonl",
        f'[{{"to": "{TO}"}}]\n',
        "Hello!",
        2,
        "people.jsonl:1:1: error: this is one JSON array; a .jsonl file has an object a line: "
        "jq -c '.[]' does that\n1 error\n",
    ),
    "rows that were emptied, not deleted": Mistake(
        "people.csv", f"to,name\n{TO},Ann\n,\n,\n", "Dear {{ name }}!", 0, "1 message, no errors\n"
    ),
    "a first line of Excel's": Mistake(
        "people.csv", f"sep=;\nto;name\n{TO};Ann\n", "{{ name }}", 0, "1 message, no errors\n"
    ),
    "a number as spreadsheets have it": Mistake(
        "people.csv",
        f"to\n{TO}.0\n",
        "Hello!",
        2,
        f'people.csv:2:1: error: message "a": "{TO}.0" ends in decimals, as '
        f"a spreadsheet writes a number; write {TO}\n1 error\n",
    ),
    "a number without its country": Mistake(
        "people.csv",
        "to\n8 (900) 123-45-67\n",
        "Hello!",
        2,
        'people.csv:2:1: error: message "a": "8 (900) 123-45-67": no country code begins with 89; '
        'for numbers as dialled inside a country: country = "RU"\n1 error\n',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=[*MISTAKES])
def test_what_is_said(project: Project, mistake: Mistake) -> None:
    project.write(mistake.name, mistake.content)
    entry = f'[[messages]]\nid = "a"\nrecipients = "{mistake.name}"\ntext.body = "{mistake.body}"'
    project.manifest(entry, "m.toml")
    result = project.call("validate", "m.toml")
    assert (result.code, result.stdout + result.stderr) == (mistake.code, mistake.said)
    line = mistake.said.splitlines()[0]
    assert len(line) <= 160, "it is more than two lines of a terminal"
