"""How problems are printed: each format says the same, and is what its readers accept."""

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.cli.reports import FORMATS, print_problems
from dispatcher.models import LocatedProblem, Location
from dispatcher.visible import visible
from tests.support.git import committed, git
from tests.support.npm import installed
from tests.support.project import Project

TO = "79001234567"
GOOD = f'[[messages]]\nid = "a"\nto = "{TO}"\ntext.body = "Hello"\n'
BAD = '[[messages]]\nid = "a"\nto = "7900"\ntext.body = "100 %, {{ x }}"\n'

SAID = 'message "a": "7900": a phone number has'


def problem(**fields: Any) -> LocatedProblem:
    place = {"path": "m.toml", "line": 4, "column": 6, "message_id": "a"}
    place |= {name: fields.pop(name) for name in Location.model_fields if name in fields}
    location = Location.model_validate(place)
    return LocatedProblem(**{"message": "wrong", "where": "to", "location": location, **fields})


def printed(
    problems: list[LocatedProblem], format: str, encoding: str = "utf-8", **more: Any
) -> str:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding, "surrogatepass", newline="")
    with redirect_stdout(stdout):
        print_problems(problems, format, **more)
    return stdout.detach().getvalue().decode(encoding, "surrogatepass")


def test_validate_shows_the_same_problems_in_every_format(project: Project) -> None:
    project.manifest(BAD)
    results = {each: project.call("validate", "--format", each) for each in FORMATS}
    text, lines = results["text"], results["json"]
    assert {each.code for each in results.values()} == {2}
    assert text.stdout.startswith(f"manifests/m.toml:4:6: error: {SAID}")
    assert text.stderr == "2 errors\n"
    places = [(line["line"], line["column"], line["where"]) for line in lines.lines]
    assert places == [(4, 6, "to"), (5, 13, "text.body")]
    names = "event path line column severity message where text"
    assert lines.lines[0].keys() == set(names.split())
    assert {each.stderr for name, each in results.items() if name != "text"} == {""}
    assert results["github"].stdout.startswith(
        f"::error file=manifests/m.toml,line=4,col=6::{SAID}"
    )
    assert project.call("validate", "--json").stdout == lines.stdout
    failure = ElementTree.fromstring(results["junit"].stdout).find("testsuite/testcase/failure")
    assert failure.get("message") == "2 errors"
    assert failure.text == text.stdout.removesuffix("\n")
    first, _ = json.loads(results["sarif"].stdout)["runs"][0]["results"]
    assert (first["level"], first["message"]["text"]) == (
        "error",
        f'message "a": {lines.lines[0]["text"]}',
    )


def test_validate_counts_what_is_good(project: Project) -> None:
    project.manifest(GOOD)
    result = project.call("validate", "--strict")
    assert (result.code, result.stdout, result.stderr) == (0, "", "1 message, no errors\n")


def test_with_strict_a_warning_is_enough(project: Project) -> None:
    project.manifest(GOOD)
    project.write("manifests/old.toml.bak", "manifest = 1\n")
    usual, strict = project.call("validate"), project.call("validate", "--strict")
    assert (usual.code, usual.stderr) == (0, "1 message, no errors\n")
    assert (strict.code, strict.stderr) == (2, "1 warning\n")
    assert usual.stdout == strict.stdout
    assert ": warning: " in strict.stdout


@pytest.fixture
def below(project: Project) -> Project:
    """A project that works in a folder of a repository, with a manifest there and one above."""
    project.manifest(BAD, "sales and news/m: 100%.toml")
    project.manifest(BAD, "above.toml")
    committed(project.folder)
    project.folder /= "sales and news"
    return project


def test_reports_name_files_as_the_repository_does(below: Project) -> None:
    paths = ("m: 100%.toml", "../above.toml")
    shown = {each: below.call("validate", *paths, "--format", each).stdout for each in FORMATS}
    assert shown["text"].startswith("m: 100%.toml:4:6: ") or "\nm: 100%.toml:4:6: " in shown["text"]
    files = re.findall(r"^::error file=([^,]*),", shown["github"], re.MULTILINE)
    assert {*map(unescaped, files)} == {"sales and news/m: 100%.toml", "above.toml"}
    names = [each.get("name") for each in ElementTree.fromstring(shown["junit"]).iter("testcase")]
    assert sorted(names) == ["above.toml", "sales and news/m: 100%.toml"]
    assert {*uris(shown["sarif"])} == {
        ("above.toml", "%SRCROOT%"),
        ("sales%20and%20news/m%3A%20100%25.toml", "%SRCROOT%"),
    }


def test_a_linked_worktree_is_a_repository_and_what_is_outside_keeps_its_path(
    below: Project, tmp_path: Path
) -> None:
    git(below.folder, "worktree", "add", tmp_path / "tree")
    below.folder = tmp_path / "tree" / "sales and news"
    outside = below.manifest(BAD, str(tmp_path / "out side.toml"))
    given = ("m: 100%.toml", str(outside), "--format", "sarif")
    assert {*uris(below.call("validate", *given).stdout)} == {
        ("sales%20and%20news/m%3A%20100%25.toml", "%SRCROOT%"),
        (outside.as_uri(), None),
    }


def uris(sarif: str) -> list[tuple[str, str | None]]:
    places = [each["locations"][0] for each in json.loads(sarif)["runs"][0]["results"]]
    files = [place["physicalLocation"]["artifactLocation"] for place in places]
    return [(file["uri"], file.get("uriBaseId")) for file in files]


ANYTHING = st.text(st.characters())
RELATIVE = ANYTHING.filter(lambda path: path and not path.startswith("/") and ".." not in path)


@given(ANYTHING, RELATIVE)
def test_annotation_is_one_command_whatever_it_says(text: str, path: str) -> None:
    """github.com, "Workflow commands": % is escaped, in properties : and , as well."""
    annotation = printed([problem(message=text, path=path)], "github")
    command = re.fullmatch(r"::error file=([^:,\r\n]*),line=4,col=6::([^\r\n]*)\n", annotation)
    assert unescaped(command[1]) == visible(path)
    assert unescaped(command[2]) == f'message "a": {visible(text)}'


def unescaped(text: str) -> str:
    for code, letter in {"%2C": ",", "%3A": ":", "%25": "%"}.items():
        text = text.replace(code, letter)
    return text


@given(ANYTHING)
def test_json_problem_is_one_line_whatever_it_says(text: str) -> None:
    line = printed([problem(message=text)], "json")
    assert line.count("\n") == 1
    assert json.loads(line)["text"] == text


def test_problems_are_shown_in_the_order_of_the_files() -> None:
    places = [("b.toml", 1, 1), ("a.toml", 9, 1), ("a.toml", 2, 7), ("a.toml", 2, 3)]
    problems = [problem(path=path, line=line, column=column) for path, line, column in places]
    shown = [line.split(": ")[0] for line in printed(problems, "text").splitlines()]
    assert shown == ["a.toml:2:3", "a.toml:2:7", "a.toml:9:1", "b.toml:1:1"]


# JUnit: junit-10.xsd of Jenkins' xUnit plugin, as far as it concerns what is written: for each
# element, those within it, the attributes it must have, and those that it may have.
JUNIT = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": ({"testcase"}, {"name", "tests", "failures", "errors"}, set()),
    "testcase": ({"failure", "system-out"}, {"name"}, {"classname", "time"}),
    "failure": (set(), set(), {"type", "message"}),
    "system-out": (set(), set(), set()),
}


def assert_is_junit(element: ElementTree.Element) -> None:
    within, required, optional = JUNIT[element.tag]
    assert required <= set(element.keys()) <= required | optional
    for child in element:
        assert child.tag in within
        assert_is_junit(child)


@given(ANYTHING, RELATIVE, st.sampled_from(["utf-8", "ascii", "cp1251", "utf-16"]))
def test_junit_is_xml_whatever_it_says(text: str, path: str, encoding: str) -> None:
    xml = printed([problem(message=text, path=path)], "junit", encoding)
    assert not re.search(r"(?m)^\s*::|##\[", xml)
    root = ElementTree.fromstring(xml)
    assert_is_junit(root)
    (case,) = root.iter("testcase")
    assert case.get("name") == visible(path)
    assert case.find("failure").text == f'{visible(path)}:4:6: error: message "a": {visible(text)}'


def test_junit_has_a_test_for_each_file() -> None:
    warning = problem(path="warned.toml", message="odd", severity="warning")
    checked = [Path("bad.toml"), Path("good.toml"), Path("warned.toml")]
    bad = problem(path="bad.toml")
    root = ElementTree.fromstring(printed([warning, bad, bad], "junit", checked=checked))
    assert_is_junit(root)
    found = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert found == {"bad.toml": ["failure"], "good.toml": [], "warned.toml": ["system-out"]}
    counts = {"tests": "3", "failures": "1", "errors": "0"}
    assert root.attrib == counts
    assert_is_junit(ElementTree.fromstring(printed([], "junit")))


@pytest.fixture(scope="module")
def sarif() -> jsonschema.protocols.Validator:
    """The schema of SARIF 2.1.0, as Microsoft has it in a package of its own."""
    package, file = "@microsoft/jest-sarif", "lib/schemas/sarif-2.1.0-rtm.5.json"
    folder = installed(package, "1.0.0-beta.0")
    schema = json.loads((folder / "node_modules" / package / file).read_text("utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    return kind(schema, format_checker=kind.FORMAT_CHECKER)


@given(text=ANYTHING, path=RELATIVE)
def test_sarif_is_what_its_schema_says(
    sarif: jsonschema.protocols.Validator, text: str, path: str
) -> None:
    warning = problem(message="odd", severity="warning", message_id=None, path=f"/outside/{path}")
    for problems in ([problem(message=text, path=path), warning], []):
        log = json.loads(printed(problems, "sarif"))
        sarif.validate(log)
        assert len(log["runs"][0]["results"]) == len(problems)
    for uri, _ in uris(printed([problem(path=path), warning], "sarif")):
        assert re.fullmatch(r"[!-~]+", uri)
