"""The pages of the documentation: what they show, and what happens if one does what they say."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import Project
from tests.support.requirements import require

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("plugins/*/*.md")),
]
# Languages of blocks with commands: as a terminal shows them, as a script, and as cron has them.
COMMANDS = ("console", "sh", "crontab")
_HEADING = re.compile(r"##? (.*)")
_FENCE = re.compile(r"( *)```(\w*)")
_FILE = re.compile(r"`([^`]+)`[^`]*:$")
_FOR_THE_SHELL = re.compile(r"[|&;<>$`~*\n]")


@dataclass(frozen=True)
class Block:
    """A fenced block; `section`: the heading of the first or second level that it is below;
    `file`: what the line before it names, or ""."""

    section: str
    file: str
    language: str
    text: str


def read(name: str) -> str:
    """A page of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def fenced(text: str) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    section = said = ""
    lines = iter(text.splitlines())
    for line in lines:
        if fence := _FENCE.match(line):
            file = _FILE.search(said)
            end = f"{fence[1]}```"
            inside = [each.removeprefix(fence[1]) + "\n" for each in iter(lines.__next__, end)]
            yield Block(section, file[1] if file else "", fence[2], "".join(inside))
            said = ""
        elif line:
            said = line
            if heading := _HEADING.fullmatch(line):
                section = heading[1]


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Every fenced block of a page, with its language."""
    return [(block.language, block.text) for block in fenced(text) if block.language]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that it shows."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


class Page:
    """What a test follows of a page, and what is left to be run of it."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.left = [block for block in blocks if block.language in COMMANDS]

    def of(self, language: str) -> list[str]:
        """The blocks of a language that says no commands."""
        assert language not in COMMANDS
        return [block.text for block in self.blocks if block.language == language]

    def steps(self) -> Iterator[Block]:
        """Every block in order. One with commands has been run when the next one is asked for."""
        for block in self.blocks:
            yield block
            if block in self.left:
                self.left.remove(block)

    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands of the console blocks, each with the output that it shows; as `steps`."""
        for block in self.steps():
            if block.language in COMMANDS:
                assert block.language == "console"
                yield from commands(block.text)

    def scripts(self) -> Iterator[str]:
        """The blocks whose commands show no output; as `steps`."""
        for block in self.steps():
            if block.language in COMMANDS:
                assert block.language != "console"
                yield block.text

    def shows(self, project: Project) -> None:
        """Run each command of the console blocks, and see what the page shows."""
        for command, output in self.commands():
            assert_shows(output, run(command, project))

    def follow(self, project: Project) -> None:
        """Do all that the page says: write each file that the line before a block names, and run
        each command."""
        for block in self.steps():
            if block.language == "console":
                for command, output in commands(block.text):
                    assert_shows(output, run(command, project))
            elif block.language == "sh":
                run_script(block.text, project)
            elif block.file:
                project.write(block.file, block.text)


@contextmanager
def following(
    name: str,
    *sections: str,
    languages: tuple[str, ...] = COMMANDS,
    written: Mapping[str, str] = {},
) -> Iterator[Page]:
    """Run all commands of a page, of sections of it, or of some languages: none may be left out.

    `written`: what stands for something else there, as a port or a folder. Where a test does this
    is found by `test_every_command_of_the_pages_is_run`, so all but `written` is literal.
    """
    text = read(name)
    for old, new in written.items():
        assert old in text, old
        text = text.replace(old, new)
    found = list(fenced(text))
    assert {*sections} <= {block.section for block in found}
    page = Page(
        [
            block
            for block in found
            if (not sections or block.section in sections)
            and (block.language not in COMMANDS or block.language in languages)
        ]
    )
    assert page.left, "there are commands to run"
    yield page
    assert page.left == [], "every command is run"


def assert_shows(expected: str, actual: str) -> None:
    """The same text; a word `…` of the expected one stands for any other, and so does the end of
    one (trial-…, sha256:…), or a run at the beginning of a key.
    What `plan` and `send` announce may be left out: the README has it once."""
    announced, found, rest = actual.partition("\nto send: ")
    if found and found not in expected:
        actual = rest.partition("\n")[2]
        assert announced.count("\n") == 1, announced
    pieces = re.split(r"(?<!\S)…(?![^\s/])|(?<=[:-])…", expected)
    pattern = r"\S+".join(map(re.escape, pieces))
    assert re.fullmatch(pattern, actual), f"expected\n{expected}\nbut got\n{actual}"


def run(command: str, project: Project) -> str:
    """What a command prints, standard output and error together, as a terminal would show it."""
    name, *arguments = shlex.split(command)
    if name == "dispatcher" and not _FOR_THE_SHELL.search(command):
        return project.shown(*arguments)
    return _in_a_shell(command, project).stdout


def run_script(script: str, project: Project, path: str = "") -> str:
    """What a script prints, none of whose commands may fail; `path`: where programs are found
    before those of this environment."""
    done = _in_a_shell(f"set -euo pipefail\n{script}", project, path)
    assert done.returncode == 0, done.stdout
    return done.stdout


def _in_a_shell(script: str, project: Project, path: str = "") -> subprocess.CompletedProcess[str]:
    programs = f"{path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **project.environment, "PATH": programs},
        encoding="utf-8",
        check=False,
    )
    require("command not found" not in done.stdout, done.stdout)
    return done
