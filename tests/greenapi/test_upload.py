"""Files on their way to the gateway: streamed, checked on the way, always closed."""

import hashlib
import io
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher import NotSent, Refused, Upload
from tests.support.cases import cases
from tests.support.gateway import ACCEPTED, Peer, Serve
from tests.support.greenapi import TOKEN, failure, transport, upload

CONTENT = b"0123456789" * 10_000


class Stream(io.BytesIO):
    """Counts how often it is closed, and how much is asked of it at once."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.closings = 0
        self.asked: list[int | None] = []

    def read(self, size: int | None = -1) -> bytes:
        self.asked.append(size)
        return super().read(size)

    def close(self) -> None:
        self.closings += 1
        super().close()


def test_a_file_goes_out_as_it_is(serve: Serve) -> None:
    server, stream = serve(), Stream(CONTENT)
    before = datetime.now(UTC)
    media = transport(server.url).upload(upload(CONTENT, open=lambda: stream))
    (request,) = server.requests
    assert media.id == "1"
    assert timedelta(0) <= media.expires_at - before - timedelta(hours=24) < timedelta(seconds=5)
    assert request.line == "POST /v1/media HTTP/1.1"
    assert request.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert request.headers["content-length"] == str(len(CONTENT))
    assert request.headers["content-type"] == "application/pdf"
    assert request.headers["x-gr-file-extension"] == "pdf"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "transfer-encoding" not in request.headers
    assert stream.closings == 1
    assert all(size is not None and 0 < size <= 65536 for size in stream.asked)


def test_the_expiry_counts_from_before_the_request(serve: Serve) -> None:
    answered: list[datetime] = []

    def behave(peer: Peer) -> None:
        peer.read()
        answered.append(datetime.now(UTC))
        peer.answer(201, ACCEPTED)

    media = transport(serve(behave).url).upload(upload())
    assert media.expires_at - timedelta(hours=24) <= answered[0]


def test_the_same_file_can_go_twice_on_one_connection(serve: Serve) -> None:
    server, file = serve(), upload()
    sender = transport(server.url)
    assert sender.upload(file).id == sender.upload(file).id == "1"
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_big_file_is_never_in_memory(tmp_path: Path, serve: Serve) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as sparse:
        sparse.truncate(30_000_000)
    file = Upload.from_path(path)
    server = serve()
    sender = transport(server.url)
    sender._client()  # so that only the upload is measured, not the import of requests
    tracemalloc.start()
    try:
        sender.upload(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert server.requests[0].length == 30_000_000
    assert peak < 2_000_000


@cases(
    "now",
    CONTENT[:-1],
    CONTENT[:50_000],
    b"",
    CONTENT + b"x",
    CONTENT * 2,
    b"X" + CONTENT[1:],
    CONTENT[:-1] + b"X",
    ids=["shorter", "half", "empty", "longer", "twice", "other start", "other end"],
)
def test_a_file_that_changed_never_arrives_whole(serve: Serve, now: bytes) -> None:
    server, stream = serve(), Stream(now)
    failed = failure(transport(server.url), Refused, file=upload(CONTENT, open=lambda: stream))
    assert failed.text == "the file changed while it was being sent"
    assert stream.closings == 1
    assert server.requests == []  # none was complete


class _Failing(Stream):
    def __init__(self, error: Exception, after: int = 0) -> None:
        super().__init__(CONTENT)
        self.error, self.after = error, after

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= self.after:
            raise self.error
        return super().read(size)


@cases("after", 0, 50_000)
@cases(
    "error, words",
    (OSError(5, "Input/output error"), "the file cannot be read: Input/output error"),
    (ConnectionResetError(104, "reset"), "the file cannot be read: reset"),
    (TimeoutError(), "the file cannot be read: TimeoutError"),
    (ValueError("bucket is gone"), "the file cannot be read: bucket is gone"),
)
def test_a_file_that_cannot_be_read_is_at_fault_itself(
    serve: Serve, error: Exception, words: str, after: int
) -> None:
    server, stream = serve(), _Failing(error, after)
    failed = failure(transport(server.url), Refused, file=upload(CONTENT, open=lambda: stream))
    assert failed.text == words
    assert stream.closings == 1
    assert server.requests == []


def test_a_stream_of_something_else_than_bytes(serve: Serve) -> None:
    for stream in (io.StringIO("text"), object()):
        with pytest.raises(Refused, match="the file cannot be read") as caught:
            transport(serve().url).upload(upload(open=lambda it=stream: it))
        assert caught.type is Refused


def test_a_stream_that_gives_more_than_it_is_asked_for(serve: Serve) -> None:
    class Generous(Stream):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(-1)

    stream = Generous(CONTENT + b"x")
    failure(transport(serve().url), Refused, file=upload(CONTENT, open=lambda: stream))
    assert stream.closings == 1


def test_a_file_that_is_gone(tmp_path: Path, serve: Serve) -> None:
    path = tmp_path / "gone.pdf"
    path.write_bytes(CONTENT)
    file = Upload.from_path(path)
    path.unlink()
    server = serve()
    with pytest.raises(Refused) as caught:
        transport(server.url).upload(file)
    assert caught.type is Refused
    assert caught.value.text == "the file cannot be read: No such file or directory"
    assert server.connections == 0


def test_a_stream_that_cannot_be_closed_does_no_harm(serve: Serve) -> None:
    class Stubborn(Stream):
        def close(self) -> None:
            super().close()
            if self.closings == 1:
                raise OSError(5, "no")

    media = transport(serve().url).upload(upload(CONTENT, open=lambda: Stubborn(CONTENT)))
    assert media.id == "1"


def test_the_stream_is_closed_when_the_connection_dies(serve: Serve, closed_port: int) -> None:
    for url in (f"http://127.0.0.1:{closed_port}", serve(lambda peer: peer.reset()).url):
        stream = Stream(CONTENT)
        failure(transport(url), NotSent, file=upload(CONTENT, open=lambda it=stream: it))
        assert stream.closings == 1


def test_a_success_before_the_file_was_there_is_none(serve: Serve) -> None:
    def behave(peer: Peer) -> None:
        peer.connection.recv(10)
        peer.answer(201, ACCEPTED, "Connection: close")
        peer.gateway.ended.wait(0.2)
        peer.reset()

    failed = failure(transport(serve(behave).url), NotSent, file=upload(b"x" * 9_000_000))
    assert failed.text == "the gateway did not wait for the whole file"


def test_the_answer_of_the_other_kind_is_no_answer(serve: Serve) -> None:
    server = serve(lambda peer: peer.answer_each(201, b'{"messages":[{"id":"1"}]}'))
    failure(transport(server.url), NotSent, "http 201", file=upload())


@cases(
    "filename, mime_type, extension",
    ("photo.jpeg", "image/jpeg", "jpeg"),
    ("PHOTO.JPG", "image/jpeg", "jpg"),
    ("archive.tar.gz", "application/gzip", "gz"),
    ("clip.mp4", "application/octet-stream", "mp4"),
    ("prices", "application/pdf", "pdf"),
    ("prices.", "application/pdf", "pdf"),
    (".pdf", "image/png", "png"),
    ("отчёт.док", "application/pdf", "pdf"),
    ("a.b c", "application/pdf", "pdf"),
    ("x.pdf\r\nX-Evil: 1", "application/pdf", "pdf"),
    ("x." + "y" * 99, "application/pdf", "pdf"),
    ("", "application/pdf", "pdf"),
    ("thing", "application/x-nobody-knows", "bin"),
    ("thing", "text/plain; charset=utf-8", "bin"),
)
def test_the_extension(serve: Serve, filename: str, mime_type: str, extension: str) -> None:
    server = serve()
    transport(server.url).upload(upload(filename=filename, mime_type=mime_type))
    (request,) = server.requests
    assert request.headers["x-gr-file-extension"] == extension
    assert request.headers["content-type"] == mime_type
    assert "x-evil" not in request.headers


def test_a_mime_type_that_no_header_can_carry(serve: Serve) -> None:
    server = serve()
    failure(transport(server.url), Refused, file=upload(mime_type="text/plain\r\nX-Evil: 1"))
    assert server.connections == 0


def test_an_empty_file_has_a_length_too(serve: Serve) -> None:
    server = serve()
    assert transport(server.url).upload(upload(b"")).id == "1"
    assert server.requests[0].headers["content-length"] == "0"
