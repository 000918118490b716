"""A shell in a real terminal, in which a person types."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect

from tests.support.requirements import require
from tests.support.waiting import PATIENCE

_PROMPT = "ready> "
# A colour, or where the cursor goes; and what a line showed before it was written anew.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")


class Terminal:
    """A bash, wide enough for each line that is expected."""

    def __init__(self, shell: pexpect.spawn) -> None:
        self._shell = shell
        # What is typed before a prompt is shown twice: by the terminal, and by the shell.
        self._shell.expect_exact(_PROMPT)
        self.type("bind 'set enable-bracketed-paste off'")

    def type(self, command: str) -> str:
        """What the screen shows of a command when it has ended."""
        self.start(command)
        self._shell.expect_exact(_PROMPT)
        return self._screen()

    def start(self, command: str, until: str = "") -> str:
        """Type a command that goes on, until it has shown a text; what it has shown before."""
        self._shell.sendline(command)
        self._shell.expect_exact(f"{command}\r\n")
        if not until:
            return ""
        self._shell.expect(until)
        return self._screen() + self._shell.match.group()

    def interrupt(self) -> str:
        """Press Ctrl-C; what the command shows from then on."""
        self._shell.sendintr()
        self._shell.expect_exact(_PROMPT)
        return self._screen()

    def tab(self, typed: str, completed: str) -> None:
        """Type a word's beginning and Tab, until the screen shows it completed."""
        self._shell.send(f"{typed}\t")
        self._shell.expect_exact(completed)

    def _screen(self) -> str:
        shown = _CONTROL.sub("", self._shell.before)
        return _OVERWRITTEN.sub("", shown.replace("\r\n", "\n"))


@contextmanager
def terminal(folder: Path, environment: Mapping[str, str] = {}) -> Iterator[Terminal]:
    """Open a terminal in a folder, in which `dispatcher` is a command."""
    require(bash := shutil.which("bash"), "bash")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"PATH": programs, "PS1": _PROMPT, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    shell = pexpect.spawn(
        bash,
        ["--norc", "--noprofile", "-i"],
        cwd=folder,
        env={**os.environ, **own, "INPUTRC": "/dev/null", **environment},
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(50, 300),
    )
    try:
        shell.delaybeforesend = None
        shell.delayafterclose = shell.ptyproc.delayafterclose = 0.02
        yield Terminal(shell)
    finally:
        shell.close(force=True)
