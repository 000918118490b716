"""A form with a file is what a server's own parser reads, in pieces of any size."""

import hashlib
from email import message_from_bytes
from email.message import Message as Mime
from email.policy import HTTP
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import Refused, Upload
from dispatcher.http.files import Multipart, opened


def upload(content: bytes, filename: str = "price list.pdf", **others: Any) -> Upload:
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "mime_type": "application/pdf"} | others
    return Upload(filename=filename, size=len(content), open=lambda: BytesIO(content), **facts)


def parts(form: Multipart, body: bytes) -> list[Mime]:
    head = f"Content-Type: {form.headers['Content-Type']}\r\n\r\n".encode()
    parsed = message_from_bytes(head + body, policy=HTTP)
    assert not parsed.defects
    return list(parsed.iter_parts())


@given(content=st.binary(max_size=2000), size=st.integers(1, 700), text=st.text(max_size=30))
def test_a_form_is_read_as_it_was_meant(content: bytes, size: int, text: str) -> None:
    text = text.encode(errors="ignore").decode()
    file = upload(content)
    with opened(file) as stream:
        form = Multipart({"type": "application/pdf", "note": text}, "file", file, stream)
        body = b"".join(iter(lambda: form.read(size), b""))
    assert len(body) == int(form.headers["Content-Length"])
    assert stream.complete
    _, note, sent = parts(form, body)
    assert (note.get_payload(decode=True) or b"").decode() == text
    assert sent.get_payload(decode=True) == content
    assert sent.get_content_type() == "application/pdf"
    assert sent.get_filename() == "price list.pdf"


def test_a_name_cannot_add_headers_or_parts() -> None:
    file = upload(b"x", filename='a"\r\nX-Evil: 1\r\n\r\n--.pdf')
    with opened(file) as stream:
        form = Multipart({}, "file", file, stream)
        (part,) = parts(form, form.read())
    assert part["X-Evil"] is None
    assert part.get_payload(decode=True) == b"x"


def test_a_file_that_changed_is_never_sent_whole() -> None:
    file = upload(b"0123456789", sha256="0" * 64)
    with opened(file) as stream:
        form = Multipart({}, "file", file, stream)
        with pytest.raises(Refused, match="changed"):
            form.read()
    assert not stream.complete


def test_a_mime_type_that_no_header_can_carry_is_refused() -> None:
    file = upload(b"x", mime_type="a/b\r\nX-Evil: 1")
    with opened(file) as stream, pytest.raises(Refused, match="MIME type"):
        Multipart({}, "file", file, stream)
