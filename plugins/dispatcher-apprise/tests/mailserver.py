"""A mail server on loopback that says what its script says, and keeps what it accepted."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Mapping
from typing import Self

_USUAL = {
    "EHLO": "250-here\r\n250 AUTH PLAIN",
    "AUTH": "235 welcome",
    "DATA": "354 go on",
    ".": "250 kept",
}


class MailServer:
    """`answers`: by command ("." ends a message); None hangs up instead. `mails`: as accepted."""

    def __init__(self, answers: Mapping[str, str | None] | None = None) -> None:
        self.answers = {**_USUAL, **(answers or {})}
        self.mails: list[str] = []

    def __enter__(self) -> Self:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.serve(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, connection: socketserver.StreamRequestHandler) -> None:
        """Speak with one client."""
        connection.wfile.write(b"220 here\r\n")
        while line := connection.rfile.readline():
            command = line.split()[0].decode().upper()
            answer = self.answers.get(command, "250 well")
            if answer is None:
                return
            connection.wfile.write(f"{answer}\r\n".encode())
            if command == "QUIT" or (answer.startswith("354") and not self._take(connection)):
                return

    def _take(self, connection: socketserver.StreamRequestHandler) -> bool:
        """Read a mail, and answer; False: hang up instead."""
        mail, answer = _read_mail(connection), self.answers["."]
        if answer is None:
            return False
        if answer.startswith("250"):
            self.mails.append(mail)
        connection.wfile.write(f"{answer}\r\n".encode())
        return True


def _read_mail(connection: socketserver.StreamRequestHandler) -> str:
    lines = []
    while (line := connection.rfile.readline()) not in (b".\r\n", b""):
        lines.append(line)
    return b"".join(lines).decode()
