"""What TOML 1.1 added and editors refuse is a warning (tests/test_editors.py asks the editors)."""

from pathlib import Path

import pytest

from tests.support.cases import cases
from tests.support.project import Project, text

SEVERAL = "an inline table of several lines; write it on one, or below a [header]"
COMMA = "a comma before }; leave it out"
SECONDS = "a time without seconds; write 10:20:00"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@cases(
    "line, problems",
    ("a = { b = 1,\n c = 2 }", [f"3:5: {SEVERAL}"]),
    ("a = { b = 1,\r\n c = 2 }", [f"3:5: {SEVERAL}"]),
    ("a = { # x\n b = 1 }", [f"3:5: {SEVERAL}"]),
    ("a = [ { b = 1 }, {\n b = 1 } ]", [f"3:18: {SEVERAL}"]),
    ("a = { b = 1, }", [f"3:12: {COMMA}"]),
    ("a = { b = 1, # x\n}", [f"3:5: {SEVERAL}", f"3:12: {COMMA}"]),
    (r'a = "\e"', [r"3:6: \e; write \u001b"]),
    (r'a = "\\\e \e"', [r"3:8: \e; write \u001b"]),
    (r'a = "\x41"', [r"3:6: \x41; write \u0041"]),
    ('a = """\n"\n\\x41"""', [r"5:1: \x41; write \u0041"]),
    ("a = 10:20", [f"3:5: {SECONDS}"]),
    ("a = [\n 10:20 ]", [f"4:2: {SECONDS}"]),
    ("a = 2026-01-01T10:20", [f"3:5: {SECONDS}"]),
    ("a = 2026-01-01 10:20Z", [f"3:5: {SECONDS}"]),
    ("a = 2026-01-01 10:20+03:00", [f"3:5: {SECONDS}"]),
)
def test_a_form_that_editors_refuse(project: Project, line: str, problems: list[str]) -> None:
    result = project.validate({"m.toml": manifest(line)})
    assert result.code == 0
    assert result.problems == [
        f"m.toml:{place}: warning: editors refuse {sentence}"
        for place, _, sentence in (each.partition(": ") for each in problems)
    ]


@cases(
    "line",
    "a = { b = [\n1,\n2,\n] }",
    'a = { b = """\nx,\n""" }',
    "a = [\n 1,\n]",
    "a = { b.c = 1 }\nd = {}",
    r'a = "\\e \\x41 \u0041"',
    r"a = '\e { , }' # { 10:20 \e",
    'a = "{ at 10:20, }"',
    "a = 10:20:30",
    "a = 2026-01-01 10:20:30.5+03:00",
    "a = 2026-01-01",
)
def test_what_all_can_read(project: Project, line: str) -> None:
    assert project.validate({"m.toml": manifest(line)}).problems == []


def manifest(lines: str) -> str:
    """With variables, whose lines begin in line 3."""
    return f"manifest = 1\n[vars]\n{lines}\n{text()}"
