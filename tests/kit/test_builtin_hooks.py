"""The built-in plugins keep the contracts that are asked of every plugin."""

from typing import ClassVar

from dispatcher import Attachment, Link, Upload
from dispatcher.builtin import checks
from dispatcher.builtin.sources import Files, Links
from dispatcher.testing import SourceContract, ValidatorContract, message, upload

LINK = "https://example.com/a.pdf"


def _is_prices(attachment: Attachment) -> bool:
    assert isinstance(attachment, Upload)
    return (attachment.filename, attachment.mime_type) == ("prices.pdf", "application/pdf")


class TestLinks(SourceContract):
    plugin = Links()
    mine = ((LINK, Link(url=LINK)), ("HTTP://a.example", Link(url="HTTP://a.example")))
    foreign = ("prices.pdf", "drive:x", "a")
    bad = ("s3://bucket/key", "file:///etc/passwd")


class TestFiles(SourceContract):
    plugin = Files()
    files: ClassVar = {"prices.pdf": b"%PDF", "deep/er/prices.pdf": b"%PDF-1.7", "empty.pdf": b""}
    mine = (("prices.pdf", _is_prices), ("deep/../deep/er/prices.pdf", _is_prices))
    foreign = (LINK, "s3://bucket/key")
    bad = ("price.pdf", "empty.pdf", "deep", "../prices.pdf", "/etc/passwd", " ", "a\x00b")


class TestChecks(ValidatorContract):
    plugin = checks
    good = (
        message(),
        message(to="79001234567-1581234048"),
        (message(image={"link": LINK}), Link(url=LINK)),
        (message(document={"source": "prices.pdf"}), upload()),
    )
    bad = (
        (message(text={"body": " "}), "text.body"),
        (message(image={"link": "ftp://a"}), Link(url="ftp://a"), "image.link"),
        (message(image={"source": "film.mp4"}), upload(filename="film.mp4"), "image.source"),
        (message(document={"link": LINK, "filename": "a/b"}), "document.filename"),
    )
