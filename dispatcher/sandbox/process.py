"""The sandbox as a child process, and a client for tests; needs only the standard library."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

Json = dict[str, Any]

ANNOUNCEMENT: Final = "sandbox: "
PATIENCE: Final = 20.0
JSON_BODY: Final = {"Content-Type": "application/json"}
ERRORS: Final = {404: LookupError, 408: TimeoutError, 422: ValueError}


class SandboxDidNotStart(RuntimeError):
    """The process ended, or printed something else, before it served."""


class SandboxProcess:
    """A sandbox on a free port, within a `with SandboxProcess("--token", "x") as sandbox:`.

    `options` are those of its command line; `program` starts it, by default `python -m
    dispatcher.sandbox`. Raises SandboxDidNotStart with what it wrote on standard error if it fails
    to start. It ends with this process, however that ends.
    """

    def __init__(self, *options: str, program: Sequence[str] = ()) -> None:
        start = program or (sys.executable, "-P", "-m", "dispatcher.sandbox")
        self._command = [*start, "--port", "0", "--until-stdin-closes", *options]
        self._opener: OpenerDirector = build_opener(ProxyHandler({}))
        self.url = ""

    def __enter__(self) -> Self:
        self._errors: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for this process, which may still have to send
            text=True,
        )
        try:
            self.url = self._announced_url()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def pid(self) -> int:
        return self._process.pid

    def messages(self, **filters: object) -> list[Json]:
        """Return the accepted messages, oldest first.

        Filters: to, type, q, limit; else ValueError.
        """
        return list(self._ask("/api/messages", filters)["messages"])

    def latest(self) -> Json:
        """Return the newest message. Raises LookupError if there is none."""
        return self._ask("/api/messages/latest")

    def wait(self, count: int, timeout: float = 10, **filters: object) -> list[Json]:
        """Return the messages once there are `count`.

        Raises TimeoutError after `timeout` seconds.
        """
        query = {"count": count, "timeout": timeout, **filters}
        return list(self._ask("/api/wait", query, timeout + PATIENCE)["messages"])

    def faults(self, rules: Iterable[Mapping[str, object]]) -> None:
        """Replace all rules. Raises ValueError naming the first invalid rule and its field."""
        body = json.dumps([dict(rule) for rule in rules]).encode()
        self._send(Request(f"{self.url}/api/faults", body, JSON_BODY, method="PUT"))

    def clear(self) -> None:
        """Delete the messages, the counts and the faults; uploaded files stay."""
        self._send(Request(f"{self.url}/api/messages", method="DELETE"))
        self._send(Request(f"{self.url}/api/faults", method="DELETE"))

    def media(self) -> list[Json]:
        """Return the uploaded files, oldest first."""
        return list(self._ask("/api/media")["media"])

    def stats(self) -> dict[str, int]:
        """Return the counts; `Stats` in store.py says what each of them means."""
        return self._ask("/api/stats")

    def _ask(
        self, path: str, query: Mapping[str, object] | None = None, patience: float = PATIENCE
    ) -> Json:
        answer = self._send(Request(f"{self.url}{path}?{urlencode(query or {})}"), patience)
        return dict(json.loads(answer))

    def _send(self, request: Request, patience: float = PATIENCE) -> bytes:
        try:
            with self._opener.open(request, timeout=patience) as response:
                return bytes(response.read())
        except HTTPError as error:
            with error:
                reason = json.load(error)["error"]
            raise ERRORS.get(error.code, RuntimeError)(reason) from None

    def _announced_url(self) -> str:
        assert self._process.stdout is not None
        alarm = threading.Timer(PATIENCE, self._process.kill)
        alarm.start()
        try:
            line = self._process.stdout.readline()
            if line.startswith(ANNOUNCEMENT):
                return line.removeprefix(ANNOUNCEMENT).strip()
            self._process.wait()
        finally:
            alarm.cancel()
        self._errors.seek(0)
        raise SandboxDidNotStart(
            f"the sandbox did not start: {self._errors.read().strip() or line}"
        )

    def _end(self) -> None:
        with self._errors, self._process as process:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment() -> dict[str, str]:
    """Return this process's environment, in which the child imports the same package."""
    found = str(Path(__file__).parents[2])
    paths = [found, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
