"""Databases of a PostgreSQL server, and a proxy with which the network before it fails."""

import select
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlencode, urlsplit

import psycopg

LEASE = 1.0
# The real command, but for the seconds after which a worker that does not show is dead.
DRIVER = f"""
import dispatcher.journal
from dispatcher.cli import main

dispatcher.journal.LEASE = {LEASE}
main()
"""


def url_with(url: str, *, query: Mapping[str, str] | None = None, **parts: str | int | None) -> str:
    """A database's URL with another user, password, host, port or database, and with more
    parameters."""
    found = urlsplit(url)
    names = ("user", "password", "host", "port", "database")
    before = (found.username, found.password, found.hostname, found.port, database_of(url))
    assert parts.keys() <= set(names)
    user, password, host, port, database = (dict(zip(names, before, strict=True)) | parts).values()
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    more = "&".join(filter(None, [found.query, urlencode(query or {})]))
    place = f"{host or ''}:{port}" if port else host or ""
    return f"postgresql://{login}{place}/{database}" + (f"?{more}" if more else "")


def database_of(url: str) -> str:
    """The name of the database in a URL."""
    return urlsplit(url).path.removeprefix("/")


class Database:
    """A PostgreSQL database for tests, and what a test asks of it beside the journal."""

    def __init__(self, url: str) -> None:
        self.url = url

    def cut(self) -> None:
        """End every connection to it."""
        self.ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Carry out one statement; its rows, if it has any."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def emptied(self) -> str:
        """Forget the journal; its URL, as if there had been none."""
        self.ask("DROP SCHEMA IF EXISTS dispatcher CASCADE")
        return self.url

    def journal(self) -> dict[str, dict[str, Any]]:
        """The journal's messages by message id."""
        rows = self.ask("SELECT message, to_jsonb(messages) FROM dispatcher.messages")
        return dict(rows)

    def statuses(self) -> dict[str, str]:
        """What the journal calls each message, by its id."""
        return {id: row["status"] for id, row in self.journal().items()}


Fault = Literal["cut after", "commit late", "stall"]


class Proxy:
    """Passes everything on, but for the first commit of an intent; `reached`: it came to that.

    "cut after": the client never hears of the answer; "commit late": the client's connection
    breaks, and the server hears of it a while later; "stall": the answer comes when `release` is
    set.
    """

    def __init__(self, url: str, fault: Fault) -> None:
        self._server, self._fault = urlsplit(url), fault
        self.reached, self.release = threading.Event(), threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = url_with(url, host="127.0.0.1", port=port)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        host, port = self._server.hostname or "127.0.0.1", self._server.port or 5432
        with client, socket.create_connection((host, port)) as server:
            intent = False
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    intent = intent or b"INSERT INTO messages" in data
                    if intent and b"COMMIT" in data and not self.reached.is_set():
                        self.reached.set()
                        self._fail(client, server, data)
                    else:
                        (server if source is client else client).sendall(data)

    def _fail(self, client: socket.socket, server: socket.socket, commit: bytes) -> None:
        if self._fault == "commit late":
            client.shutdown(socket.SHUT_RDWR)
            time.sleep(1)
        server.sendall(commit)
        answer = server.recv(65536)
        if self._fault == "stall":
            self.release.wait(30)
            client.sendall(answer)
        elif self._fault == "cut after":
            client.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
