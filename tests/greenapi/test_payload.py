"""Every variant of the document's "Запрос", byte for byte."""

import json
from typing import Any

import pytest

from dispatcher import Attachment, Link, MediaId, encode
from dispatcher.testing import message
from tests.support.cases import cases
from tests.support.greenapi import transport, upload

PERSON, GROUP = "79001234567", "79001234567-1581234048"
LINK = {"link": "https://cdn.example/f"}
SIGNED = {**LINK, "provider": {"name": "cdn-basic-auth"}}
MEDIA_ID = {"id": "your-media-id"}
CAPTION = {"caption": "a caption 😃"}
FILENAME = {"filename": "prices.pdf"}

# The right side of each row is a media object as the document writes it.
VARIANTS = [
    *(
        (kind, {**place, **caption})
        for kind in ("image", "video")
        for place in (LINK, SIGNED, MEDIA_ID)
        for caption in ({}, CAPTION)
    ),
    *(("audio", place) for place in (LINK, SIGNED, MEDIA_ID)),
    *(
        ("document", {**place, **caption, **filename})
        for place in (LINK, SIGNED, MEDIA_ID)
        for caption in ({}, CAPTION)
        for filename in ({}, FILENAME)
    ),
]


def _body(to: str, kind: str, content: dict[str, Any]) -> bytes:
    recipient_type = "group" if to == GROUP else "individual"
    body = {"recipient_type": recipient_type, "to": to, "type": kind, kind: content}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@cases("to", PERSON, GROUP)
@pytest.mark.parametrize(("kind", "content"), VARIANTS)
def test_media_pass_as_they_are_written(to: str, kind: str, content: dict[str, Any]) -> None:
    payload = transport().build(message(to=to, **{kind: content}), None)
    assert encode(payload) == _body(to, kind, content)
    assert list(transport().check(payload, None)) == []


@cases("to", PERSON, GROUP)
@pytest.mark.parametrize(("kind", "content"), VARIANTS)
def test_media_with_a_source_are_what_it_is(to: str, kind: str, content: dict[str, Any]) -> None:
    attachment: Attachment
    if "id" in content:
        attachment = MediaId(id=content["id"])
    else:
        attachment = Link(url=content["link"], provider=content.get("provider", {}).get("name"))
    rest = {key: value for key, value in content.items() if key in ("caption", "filename")}
    written = message(to=to, **{kind: {"source": "file", **rest}})
    assert encode(transport().build(written, attachment)) == _body(to, kind, content)


@cases("kind", "image", "video", "audio", "document")
def test_a_file_stands_in_the_body_as_its_reference(kind: str) -> None:
    file = upload()
    payload = transport().build(message(**{kind: {"source": "prices.pdf"}}), file)
    assert encode(payload) == _body(PERSON, kind, {"id": f"upload:sha256:{file.sha256}"})
    found = transport().check(payload, file)
    assert [problem for problem in found if problem.is_error] == []


@cases("resolved, sent", ("of-the-plugin", "of-the-plugin"), (None, "of-the-manifest"))
def test_the_provider_of_a_link_wins(resolved: str | None, sent: str) -> None:
    written = message(image={"source": "s3://b/k", "provider": {"name": "of-the-manifest"}})
    payload = transport().build(written, Link(url="https://cdn.example/k", provider=resolved))
    assert payload["image"] == {"link": "https://cdn.example/k", "provider": {"name": sent}}


@cases("to", PERSON, GROUP)
@cases("preview_url", None, True, False)
def test_text(to: str, preview_url: bool | None) -> None:
    written = message(to=to, preview_url=preview_url, text={"body": "Hello 😃"})
    expected = _body(to, "text", {"body": "Hello 😃"})
    if preview_url is not None:
        flag = json.dumps(preview_url).encode()
        expected = expected[:-1] + b',"preview_url":' + flag + b"}"
    payload = transport().build(written, None)
    assert encode(payload) == expected
    assert list(transport().check(payload, None)) == []


def test_what_the_gateway_refuses_is_left_in_the_body_for_check_to_name() -> None:
    written = message(image={"source": "a.png", "provider": {"name": "x"}}, preview_url=True)
    payload = transport().build(written, MediaId(id="1"))
    wheres = [problem.where for problem in transport().check(payload, MediaId(id="1"))]
    assert wheres == ["image.provider", "preview_url"]


def test_each_body_is_its_own() -> None:
    written = message(image=SIGNED)
    first, second = transport().build(written, None), transport().build(written, None)
    first["image"]["provider"]["name"] = "changed"
    assert second["image"]["provider"]["name"] == "cdn-basic-auth"
