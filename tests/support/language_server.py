"""A language server, as an editor talks to it: the Language Server Protocol on its pipes."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE


class LanguageServer:
    """A server that was started, with one file open in the editor."""

    def __init__(self, process: subprocess.Popen[bytes], file: Path) -> None:
        self._process, self._uri, self._last = process, file.as_uri(), 0
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self._send({"method": "initialized", "params": {}})
        text = file.read_text(encoding="utf-8")
        document = {"uri": self._uri, "languageId": "toml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def hover(self, line: int, column: int) -> str:
        """What is shown of what stands there; both count from 0."""
        found = self._at("hover", line, column)
        return str(found["contents"]["value"]) if found else ""

    def completions(self, line: int, column: int) -> list[str]:
        """What is offered there."""
        found = self._at("completion", line, column) or []
        return [each["label"] for each in (found["items"] if isinstance(found, dict) else found)]

    def _at(self, method: str, line: int, column: int) -> Any:
        position = {"line": line, "character": column}
        place = {"textDocument": {"uri": self._uri}, "position": position}
        return self._ask(f"textDocument/{method}", place)

    def _ask(self, method: str, params: object) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" not in message and message.get("id") == self._last:
                return message["result"]
            if "method" in message and "id" in message:  # the server asks, too
                self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        length = 0
        while (header := self._process.stdout.readline().strip().lower()) or not length:
            assert header, "the language server has ended"
            if header.startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


@contextmanager
def language_server(command: list[str], file: Path) -> Iterator[LanguageServer]:
    """Open a file in an editor that runs this command."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        end = threading.Timer(PATIENCE, process.kill)  # of one that does not answer
        end.start()
        try:
            yield LanguageServer(process, file)
        finally:
            end.cancel()
            process.kill()
