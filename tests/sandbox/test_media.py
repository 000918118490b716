"""`/v1/media`: upload, fetch, forget, expire."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.waiting import wait_until

from .client import PERSON, Client, code_of, connect, raw_post

LARGEST = 37_000_000
DAY = 24 * 60 * 60

WITH_A_SHIFTED_CLOCK = """
import sys, time
from pathlib import Path
from dispatcher.sandbox.app import serve

def clock() -> float:
    return time.time() + float(Path(sys.argv[1]).read_text())

serve("127.0.0.1", 0, None, 10, lambda url: print("sandbox:", url, flush=True), clock=clock)
"""


def test_upload_and_fetch(client: Client, sandbox: SandboxProcess) -> None:
    content = bytes(range(256)) * 1000

    answer = client.upload(content, "jpeg", "image/jpeg")

    assert answer.status_code == 201
    [media] = answer.json()["media"]
    assert answer.json()["meta"] == {"api_status": "stable", "version": "2.0.1"}
    fetched = client.request("GET", f"/v1/media/{media['id']}")
    assert fetched.status_code == 200
    assert fetched.content == content
    assert fetched.headers["Content-Type"] == "image/jpeg"


def test_a_fetched_file_does_nothing_in_a_browser(client: Client) -> None:
    id = client.uploaded(b"<script>alert(1)</script>", "html", "text/html")

    headers = client.request("GET", f"/v1/media/{id}").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in headers["Content-Security-Policy"]


@cases(
    "content_type, extension, expected",
    ("application/pdf", "pdf", "application/pdf"),
    ("application/pdf", "bin", "application/pdf"),
    ("text/csv; charset=utf-8", "csv", "text/csv; charset=utf-8"),
    ("text/plain", "jpeg", "image/jpeg"),
    ("text/plain", "txt", "text/plain"),
    ("text/plain;charset=UTF-8", "mp4", "video/mp4"),
    ("application/x-www-form-urlencoded", "png", "image/png"),
    (None, "pdf", "application/pdf"),
    (None, "nobody-knows", "application/octet-stream"),
)
def test_content_type(
    content_type: str | None, extension: str, expected: str, client: Client
) -> None:
    id = client.uploaded(b"x", extension, content_type)

    assert client.request("GET", f"/v1/media/{id}").headers["Content-Type"] == expected


@cases("extension", "pdf", ".pdf", "PDF", "tar.gz", "7z")
def test_extension(extension: str, client: Client, sandbox: SandboxProcess) -> None:
    assert client.upload(b"x", extension).status_code == 201
    assert sandbox.media()[-1]["extension"] == extension.removeprefix(".")


@cases("extension", None, "", ".")
def test_no_extension(extension: str | None, client: Client) -> None:
    assert code_of(client.upload(b"x", extension)) == 7200


@cases("extension", "..pdf", "a/b", "../x", 'p"f')
def test_not_an_extension(extension: str, client: Client) -> None:
    assert code_of(client.upload(b"x", extension)) == 1011


def test_empty_file(client: Client, sandbox: SandboxProcess) -> None:
    before = len(sandbox.media())

    assert code_of(client.upload(b"")) == 1011
    assert len(sandbox.media()) == before


def test_a_form_is_not_a_file(client: Client) -> None:
    answer = client.upload(b"--x\r\n\r\n--x--", "pdf", "multipart/form-data; boundary=x")

    assert code_of(answer) == 1011
    assert "multipart" in answer.json()["errors"][0]["details"]


@cases("chunked", False, True)
def test_the_largest_file(chunked: bool, client: Client, sandbox: SandboxProcess) -> None:
    content = b"x" * LARGEST

    answer = client.upload(iter([content]) if chunked else content)

    assert answer.status_code == 201
    assert sandbox.media()[-1]["size"] == LARGEST
    assert sandbox.media()[-1]["sha256"] == hashlib.sha256(content).hexdigest()


@cases("chunked", False, True)
def test_one_byte_too_many(chunked: bool, client: Client, sandbox: SandboxProcess) -> None:
    before = sandbox.media()
    content = b"x" * (LARGEST + 1)

    answer = client.upload(iter([content]) if chunked else content)

    assert code_of(answer) == 1011
    assert str(LARGEST) in answer.json()["errors"][0]["details"]
    assert sandbox.media() == before


def test_is_refused_by_its_announced_size_alone(sandbox: SandboxProcess) -> None:
    head = {"Content-Length": str(LARGEST + 1), "X-Gr-File-Extension": "bin"}

    with connect(sandbox.url) as connection:
        connection.sendall(raw_post("/v1/media", b"", **head))
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def files_in(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def test_leaves_no_files_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with SandboxProcess() as sandbox, Client(sandbox.url) as client:
        kept, forgotten = client.uploaded(), client.uploaded()
        assert files_in(tmp_path) == 2

        client.request("DELETE", f"/v1/media/{forgotten}")
        client.upload(b"")
        client.upload(iter([b"x" * (LARGEST + 1)]))
        head = {"Content-Length": "1000000", "X-Gr-File-Extension": "bin"}
        with connect(sandbox.url) as connection:
            connection.sendall(raw_post("/v1/media", b"half", **head))
            wait_until(lambda: files_in(tmp_path) == 2)

        wait_until(lambda: files_in(tmp_path) == 1)
        assert [media["id"] for media in sandbox.media()] == [kept]
    assert list(tmp_path.iterdir()) == []


def test_a_message_of_more_than_a_mebibyte(client: Client) -> None:
    answer = client.text("x" * 1024 * 1024)

    assert code_of(answer) == 1011


def test_forget(client: Client, sandbox: SandboxProcess) -> None:
    id = client.uploaded()

    answer = client.request("DELETE", f"/v1/media/{id}")

    assert (answer.status_code, answer.json()) == (200, {})
    assert id not in [media["id"] for media in sandbox.media()]
    for method in ("GET", "DELETE"):
        gone = client.request(method, f"/v1/media/{id}")
        assert (gone.status_code, gone.content) == (404, b"")


@cases("method", "GET", "DELETE")
def test_unknown(method: str, client: Client) -> None:
    answer = client.request(method, "/v1/media/6b1d0c3e-0000-4000-8000-000000000000")

    assert (answer.status_code, answer.content) == (404, b"")


def test_list(client: Client, sandbox: SandboxProcess) -> None:
    id = client.uploaded(b"abc", "png", "image/png")

    media = sandbox.media()[-1]

    assert media.pop("uploaded_at")[:10] < media.pop("expires_at")[:10]
    assert media == {
        "id": id,
        "size": 3,
        "content_type": "image/png",
        "extension": "png",
        "sha256": hashlib.sha256(b"abc").hexdigest(),
    }


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A file with the seconds by which the server's clock is wrong."""
    clock = tmp_path / "shift"
    clock.write_text("0")
    return clock


@pytest.fixture
def timed(clock: Path) -> Iterator[tuple[SandboxProcess, Client]]:
    program = (sys.executable, "-P", "-c", WITH_A_SHIFTED_CLOCK, str(clock))
    with SandboxProcess(program=program) as sandbox, Client(sandbox.url) as client:
        yield sandbox, client


def test_expires_after_a_day(timed: tuple[SandboxProcess, Client], clock: Path) -> None:
    sandbox, client = timed
    id = client.uploaded()
    message = {"to": PERSON, "type": "image", "image": {"id": id}}

    clock.write_text(str(DAY - 60))
    assert client.post(message).status_code == 201
    assert client.request("GET", f"/v1/media/{id}").status_code == 200
    later = client.uploaded()

    clock.write_text(str(DAY + 1))
    assert code_of(client.post(message)) == 1011
    assert client.request("GET", f"/v1/media/{id}").status_code == 404
    assert [media["id"] for media in sandbox.media()] == [later]
