"""What `diff` shows for pairs of commits: each file in `cases` is one.

A file begins with a sentence. Sections follow: `=== before PATH` is a file of the first commit,
`=== now PATH` a file of the second one, `=== gone PATH` is not in that any more, `=== plugin NAME`
is installed. Then comes what is printed: `=== diff` on standard output, `=== told` on standard
error with `--check`, and `=== exit` its code; `=== markdown`, if it is there, is the comment.
To renew these after a change, and to read them: `pytest tests/diff/test_cases.py --diffs`.
"""

import re
from pathlib import Path

import pytest

from tests.support.git import committed, git
from tests.support.plugins import add_metadata
from tests.support.project import Project

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))
_PRINTED = ("diff", "told", "exit", "markdown")


def sections(text: str) -> list[tuple[str, str]]:
    """The title and the text of every section."""
    found = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(found[::2], found[1::2], strict=True))


def write(project: Project, parts: list[tuple[str, str]]) -> None:
    """Make both states: the first one is committed."""
    for title, text in parts:
        what, _, name = title.partition(" ")
        if what == "before":
            project.write(name, text)
        if what == "plugin":
            folder = project.write(f"plugins/fake_{name}.py", text).parent
            add_metadata(folder, f"fake-{name}", f"{name} = fake_{name}:Plugin")
            project.environment["PYTHONPATH"] = str(folder)
    project.write(".gitignore", "plugins\n")
    committed(project.folder)
    for title, text in parts:
        what, _, name = title.partition(" ")
        if what == "now":
            project.write(name, text)
        if what == "gone":
            (project.folder / name).unlink()


def printed(project: Project, *, markdown: bool) -> dict[str, str]:
    """What the command prints, with COMMIT for the commit."""
    text = project.call("diff", "HEAD", "--check")
    shown = {"diff": text.stdout, "told": text.stderr, "exit": f"{text.code}\n"}
    if markdown:
        shown["markdown"] = project.call("diff", "HEAD", "--format", "markdown").stdout
    commit = git(project.folder, "rev-parse", "HEAD")[:7]
    return {name: each.replace(commit, "COMMIT") for name, each in shown.items()}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_it_shows_what_a_reviewer_wants(
    path: Path, offline: Project, request: pytest.FixtureRequest
) -> None:
    text = path.read_text(encoding="utf-8")
    parts = sections(text)
    expected = {title: each for title, each in parts if title in _PRINTED}
    write(offline, parts)
    shown = printed(offline, markdown="markdown" in expected)
    if request.config.getoption("--diffs"):
        given = re.split(r"^=== (?:diff|told|exit|markdown)\n", text, flags=re.MULTILINE)[0]
        outputs = (f"=== {name}\n{each}" for name, each in shown.items())
        path.write_text(given + "".join(outputs), encoding="utf-8")
        return
    assert shown == expected


def test_there_are_forty_cases() -> None:
    assert len(CASES) >= 40
