"""Two `dispatcher` commands at the same moment, many times: racing.py TIMES ARGUMENT…

Every race has a `--run` of its own. Prints a line of JSON for each: [exit code, seconds] of both.
"""

import json
import os
import select
import sys
from time import monotonic
from typing import Any, NamedTuple

import jinja2.sandbox  # noqa: F401 - all that is loaded here need not be in every race
import pydantic_settings  # noqa: F401

import dispatcher.cli.send
import dispatcher.http.client
import dispatcher.journal.sqlite  # noqa: F401
from dispatcher.builtin.greenapi.transport import GreenApi
from dispatcher.cli import run
from dispatcher.models import Payload, Receipt

PATIENCE = 5.0  # seconds


class Pipe(NamedTuple):
    """Who waits at its end to be read learns when the other end is closed, or its holder ends."""

    read: int
    write: int

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


def linger(rival: int) -> None:
    """Send only when the rival has ended: the first is not to be over when the second begins."""
    send = GreenApi.send

    def late(self: GreenApi, payload: Payload) -> Receipt:
        select.select([rival], [], [], PATIENCE)
        return send(self, payload)

    GreenApi.send = late


def racer(gun: Pipe, mine: Pipe, others: Pipe, arguments: list[str]) -> tuple[int, int]:
    """A process that runs the command when the gun goes off; its pid, and where it answers."""
    answers, answer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(answer)
        return pid, answers
    os.close(mine.read)
    os.close(others.write)
    os.close(gun.write)
    linger(others.read)
    os.read(gun.read, 1)
    began = monotonic()
    code = run(arguments)
    sys.stdout.flush()
    os.write(answer, json.dumps([code, monotonic() - began]).encode())
    os._exit(0)


def race(arguments: list[str]) -> list[Any]:
    """Both answers."""
    gun, one, two = (Pipe(*os.pipe()) for _ in range(3))
    racers = [racer(gun, one, two, arguments), racer(gun, two, one, arguments)]
    for pipe in (gun, one, two):
        pipe.close()
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
