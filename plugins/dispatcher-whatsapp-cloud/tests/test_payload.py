"""Messages of manifests as Meta's requests, and what is no message for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher import Attachment, Link, MediaId, Upload, encode
from dispatcher.testing import message, upload
from dispatcher_whatsapp_cloud import WhatsAppCloud

Make = Callable[..., WhatsAppCloud]
URL = "https://cdn.example.com/a.png"
PDF = upload(b"x", "prices.pdf")
HEAD = {"messaging_product": "whatsapp", "recipient_type": "individual"}


def sized(size: int, mime_type: str) -> Upload:
    return PDF.model_copy(update={"size": size, "mime_type": mime_type})


@pytest.mark.parametrize(
    ("content", "attachment", "expected"),
    [
        ({"text": {"body": "Hi"}}, None, {"body": "Hi"}),
        ({"text": {"body": "Hi"}, "preview_url": True}, None, {"body": "Hi", "preview_url": True}),
        ({"image": {"link": URL, "caption": "c"}}, None, {"link": URL, "caption": "c"}),
        ({"image": {"source": URL}}, Link(url=URL), {"link": URL}),
        ({"audio": {"id": "17"}}, MediaId(id="17"), {"id": "17"}),
        ({"video": {"source": "x"}}, sized(9, "video/mp4"), {"id": PDF.reference}),
        ({"document": {"source": "x"}}, PDF, {"id": PDF.reference, "filename": "prices.pdf"}),
        ({"document": {"source": "x", "filename": "p.pdf"}}, PDF,
         {"id": PDF.reference, "filename": "p.pdf"}),
        ({"document": {"link": URL}}, None, {"link": URL}),
    ],
)  # fmt: skip
def test_a_message(
    make: Make, content: dict[str, Any], attachment: Attachment | None, expected: dict[str, Any]
) -> None:
    built = make().build(message(**content), attachment)
    kind = next(iter(content))
    body = {**HEAD, "type": kind, "to": "+79001234567", kind: expected}
    assert encode(built) == encode(body)
    assert list(make().check(built, attachment)) == []


def test_a_group_has_no_plus(make: Make) -> None:
    built = make().build(message(to="79001234567-1581234048"), None)
    assert (built["recipient_type"], built["to"]) == ("group", "79001234567-1581234048")
    assert list(make().check(built, None)) == []


@pytest.mark.parametrize(
    ("content", "attachment", "where", "words"),
    [
        ({"image": {"link": URL, "provider": {"name": "cdn"}}}, Link(url=URL, provider="cdn"),
         "image.provider", 'no field "provider" here'),
        ({"document": {"source": "s3://x"}}, Link(url=URL, provider="cdn"),
         "document.provider", 'no field "provider" here'),
        ({"text": {"body": ""}}, None, "text.body", "the text is empty"),
        ({"text": {"body": "x" * 4097}}, None, "text.body", "at most 4096"),
        ({"video": {"link": URL, "caption": "x" * 1025}}, None, "video.caption", "at most 1024"),
        ({"image": {"link": "ftp://x"}}, None, "image.link", "http:// or https://, not ftp"),
        ({"image": {"link": "https://["}}, None, "image.link", "not a valid URL"),
        ({"text": {"body": "x"}, "to": "12"}, None, "to", "not a phone number"),
        ({"image": {"source": "x"}}, sized(5_000_001, "image/png"), "image.source", "5000000"),
        ({"image": {"source": "x"}}, sized(9, "image/webp"), "image.source", "image/jpeg"),
        ({"video": {"source": "x"}}, sized(16_000_001, "video/mp4"), "video.source", "16000000"),
        ({"video": {"source": "x"}}, sized(9, "video/webm"), "video.source", "video/3gpp"),
        ({"audio": {"source": "x"}}, sized(16_000_001, "audio/ogg"), "audio.source", "16000000"),
        ({"audio": {"source": "x"}}, sized(9, "audio/wav"), "audio.source", "audio/amr"),
        ({"document": {"source": "x"}}, sized(100_000_001, "application/zip"), "document.source",
         "100000000"),
        ({"document": {"source": "x"}}, sized(0, "application/zip"), "document.source", "is empty"),
        ({"document": {"source": "x"}}, sized(9, "a b"), "document.source", "not a MIME type"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_a_problem(
    make: Make, content: dict[str, Any], attachment: Any, where: str, words: str
) -> None:
    built = make().build(message(**content), attachment)
    [problem] = make().check(built, attachment)
    assert (problem.where, problem.severity) == (where, "error")
    assert words in problem.message


@pytest.mark.parametrize(
    ("kind", "size", "mime_type"),
    [
        ("image", 5_000_000, "image/jpeg"),
        ("video", 16_000_000, "video/3gpp"),
        ("audio", 16_000_000, "audio/ogg; codecs=opus"),
        ("document", 100_000_000, "application/x-anything"),
    ],
)
def test_limits_are_inclusive(make: Make, kind: str, size: int, mime_type: str) -> None:
    file = sized(size, mime_type)
    built = make().build(message(**{kind: {"source": "x"}}), file)
    assert list(make().check(built, file)) == []
    built = make().build(message(text={"body": "x" * 4096}), None)
    assert list(make().check(built, None)) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"type": "image"}, "type"),
        ({"audio": {"link": URL}}, None),
        ({"colour": "red"}, "colour"),
        ({"recipient_type": "crowd"}, "recipient_type"),
        ({"to": ""}, "to"),
        ({"text": {"body": "x", "preview_url": 1}}, "preview_url"),
        ({"text": {"body": "x", "caption": "c"}}, "text.caption"),
        ({"context": {"message_id": ""}}, "text.context.message_id"),
        ({"context": {"id": "wamid.1", "message_id": "wamid.1"}}, "text.context.id"),
        ({"context": "wamid.1"}, "text.context"),
        ({"biz_opaque_callback_data": ""}, "text.biz_opaque_callback_data"),
        ({"biz_opaque_callback_data": "x" * 513}, "text.biz_opaque_callback_data"),
        ({"text": {"body": "x", "context": {"message_id": "wamid.1"}}}, "text.context"),
    ],
)
def test_what_a_plugin_leaves_is_checked_again(
    make: Make, changes: dict[str, Any], where: str | None
) -> None:
    payload = {**make().build(message(), None), **changes}
    [problem] = make().check(payload, None)
    assert problem.where == where


def test_a_plugin_may_add_what_meta_has(make: Make) -> None:
    more = {"context": {"message_id": "wamid.1"}, "biz_opaque_callback_data": "x"}
    assert list(make().check({**make().build(message(), None), **more}, None)) == []


def test_a_caption_on_audio_is_named(make: Make) -> None:
    payload = make().build(message(audio={"link": URL}), None)
    payload["audio"]["caption"] = "c"
    [problem] = make().check(payload, None)
    assert problem.message == "caption is not allowed on audio"
