"""Reports of problems: as text for people, and as editors and CI systems read them.

What a CI system reads names files as the repository does: relative to its top, with `/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dispatcher.cli.output import coloured, counted, print_json, print_line
from dispatcher.git import worktree_of
from dispatcher.models import LocatedProblem
from dispatcher.printing import Part, print_command, print_value, print_xml, without_secrets
from dispatcher.visible import visible

_RULES = {
    "error": "Because of this, nothing can be sent",
    "warning": "This can be sent, but may be a mistake",
}


def print_problems(
    problems: Iterable[LocatedProblem],
    format: str,
    *,
    checked: Iterable[Path] = (),
    err: bool = False,
) -> int:
    """Print problems by file and line, in one of `FORMATS`; return the number of errors.

    `checked` are the files that were examined: those without problems are in a report of tests,
    too. Only text is printed on stderr, with `err`.
    """
    shown = [
        problem.model_copy(update={"message": without_secrets(problem.message)})
        for problem in sorted(problems, key=_position)
    ]
    if format == "text":
        for problem in shown:
            print_line(*_text(problem), err=err)
    else:
        _PRINT[format](shown, [str(path) for path in checked])
    return sum(problem.is_error for problem in shown)


def print_warning(warning: str | LocatedProblem) -> None:
    """Print a warning, which stops nothing; a problem of a file begins with its place."""
    if isinstance(warning, LocatedProblem):
        print_problems([warning], "text", err=True)
    else:
        print_line(coloured("warning"), f": {warning}", err=True)


def _position(problem: LocatedProblem) -> tuple[str, int, int]:
    return problem.location.path, problem.location.line, problem.location.column


def _said(problem: LocatedProblem) -> str:
    return problem.subject + problem.sentence


def _text(problem: LocatedProblem) -> tuple[Part, ...]:
    return f"{problem.location}: ", coloured(problem.severity), f": {_said(problem)}"


def _print_json(problems: Sequence[LocatedProblem], _: Sequence[str]) -> None:
    for problem in problems:
        print_json(
            "problem",
            path=problem.location.path,
            line=problem.location.line,
            column=problem.location.column,
            severity=problem.severity,
            message=problem.location.message_id,
            where=problem.where,
            text=problem.sentence,
        )


def _print_github(problems: Sequence[LocatedProblem], _: Sequence[str]) -> None:
    """Print workflow commands, which GitHub shows as annotations in the pull request."""
    in_repository = _Paths()
    for problem in problems:
        path = _github_escaped(in_repository(problem.location.path))
        path = path.replace(":", "%3A").replace(",", "%2C")
        location = f"file={path},line={problem.location.line},col={problem.location.column}"
        print_command(f"::{problem.severity} {location}::{_github_escaped(_said(problem))}")


def _github_escaped(text: str) -> str:
    return visible(text).replace("%", "%25")  # and line ends, of which it has none


def _print_junit(problems: Sequence[LocatedProblem], checked: Sequence[str]) -> None:
    """Print each file as a test case, which fails if the file has errors.

    The form is what Jenkins and GitLab read: junit-10.xsd of Jenkins' xUnit plugin.
    """
    from xml.etree import ElementTree

    in_repository = _Paths()
    by_file: dict[str, list[LocatedProblem]] = {path: [] for path in sorted(checked)}
    for problem in problems:
        by_file.setdefault(problem.location.path, []).append(problem)
    suite = ElementTree.Element("testsuite", name="dispatcher validate")
    failures = 0
    for path, found in by_file.items():
        name = visible(in_repository(path))
        case = ElementTree.SubElement(suite, "testcase", classname="dispatcher", name=name)
        errors = [each for each in found if each.is_error]
        if errors:
            failures += 1
            told = counted(len(errors), "error")
            result = ElementTree.SubElement(case, "failure", type="error", message=told)
        elif found:
            result = ElementTree.SubElement(case, "system-out")
        else:
            continue
        result.text = "\n".join(_junit_line(name, each) for each in found)
    counts = {"tests": str(len(by_file)), "failures": str(failures), "errors": "0"}
    suite.attrib.update(counts)
    root = ElementTree.Element("testsuites", counts)
    root.append(suite)
    ElementTree.indent(root)
    print_xml(f'<?xml version="1.0"?>\n{ElementTree.tostring(root, encoding="unicode")}')


def _junit_line(path: str, problem: LocatedProblem) -> str:
    location = f"{path}:{problem.location.line}:{problem.location.column}"
    return f"{location}: {problem.severity}: {visible(_said(problem))}"


def _print_sarif(problems: Sequence[LocatedProblem], _: Sequence[str]) -> None:
    """Print a log of SARIF 2.1.0, which code scanners and editors read."""
    from importlib.metadata import version

    in_repository = _Paths()
    driver = {
        "name": "dispatcher",
        "version": version("message-dispatcher"),
        "rules": [
            {"id": id, "shortDescription": {"text": told}, "defaultConfiguration": {"level": id}}
            for id, told in _RULES.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(problem, in_repository) for problem in problems],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    print_value({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_result(problem: LocatedProblem, in_repository: _Paths) -> dict[str, Any]:
    path = os.fsencode(in_repository(problem.location.path))
    file = {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
    if os.path.isabs(path):  # outside the repository
        file = {"uri": f"file://{quote(path)}"}
    region = {"startLine": problem.location.line, "startColumn": problem.location.column}
    place: dict[str, Any] = {"physicalLocation": {"artifactLocation": file, "region": region}}
    if problem.location.message_id is not None:
        place["logicalLocations"] = [{"name": visible(problem.location.message_id)}]
    return {
        "ruleId": problem.severity,
        "level": problem.severity,
        "message": {"text": visible(_said(problem))},
        "locations": [place],
    }


class _Paths:
    """Names files relative to the top of the repository, or to the working directory.

    One that is outside keeps its absolute path.
    """

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._top = os.path.join(worktree_of(Path(self._folder)) or self._folder, "")

    def __call__(self, path: str) -> str:
        """Return the name of a file."""
        whole = os.path.join(self._folder, path)
        if ".." in whole.split(os.sep):
            whole = os.path.normpath(whole)
        return whole.removeprefix(self._top)


_PRINT: dict[str, Callable[[Sequence[LocatedProblem], Sequence[str]], None]] = {
    "json": _print_json,
    "github": _print_github,
    "junit": _print_junit,
    "sarif": _print_sarif,
}
FORMATS = ("text", *_PRINT)
