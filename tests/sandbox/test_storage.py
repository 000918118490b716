"""`--storage FILE`: messages and uploads are there after a restart."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.sandbox.media import LIFETIME, Media, MediaStore
from dispatcher.sandbox.process import SandboxDidNotStart, SandboxProcess
from dispatcher.sandbox.store import CannotStore, Database, Store
from tests.support.cases import cases

from .client import PERSON, Client


def post(sandbox: SandboxProcess, *texts: str) -> None:
    with Client(sandbox.url) as client:
        for text in texts:
            client.text(text, headers={"Authorization": "Bearer top-secret", "X-Trace": "é"})


def texts(sandbox: SandboxProcess) -> list[str]:
    return [message["payload"]["text"]["body"] for message in sandbox.messages(to=PERSON)]


def test_messages_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "messages.db"
    with SandboxProcess("--storage", str(file)) as first:
        post(first, "one", "two 😃")
        before = first.messages()
    with SandboxProcess("--storage", str(file)) as second:
        assert second.messages() == before
        post(second, "three")
        assert texts(second) == ["one", "two 😃", "three"]


def test_uploads_outlive_a_restart(tmp_path: Path) -> None:
    file = str(tmp_path / "messages.db")
    with SandboxProcess("--storage", file) as first, Client(first.url) as client:
        removed, id = client.uploaded(b"one"), client.uploaded(b"two")
        client.request("DELETE", f"/v1/media/{removed}")
        before = first.media()
    with SandboxProcess("--storage", file) as second, Client(second.url) as client:
        assert second.media() == before
        assert client.request("GET", f"/v1/media/{id}").content == b"two"
        assert client.post({"to": PERSON, "type": "image", "image": {"id": id}}).ok
        assert client.request("GET", f"/v1/media/{removed}").status_code == 404
    assert [kept.name for kept in (tmp_path / "messages.db-uploads").iterdir()] == [id]


def test_kept_uploads_expire_while_nobody_serves(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "messages.db")) as database:
        keep(MediaStore(database, lambda: 0.0))
        assert len(list(database.folder.iterdir())) == 1

        assert MediaStore(database, lambda: LIFETIME).all() == []
        assert [*database.rows("media"), *database.folder.iterdir()] == []


def test_of_too_many_uploads_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.sandbox.media.MOST_FILES", 2)
    with closing(Database(tmp_path / "messages.db")) as database:
        store = MediaStore(database, lambda: 0.0)
        kept = [keep(store) for _ in range(4)][2:]

        assert store.all() == [Media(*fields) for _, *fields in database.rows("media")] == kept
        assert {file.name for file in database.folder.iterdir()} == {media.id for media in kept}


def keep(store: MediaStore) -> Media:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a file"

    return asyncio.run(store.add(chunks(), "pdf", ""))


def test_the_token_is_not_kept(tmp_path: Path) -> None:
    with SandboxProcess("--storage", str(tmp_path / "messages.db")) as sandbox:
        post(sandbox, "one")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for file in files:
        assert b"top-secret" not in file.read_bytes()


def test_the_oldest_go_first_in_the_file_too(tmp_path: Path) -> None:
    file = tmp_path / "messages.db"
    with SandboxProcess("--storage", str(file), "--max-messages", "2") as sandbox:
        post(sandbox, "one", "two", "three")
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    with SandboxProcess("--storage", str(file), "--max-messages", "1") as sandbox:
        assert texts(sandbox) == ["three"]


def test_clear_empties_the_file(tmp_path: Path) -> None:
    file = tmp_path / "messages.db"
    with SandboxProcess("--storage", str(file)) as sandbox:
        post(sandbox, "one")
        sandbox.clear()
    with SandboxProcess("--storage", str(file)) as sandbox:
        assert sandbox.messages() == []


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("these are notes, and no database " * 40)
    for file in (other, tmp_path / "missing" / "messages.db"):
        with (
            pytest.raises(SandboxDidNotStart, match="cannot keep messages in"),
            SandboxProcess("--storage", str(file)),
        ):
            pass
    assert other.read_text().startswith("these are notes")


def test_two_sandboxes_do_not_share_a_file(tmp_path: Path) -> None:
    file = str(tmp_path / "messages.db")
    with (
        SandboxProcess("--storage", file),
        pytest.raises(SandboxDidNotStart, match="locked"),
        SandboxProcess("--storage", file),
    ):
        pass


def prepared(file: Path, statement: str, *values: object) -> None:
    """A storage that somebody has changed."""
    with closing(Database(file)):
        pass
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement, values)


UPLOAD = "INSERT INTO media VALUES (1, ?, ?, ?, ?, ?, ?)"
GOOD = ("0b2d4b5e-6b0a-4f5e-9a8b-1c2d3e4f5a6b", 8, "0" * 64, "txt", "text/plain", 0.0)


@cases(
    "column, value",
    (0, "../precious.txt"),
    (0, "/etc/hostname"),
    (0, "{0b2d4b5e-6b0a-4f5e-9a8b-1c2d3e4f5a6b}"),
    (0, b"precious"),
    (0, None),
    (1, "eight"),
    (2, "no hash"),
    (3, 'txt"; filename="x.exe'),
    (4, "text/plain\r\nSet-Cookie: a=b"),
    (5, "yesterday"),
    (5, float("inf")),
)
def test_an_upload_that_is_none_is_not_used(tmp_path: Path, column: int, value: object) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    fields = [*GOOD[:column], value, *GOOD[column + 1 :]]
    prepared(tmp_path / "messages.db", UPLOAD, *fields)

    with (
        closing(Database(tmp_path / "messages.db")) as database,
        pytest.raises(CannotStore, match="upload 1 is none of the sandbox; delete it"),
    ):
        MediaStore(database, lambda: LIFETIME)
    assert precious.read_text() == "precious"


@cases("link", Path.symlink_to, Path.hardlink_to)
def test_a_link_among_the_uploads_is_neither_served_nor_followed(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("precious")
    prepared(tmp_path / "messages.db", UPLOAD, *GOOD)
    link(tmp_path / "messages.db-uploads" / GOOD[0], secret)

    with closing(Database(tmp_path / "messages.db")) as database:
        assert MediaStore(database, lambda: LIFETIME + 1).all() == []
    assert secret.read_text() == "precious"


def test_a_folder_of_uploads_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "messages.db-uploads").symlink_to("elsewhere")
    with pytest.raises(CannotStore, match="links are not followed"):
        Database(tmp_path / "messages.db")


BODY = json.dumps({"to": PERSON, "text": {"body": "Hello"}})
ID = "0123456789ab00000001"


@cases(
    "id, to, body, headers",
    ("../1", PERSON, BODY, "{}"),
    (ID, "79009999999", BODY, "{}"),
    (ID, PERSON, "{", "{}"),
    (ID, PERSON, '{"to": "79001234567"}', "{}"),
    (ID, PERSON, BODY, "[]"),
    (ID, PERSON, BODY, '{"x": 1}'),
    (ID, PERSON, BODY, '{"x": "😃"}'),
    (ID, PERSON, b"\xff", "{}"),
)
def test_a_message_that_the_gateway_would_not_take_is_not_shown(
    tmp_path: Path, id: str, to: str, body: str | bytes, headers: str
) -> None:
    insert = "INSERT INTO messages VALUES (1, ?, 0.0, ?, 'text', ?, ?, 0)"
    prepared(tmp_path / "messages.db", insert, id, to, body, headers)
    with (
        closing(Database(tmp_path / "messages.db")) as database,
        pytest.raises(CannotStore, match="message 1 is none of the sandbox; delete it"),
    ):
        Store(database)


@cases(
    "statement",
    "CREATE TABLE accounts (id INTEGER)",
    "CREATE TABLE media (id TEXT)",
    "CREATE VIEW messages AS SELECT 1",
    "PRAGMA user_version = 7",
)
def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS x (y)")
        database.execute(statement)
    before = file.read_bytes()
    with pytest.raises(CannotStore, match=r"of another (program|version)"):
        Database(file)
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]
    assert file.read_bytes() == before


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "messages.db"
    with SandboxProcess("--storage", str(file)) as sandbox:
        post(sandbox, *("x" * 4000 for _ in range(20)))
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xff" * len(content[8192:])
    file.write_bytes(content)
    with (
        pytest.raises(SandboxDidNotStart, match=r"cannot use .*messages\.db: .*malformed"),
        SandboxProcess("--storage", str(file)),
    ):
        pass
