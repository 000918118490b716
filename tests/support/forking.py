"""Commands in processes of their own that need not load the dispatcher first: see `forkserver.py`.

They are, and end, as any process of Python does; only what is loaded in them at first differs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Self, TypeAlias

SERVER = Path(__file__).with_name("forkserver.py")
ENVIRONMENT = {**os.environ}  # the server's
# Names of what the system's loader and the interpreter read before a program begins.
EARLY = ("LANG", "LC_", "LD_", "PYTHON")


def start(program: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> "Process":
    """Start a program: as one names it to Python, "-m" and so on; stdin is empty."""
    early = (name for name in {*env, *ENVIRONMENT} if name.startswith(EARLY))
    if all(env.get(name) == ENVIRONMENT.get(name) for name in early):
        return Forked(program, cwd, env)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *program], cwd=cwd, env=env, encoding="utf-8", **pipes)


class Forked:
    """What tests need of a `subprocess.Popen`."""

    returncode: int | None = None
    _outputs: Sequence[Future[str]] = ()

    def __init__(self, program: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> None:
        order = json.dumps([[*map(str, program)], str(cwd), {**env}])
        self._life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.stdout, stdout = _pipe()
        self.stderr, stderr = _pipe()
        with theirs, stdout, stderr, open(os.devnull) as stdin:
            streams = [each.fileno() for each in (stdin, stdout, stderr, theirs)]
            socket.send_fds(_server(), [order.encode()], streams)
        self.pid = int(self._life.recv(20))

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._life.settimeout(timeout)
            self.returncode = int(self._life.recv(20))
            self._life.close()
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(timeout=0)
        except BlockingIOError:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        if not self._outputs:
            pool = ThreadPoolExecutor(2)
            streams = (self.stdout, self.stderr)
            self._outputs = [pool.submit(each.read if each else str) for each in streams]
            pool.shutdown(wait=False)
        try:
            self.wait(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0) from None
        stdout, stderr = (each.result() for each in self._outputs)
        with self:
            return stdout, stderr

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        self.wait()


def _pipe() -> tuple[IO[str], IO[str]]:
    ours, theirs = os.pipe()
    return open(ours, encoding="utf-8"), open(theirs, "w", encoding="utf-8")


@cache
def _server() -> socket.socket:
    """Where orders are sent; it ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        _started.append(
            subprocess.Popen(
                [sys.executable, SERVER, str(number)], pass_fds=[number], env=ENVIRONMENT
            )
        )
    return ours


_started: list[subprocess.Popen[bytes]] = []
Process: TypeAlias = subprocess.Popen[str] | Forked
