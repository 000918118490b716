"""The pages of the documentation: what they show, and what happens if one does what they say."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.support.project import Project

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:`(?P<file>[^`\n]+)`[^`\n]*:\n\n)?"
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<block>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_FOR_THE_SHELL = re.compile(r"[|&;<>$`~*\n]")


def read(name: str) -> str:
    """A page of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Every fenced block of a page, with its language."""
    return [(language, block) for _, language, block in _blocks(text)]


def _blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """The file that is named in the line before each block, or "", its language, and the block."""
    for found in _BLOCK.finditer(text):
        yield found["file"] or "", found["language"], textwrap.dedent(found["block"])


def commands(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that it shows."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


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
    line = command.replace("dispatcher ", f"'{sys.executable}' -m dispatcher ", 1)
    done = subprocess.run(
        line,
        shell=True,
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **project.environment},
        check=False,
    )
    return done.stdout.decode()


def follow(page: str, project: Project) -> None:
    """Do what a page says, from its beginning to its end: write each file that the line before a
    block names, run each command, and see what the page shows."""
    followed = 0
    for file, _, block in _blocks(page):
        if file:
            project.write(file, block)
        for command, output in commands(block):
            assert_shows(output, run(command, project))
            followed += 1
    assert followed == len(re.findall(r"^ *\$ ", page, re.MULTILINE)) > 0
