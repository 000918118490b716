"""A process that has the dispatcher loaded, and forks for every order: see `forking.py`.

    forkserver.py DESCRIPTOR

Orders come through the socket DESCRIPTOR, each with descriptors: stdin, stdout and stderr of the
process to be made, and a socket on which its pid is told, and its exit code when it has ended.
"""

import importlib
import json
import os
import runpy
import signal
import socket
import sys
from typing import NamedTuple

LOADED = (
    "dispatcher.builtin.greenapi.transport",
    "dispatcher.cli.history",
    "dispatcher.cli.send",
    "dispatcher.http.client",
    "dispatcher.journal.postgres",
    "dispatcher.journal.sqlite",
    "jinja2.sandbox",
    "psycopg",
    "pydantic_settings",
)
LONGEST = 100_000  # bytes of an order


class Order(NamedTuple):
    """`program`: as one names it to Python, with its arguments."""

    program: list[str]
    folder: str
    environment: dict[str, str]

    def execute(self) -> None:
        """Do what a new interpreter would."""
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        match self.program:
            case ["-m", name, *_]:
                sys.argv, sys.path[0] = self.program[1:], self.folder
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            case [script, *_]:
                sys.argv, sys.path[0] = self.program, os.path.dirname(script)
                runpy.run_path(script, run_name="__main__")


def serve(orders: socket.socket) -> Order:
    """Return in each of the processes that are ordered, with its order; else never."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, LONGEST, 4)
        if not message:  # the tests are over
            os._exit(0)
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            *streams, last = descriptors
            watch(streams, socket.socket(fileno=last))
            return Order(*json.loads(message))
        for descriptor in descriptors:
            os.close(descriptor)


def watch(streams: list[int], ended: socket.socket) -> None:
    """Return in a process that has these streams; here, tell its pid and its end."""
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        ended.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        ended.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    ended.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)


if __name__ == "__main__":
    for module in LOADED:
        importlib.import_module(module)
    serve(socket.socket(fileno=int(sys.argv[1]))).execute()
