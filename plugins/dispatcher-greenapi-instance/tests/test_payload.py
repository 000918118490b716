"""Messages of manifests as the instance's own requests, and what it cannot say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher import Attachment, Link, MediaId, Upload
from dispatcher.testing import message, upload
from dispatcher_greenapi_instance import GreenApiInstance

Make = Callable[..., GreenApiInstance]
BARE = "https://x.example/"
URL = "https://cdn.example.com/a/horse.png?size=2"
BYTES = upload(b"x", "prices.pdf")


def plain(name: str) -> Upload:
    return upload(b"x", name)


def test_a_text(make: Make) -> None:
    built = make().build(message(text={"body": "Hello"}, preview_url=False), None)
    assert built == {"chatId": "79001234567@c.us", "message": "Hello", "linkPreview": False}


def test_a_text_to_a_group(make: Make) -> None:
    built = make().build(message(to="79001234567-1581234048", text={"body": "Hello"}), None)
    assert built == {"chatId": "79001234567-1581234048@g.us", "message": "Hello"}


@pytest.mark.parametrize(
    ("content", "attachment", "url", "name"),
    [
        ({"image": {"link": URL}}, None, URL, "horse.png"),
        ({"image": {"source": URL}}, Link(url=URL), URL, "horse.png"),
        ({"image": {"source": "x"}}, Link(url=BARE), BARE, "image.jpg"),
        ({"video": {"link": f"{BARE}v"}}, None, f"{BARE}v", "v.mp4"),
        ({"audio": {"link": f"{BARE}%D0%B0.ogg"}}, None, f"{BARE}%D0%B0.ogg", "а.ogg"),
        ({"document": {"link": URL, "filename": "h.pdf"}}, None, URL, "h.pdf"),
        ({"document": {"link": URL, "filename": "h"}}, None, URL, "h.png"),
        ({"document": {"source": "prices.pdf"}}, BYTES, BYTES.reference, "prices.pdf"),
        ({"document": {"source": "x", "filename": "p"}}, BYTES, BYTES.reference, "p.pdf"),
        ({"document": {"source": "x"}}, plain("README"), plain("x").reference, "README.bin"),
        ({"image": {"id": URL}}, MediaId(id=URL), URL, "horse.png"),
        ({"image": {"link": f"{BARE}small.asp?n=7"}}, None, f"{BARE}small.asp?n=7", "small.jpg"),
        ({"image": {"link": f"{BARE}horse.webp"}}, None, f"{BARE}horse.webp", "horse.webp"),
        ({"image": {"link": f"{BARE}catalogue.v7/"}}, None, f"{BARE}catalogue.v7/", "image.jpg"),
        ({"document": {"link": f"{BARE}minutes.v7/"}}, None, f"{BARE}minutes.v7/", "document.bin"),
        ({"video": {"link": f"{BARE}walk.3GP"}}, None, f"{BARE}walk.3GP", "walk.3GP"),
        ({"audio": {"link": f"{BARE}Dr.%20Who"}}, None, f"{BARE}Dr.%20Who", "Dr. Who.mp3"),
    ],
)  # fmt: skip
def test_a_file(
    make: Make, content: dict[str, Any], attachment: Attachment | None, url: str, name: str
) -> None:
    built = make().build(message(**content), attachment)
    assert built == {"chatId": "79001234567@c.us", "urlFile": url, "fileName": name}
    assert list(make().check(built, attachment)) == []


def test_a_caption(make: Make) -> None:
    built = make().build(message(image={"link": URL, "caption": "Little horse"}), None)
    assert built["caption"] == "Little horse"


@pytest.mark.parametrize(
    ("content", "attachment", "where", "words"),
    [
        ({"image": {"link": URL, "provider": {"name": "cdn"}}}, Link(url=URL, provider="cdn"),
         "image.provider", 'no field "provider" here'),
        ({"video": {"source": "s3://x"}}, Link(url=URL, provider="cdn"),
         "video.provider", 'no field "provider" here'),
        ({"document": {"id": "4cc2a"}}, MediaId(id="4cc2a"),
         "document.id", "the gateway has no media ids; it takes links and files"),
        ({"text": {"body": "x" * 20_001}}, None, "text.body", "at most 20000"),
        ({"text": {"body": ""}}, None, "text.body", "the text is empty"),
        ({"image": {"link": URL, "caption": "x" * 1025}}, None, "caption", "at most 1024"),
        ({"image": {"link": "ftp://x"}}, None, None, "must begin with http"),
        ({"image": {"link": "https://["}}, None, None, "not a valid URL"),
        ({"image": {"link": "https://x .example/"}}, None, None, "must not contain spaces"),
        ({"text": {"body": "x"}, "to": "12"}, None, "to", "neither a phone number"),
        ({"document": {"source": "x"}}, BYTES.model_copy(update={"size": 100_000_001}),
         None, "100000001 bytes"),
        ({"document": {"source": "x"}}, BYTES.model_copy(update={"size": 0}), None, "is empty"),
        ({"document": {"source": "x"}}, BYTES.model_copy(update={"mime_type": "a b"}),
         None, "not a MIME type"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_a_problem(
    make: Make, content: dict[str, Any], attachment: Any, where: str | None, words: str
) -> None:
    built = make().build(message(**content), attachment)
    [problem] = make().check(built, attachment)
    assert (problem.where, problem.severity) == (where, "error")
    assert words in problem.message


@pytest.mark.parametrize("body", ["x", "x" * 20_000])
def test_limits_are_inclusive(make: Make, body: str) -> None:
    built = make().build(message(text={"body": body}), None)
    assert list(make().check(built, None)) == []
    built = make().build(message(image={"link": URL, "caption": body[:1024]}), None)
    assert list(make().check(built, None)) == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"message": "x", "urlFile": URL}, 'no field "message" here'),
        ({}, "needs a text, a file, a location, a contact or a poll"),
        ({"message": "x", "caption": "x"}, 'no field "caption"'),
        ({"message": "x", "linkPreview": 1}, "true or false"),
        ({"message": 1}, "must be text"),
        ({"urlFile": URL, "fileName": "horse"}, "needs an extension"),
        ({"urlFile": URL, "fileName": "h.png", "caption": 5}, "must be text"),
    ],
)
def test_what_a_plugin_leaves_is_checked_again(
    make: Make, payload: dict[str, Any], words: str
) -> None:
    problems = list(make().check({"chatId": "79001234567@c.us", **payload}, None))
    assert words in " ".join(problem.message for problem in problems)


def test_fields_of_the_document_may_be_added(make: Make) -> None:
    payload = {"chatId": "79001234567@c.us", "message": "x", "typingTime": 1000}
    assert list(make().check(payload, None)) == []
