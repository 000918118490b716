"""`--storage FILE`: messages and uploads are there after a restart."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.sandbox.media import LIFETIME, Media, MediaStore
from dispatcher.sandbox.process import SandboxDidNotStart, SandboxProcess
from dispatcher.sandbox.storage import Storage

from .client import PERSON, Client


def post(sandbox: SandboxProcess, *texts: str) -> None:
    client = Client(sandbox.url)
    for text in texts:
        client.text(text, headers={"Authorization": "Bearer top-secret", "X-Trace": "é"})
    client.close()


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
    with SandboxProcess("--storage", file) as first, closing(Client(first.url)) as client:
        removed, id = client.uploaded(b"one"), client.uploaded(b"two")
        client.request("DELETE", f"/v1/media/{removed}")
        before = first.media()
    with SandboxProcess("--storage", file) as second, closing(Client(second.url)) as client:
        assert second.media() == before
        assert client.request("GET", f"/v1/media/{id}").content == b"two"
        assert client.post({"to": PERSON, "type": "image", "image": {"id": id}}).ok
        assert client.request("GET", f"/v1/media/{removed}").status_code == 404
    assert [kept.name for kept in (tmp_path / "messages.db-uploads").iterdir()] == [id]


def test_kept_uploads_expire_while_nobody_serves(tmp_path: Path) -> None:
    with closing(Storage(tmp_path / "messages.db")) as storage:
        keep(MediaStore(storage.folder, lambda: 0.0, storage))
        assert len(list(storage.folder.iterdir())) == 1

        assert MediaStore(storage.folder, lambda: LIFETIME, storage).all() == []
        assert [*storage.load_media(), *storage.folder.iterdir()] == []


def test_of_too_many_uploads_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.sandbox.media.MOST_FILES", 2)
    with closing(Storage(tmp_path / "messages.db")) as storage:
        store = MediaStore(storage.folder, lambda: 0.0, storage)
        kept = [keep(store) for _ in range(4)][2:]

        assert store.all() == list(storage.load_media()) == kept
        assert {file.name for file in storage.folder.iterdir()} == {media.id for media in kept}


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
