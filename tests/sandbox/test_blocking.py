"""However long a page takes, the gateway answers meanwhile; whoever waits is not asked twice."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Scope

from dispatcher.sandbox import store
from dispatcher.sandbox.app import create_app
from dispatcher.sandbox.inbox import pages
from dispatcher.sandbox.store import Chat, Database, Filter, Store
from tests.support.cases import cases

PATIENCE = 20.0
BODY = json.dumps({"to": "79001234567", "text": {"body": "Hello"}})


async def get(app: ASGIApp, path: str) -> int:
    """The status of the answer, once all of that has come."""
    path, _, query = path.partition("?")
    answer: list[Message] = []
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "server": ("localhost", 80),
        "http_version": "1.1",
        "scheme": "http",
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answer.append(message)

    await app(scope, receive, send)
    status: int = answer[0]["status"]
    return status


@cases(
    "place, name, path",
    (pages, "shown_payload", "/"),
    (pages, "summary_of", "/"),
    (pages, "view_of", "/?q=hello"),
    (Store, "find", "/api/messages?q=hello"),
    (Store, "read", "/api/messages"),
)
def test_a_page_that_takes_long_holds_up_nobody(
    place: Any, name: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    work: Callable[..., Any] = getattr(place, name)

    def long_work(*arguments: Any) -> Any:
        begun.set()
        assert may_end.wait(PATIENCE), "nothing else was answered meanwhile"
        return work(*arguments)

    async def both() -> tuple[int, int]:
        app = create_app(database)
        page = asyncio.create_task(get(app, path))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        ready = await get(app, "/readyz")
        may_end.set()
        return ready, await page

    database = Database(tmp_path / "messages.db")
    Store(database).add(json.loads(BODY), BODY, [])
    monkeypatch.setattr(place, name, long_work)
    assert asyncio.run(both()) == (200, 200)
    database.close()


def test_who_waits_looks_at_each_message_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counted(payload: object, sought: str) -> bool:
        nonlocal looked
        looked += 1
        return True

    async def arrive(kept: Store, wanted: int) -> list[str]:
        waiting = asyncio.create_task(kept.wait(Filter(q="hello"), wanted, PATIENCE))
        for _ in range(wanted):
            kept.add(json.loads(BODY), BODY, [])
            await asyncio.sleep(0.012)
        return [message.id for message in await waiting]

    monkeypatch.setattr(store, "mentions", counted)
    kept = Store(database)
    found = asyncio.run(arrive(kept, 30))
    assert found == [message.id for message in kept.select(Filter())]
    assert looked == 30


def test_who_waits_costs_no_more_the_more_are_kept(database: Database) -> None:
    """SQLite's own steps: those of ten bursts are not ten times those of one."""

    async def steps(bursts: int) -> int:
        taken = 0

        def count() -> None:
            nonlocal taken
            taken += 1

        kept = Store(database)
        for _ in range(1_000):
            kept.add(json.loads(BODY), BODY, [])
        waiting = asyncio.create_task(kept.wait(Filter(), 1_000 + bursts, PATIENCE))
        connection.set_progress_handler(count, 10)
        for _ in range(bursts):
            await asyncio.sleep(0.05)
            kept.add(json.loads(BODY), BODY, [])
        assert len(await waiting) == 1_000 + bursts
        connection.set_progress_handler(None, 0)
        kept.clear()
        return taken

    connection: sqlite3.Connection = database.execute.__self__  # type: ignore[attr-defined]
    assert 0 < asyncio.run(steps(10)) < 2 * asyncio.run(steps(1))


def test_who_waits_does_not_count_what_is_gone(database: Database) -> None:
    async def arrive() -> list[str]:
        waiting = asyncio.create_task(kept.wait(Filter(), 2, PATIENCE))
        for clear in (True, False, False):
            added.append(kept.add(json.loads(BODY), BODY, []))
            await asyncio.sleep(0.03)
            if clear:
                kept.clear()
        return [message.id for message in await waiting]

    kept, added = Store(database), list[str]()
    assert asyncio.run(arrive()) == added[1:]


def test_messages_are_read_whole_while_others_come_and_go(database: Database) -> None:
    kept = Store(database, most=50)

    def read() -> tuple[list[Chat], list[store.Message]]:
        return kept.chats(kept.find(Filter(q="hello")), 10), kept.select(Filter())

    with ThreadPoolExecutor(2) as threads:
        reads = [threads.submit(read) for _ in range(200)]
        while len(kept) < 50 or not all(each.done() for each in reads):
            kept.add(json.loads(BODY), BODY, [])
        for chats, messages in (each.result() for each in reads):
            numbers = [each.number for each in messages]
            assert numbers == sorted(set(numbers))
            assert len(numbers) <= 50
            assert {each.body for each in messages} <= {BODY}
            assert [each.to for each in chats] == ["79001234567"] * len(chats)
    assert len(kept) == len(kept.select(Filter())) == 50
