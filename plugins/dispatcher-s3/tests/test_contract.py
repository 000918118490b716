"""The contract of sources, kept by links and by uploads."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlsplit

import botocore  # type: ignore[import-untyped]
import pytest

from dispatcher import Attachment, Link, SourceError, Upload
from dispatcher.testing import SourceContract
from dispatcher_s3 import S3, S3Settings
from dispatcher_s3.lock import Entry

CONTENT = b"%PDF-1.7 prices"
KEY = "2026/prices list ü.pdf"
SOURCE = f"s3://media/{KEY}"
FOREIGN = ("a.pdf", "https://example.com/a.pdf", "s3:/media/a.pdf", "s3.lock", "gs://media/a.pdf")
BAD = (
    *("s3://", "s3://media", "s3://media/", "s3://media/folder/", "s3://Media/a.pdf"),
    *("s3://m/a.pdf", "s3://media/a\x00.pdf", "s3://media/" + "a" * 1025),
    "s3://media/a.pdf?versionId=",
)


def signed(attachment: Attachment) -> bool:
    assert isinstance(attachment, Link)
    url = urlsplit(attachment.url)
    assert (url.scheme, url.path) == ("https", "/" + quote(KEY))
    assert url.hostname == "media.s3.eu-central-1.amazonaws.com"
    assert "X-Amz-Expires=3600" in url.query
    return attachment.identity == SOURCE


def of_a_version(attachment: Attachment) -> bool:
    assert isinstance(attachment, Link)
    assert "versionId=v1" in attachment.url
    return attachment.identity == "s3://media/a.pdf?versionId=v1"


class TestLinks(SourceContract):
    plugin = S3(S3Settings(expires=3600, region="eu-central-1"))
    mine = ((SOURCE, signed), ("S3://media/a.pdf?versionId=v1", of_a_version))
    foreign = FOREIGN
    bad = BAD
    reads = (Path(botocore.__file__).parent,)


class TestUploads(SourceContract):
    """With an S3 that is not asked: the checksums are beside the manifest."""

    entry = Entry(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    plugin = S3(S3Settings(upload=True, endpoint_url="http://127.0.0.1:9"))
    foreign = FOREIGN
    bad = (*BAD, "s3://media/unlocked.pdf")
    files: ClassVar = {"s3.lock": f"{entry.sha256}  {entry.size}  {SOURCE}\n".encode()}
    mine: ClassVar = {
        SOURCE: Upload(
            filename="prices list ü.pdf",
            size=entry.size,
            sha256=entry.sha256,
            mime_type="application/pdf",
            open=BytesIO,
        )
    }

    def test_files_are_what_they_say(self) -> None:  # type: ignore[override]
        """See test_command.py: without a network there is nothing to open."""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x", "s3.lock, line 1: not a sha256, a size and s3://"),
        (b"\xff", "s3.lock cannot be read"),
        (None, "there is no s3.lock beside the manifest; add it: dispatcher s3-lock"),
        (b"", f'"{SOURCE}" is not in s3.lock; add it: dispatcher s3-lock "{SOURCE}"'),
    ],
)
def test_a_lock_that_is_of_no_use(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "s3.lock").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        TestUploads.plugin.dispatcher_resolve_source(SOURCE, tmp_path)
    assert words in str(caught.value)
