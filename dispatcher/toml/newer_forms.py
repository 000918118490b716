"""Finds what TOML 1.1 added and editors still refuse, though tomli reads it (docs/editor.md).

Tombi and Taplo read TOML 1.0: what one of these stands in, they cannot check at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from dispatcher.models import LocatedProblem, Problem, located
from dispatcher.toml.file import TomlFile
from dispatcher.toml.tokens import PLAIN, TEXT

_SEVERAL_LINES = "an inline table of several lines; write it on one, or below a [header]"
_LAST_COMMA = "a comma before }; leave it out"

# Most manifests have none of these, and need no more. A pattern that begins with one character, and
# not with several possible ones, is searched for far faster (benchmarks/planning.py).
_ESCAPE_LIKE = re.compile(r"\\[ex]")
_HOUR_LIKE = re.compile(r":[0-9]{2}(?![0-9:])")
_TIME_LIKE = re.compile(r"(?m)(?:^|[=,\[])\s*(?:[0-9-]{10}[Tt ])?[0-9]{2}:[0-9]{2}(?![0-9:])")
_INLINE_TABLE_LIKE = re.compile(r"\{(?<!\{\{)(?![{%])")  # not a template's braces
_SEVERAL_LINES_LIKE = re.compile(r"[{,][ \t\r]*(?:#|\n)|\n[ \t]*[},]|,[ \t]*\}")

_TOKEN = rf"#[^\n]*|{TEXT}|{PLAIN}|[\[\]{{}},\n]"  # compiled where it is needed: it takes longer
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_NO_SECONDS = re.compile(r"(?:[0-9-]{10}[Tt ])?([0-9]{2}:[0-9]{2})(?:[Zz]|[+-][0-9:]{5})?")


class _Form(NamedTuple):
    """What editors refuse and what to write, and where it is, as an offset."""

    sentence: str
    at: int


def warnings(file: TomlFile) -> list[LocatedProblem]:
    """Return a warning for each of these forms that a file has, at the first place with it."""
    if not _may_have_some(file.text):
        return []
    text = file.text.replace("\r\n", "\n")  # as tomli does
    first: dict[str, int] = {}
    for form in _forms(text):
        first.setdefault(form.sentence, form.at)
    return [_warning(file, text, sentence, at) for sentence, at in first.items()]


def _warning(file: TomlFile, text: str, sentence: str, at: int) -> LocatedProblem:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    problem = Problem(message=f"editors refuse {sentence}", severity="warning")
    return located(file.path, problem, line, column)


def _may_have_some(text: str) -> bool:
    if _ESCAPE_LIKE.search(text) or (_HOUR_LIKE.search(text) and _TIME_LIKE.search(text)):
        return True
    return bool(_INLINE_TABLE_LIKE.search(text) and _SEVERAL_LINES_LIKE.search(text))


def _forms(text: str) -> Iterator[_Form]:
    brackets: list[int] = []  # those around the token
    before, comma = "", 0  # the token before it, and the last comma
    for found in re.finditer(_TOKEN, text, re.DOTALL):
        token, at = found[0], found.start()
        if token == "\n":
            if brackets and text[brackets[-1]] == "{":
                yield _Form(_SEVERAL_LINES, brackets[-1])
            continue
        if token[0] == "#":
            continue
        if token in "[{":
            brackets.append(at)
        elif token in "]}":
            if token == "}" and before == ",":
                yield _Form(_LAST_COMMA, comma)
            brackets.pop()
        elif token == ",":
            comma = at
        elif token[0] == '"':
            yield from _escapes(token, at)
        elif time := _NO_SECONDS.fullmatch(token):
            yield _Form(f"a time without seconds; write {time[1]}:00", at)
        before = token


def _escapes(token: str, at: int) -> Iterator[_Form]:
    for found in _ESCAPE.finditer(token):
        if found[1]:
            yield _Form(rf"\x{found[1]}; write \u00{found[1]}", at + found.start())
        elif found[0] == r"\e":
            yield _Form(r"\e; write \u001b", at + found.start())
