"""Two `dispatcher` commands at the same moment, many times: racing.py TIMES ARGUMENT…

Every race has a `--run` of its own. Prints a line of JSON for each: [exit code, seconds] of both.
"""

from __future__ import annotations

import json
import os
import sys
from time import monotonic
from typing import Any

import jinja2.sandbox  # noqa: F401 - all that is loaded here need not be in every race
import pydantic_settings  # noqa: F401

import dispatcher.builtin.greenapi.client
import dispatcher.cli.send
import dispatcher.journal.sqlite  # noqa: F401
from dispatcher.cli import run


def racer(start: int, gun: int, arguments: list[str]) -> tuple[int, int]:
    """A process that runs the command when the gun goes off, which means: is closed.

    Out: its pid, and where it answers.
    """
    answers, answer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(answer)
        return pid, answers
    os.close(gun)
    os.read(start, 1)
    began = monotonic()
    code = run(arguments)
    sys.stdout.flush()
    os.write(answer, json.dumps([code, monotonic() - began]).encode())
    os._exit(0)


def race(arguments: list[str]) -> list[Any]:
    """Both answers."""
    start, gun = os.pipe()
    racers = [racer(start, gun, arguments) for _ in range(2)]
    os.close(gun)
    os.close(start)
    found = []
    for pid, answers in racers:
        with open(answers, "rb") as stream:
            found.append(json.load(stream))
        os.waitpid(pid, 0)
    return found


times, *arguments = sys.argv[1:]
report = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
for number in range(int(times)):
    print(json.dumps(race([*arguments, "--run", f"race-{number}"])), file=report, flush=True)
