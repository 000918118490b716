"""`POST /v1/messages` keeps the contract, to the letter."""

import json
import re
import unicodedata
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases

from .client import GROUP, PERSON, Client

META = {"api_status": "stable", "version": "2.0.1"}
LINK = "https://files.example.com/a.png"
UPLOADED = "<the id of an uploaded file>"


def text(body: object = "hello", **more: Any) -> dict[str, Any]:
    return {"to": PERSON, "text": {"body": body}} | more


def in_text(**more: Any) -> dict[str, Any]:
    return {"to": PERSON, "text": {"body": "x", **more}}


def media(kind: str, content: object, **more: Any) -> dict[str, Any]:
    return {"to": PERSON, "type": kind, kind: content} | more


def image(**content: Any) -> dict[str, Any]:
    return media("image", content)


ACCEPTED = {
    "text": text(),
    "text with its type": text(type="text"),
    "person named individual": text(recipient_type="individual"),
    "group": text(to=GROUP),
    "group named group": text(to=GROUP, recipient_type="group"),
    "preview": text(preview_url=True),
    "no preview": text(preview_url=False),
    "one character": text("x"),
    "4096 characters": text("x" * 4096),
    "4096 emoji are 4096 characters": text("😃" * 4096),
    "line breaks and tabs": text("a\nb\r\nc\td"),
    "space": text(" "),
    "every script": text("Привет, שלום, नमस्ते, 你好"),
    "link to an image": image(link=LINK),
    "link over http with a port": image(link="http://localhost:8080/a"),
    "link to a video with a caption": media("video", {"link": LINK, "caption": "a\nb"}),
    "link to audio": media("audio", {"link": LINK}),
    "link with a provider": media("audio", {"link": LINK, "provider": {"name": "cdn"}}),
    "document": media("document", {"link": LINK, "caption": "c", "filename": "f.pdf"}),
    "upload as an image": image(id=UPLOADED, caption="c"),
    "upload as a video": media("video", {"id": UPLOADED}),
    "upload as audio": media("audio", {"id": UPLOADED}),
    "upload as a document": media("document", {"id": UPLOADED, "filename": "f.pdf"}),
    "media to a group": media("image", {"link": LINK}, to=GROUP, recipient_type="group"),
}

# What is sent, the code that answers it, and what its details must name.
REFUSED: dict[str, tuple[object, int, str]] = {
    "a list": ([text()], 1011, "object"),
    "a string": ("hello", 1011, "object"),
    "null": (None, 1011, "object"),
    "no to": ({"text": {"body": "x"}}, 1020, "to"),
    "to null": (text(to=None), 1020, "to"),
    "to empty": (text(to=""), 1020, "to"),
    "to a number": (text(to=79001234567), 1021, "to"),
    "to a list": (text(to=[PERSON]), 1021, "to"),
    "to with a plus": (text(to="+79001234567"), 1021, "to"),
    "to with spaces": (text(to="7 900 1234567"), 1021, "to"),
    "to with a line break": (text(to=PERSON + "\n"), 1021, "to"),
    "to in other digits": (text(to="٧٩٠٠١٢٣"), 1021, "to"),
    "to with two hyphens": (text(to="1-2-3"), 1021, "to"),
    "to ends in a hyphen": (text(to="79001234567-"), 1021, "to"),
    "to of the other API": (text(to="79001234567@c.us"), 1021, "to"),
    "person named group": (text(recipient_type="group"), 1011, "recipient_type"),
    "group named individual": (text(to=GROUP, recipient_type="individual"), 1011, "recipient_type"),
    "recipient_type unknown": (text(recipient_type="channel"), 1011, "recipient_type"),
    "recipient_type null": (text(recipient_type=None), 1011, "recipient_type"),
    "type unknown": (text(type="sticker"), 1011, "type"),
    "type null": (text(type=None), 1011, "type"),
    "type a list": (text(type=["text"]), 1011, "type"),
    "type in capitals": (text(type="TEXT"), 1011, "type"),
    "no content": ({"to": PERSON}, 1030, "[Tt]ext"),
    "type text without text": ({"to": PERSON, "type": "text"}, 1030, "[Tt]ext"),
    "text a string": ({"to": PERSON, "text": "hello"}, 1011, "text"),
    "text without body": ({"to": PERSON, "text": {}}, 1030, "body"),
    "body empty": (text(""), 1030, "body"),
    "body null": (text(None), 1030, "body"),
    "body a number": (text(5), 1011, "text.body"),
    "4097 characters": (text("x" * 4097), 1032, "4097"),
    "4097 emoji": (text("😃" * 4097), 1032, "4097"),
    "NUL": (text("a\0b"), 1031, "control"),
    "escape": (text("a\x1b[31mb"), 1031, "control"),
    "delete": (text("a\x7fb"), 1031, "control"),
    "C1 control": (text("a\x85b"), 1031, "control"),
    "lone surrogate": (text("a\ud800b"), 1031, "surrogate"),
    "unknown field": (text(priority="high"), 1011, "'priority'"),
    "unknown field in text": (in_text(markdown=True), 1011, "'text.markdown'"),
    "preview_url in text": (in_text(preview_url=True), 1011, "'text.preview_url'"),
    "preview_url a string": (text(preview_url="true"), 1011, "preview_url"),
    "preview_url a number": (text(preview_url=1), 1011, "preview_url"),
    "preview_url beside media": (
        media("image", {"link": LINK}, preview_url=True),
        1011,
        "preview_url",
    ),
    "type image without image": ({"to": PERSON, "type": "image"}, 1011, "image"),
    "image without type": ({"to": PERSON, "image": {"link": LINK}}, 1030, "[Tt]ext"),
    "type image with a text": (text(type="image"), 1011, "image"),
    "image and text": (media("image", {"link": LINK}, text={"body": "x"}), 1011, "image"),
    "two media": (media("image", {"link": LINK}, video={"link": LINK}), 1011, "video"),
    "image null": (media("image", None), 1011, "image"),
    "image a string": (media("image", LINK), 1011, "image"),
    "neither id nor link": (image(caption="c"), 1011, "id and link"),
    "id and link": (image(id=UPLOADED, link=LINK), 1011, "id and link"),
    "id unknown": (image(id="no-such-id"), 1011, "no-such-id"),
    "id empty": (image(id=""), 1011, "image.id"),
    "id a number": (image(id=5), 1011, "image.id"),
    "link without a scheme": (image(link="example.com/a"), 1011, "image.link"),
    "link over ftp": (image(link="ftp://example.com/a"), 1011, "image.link"),
    "link to a file": (image(link="file:///etc/passwd"), 1011, "image.link"),
    "link without a host": (image(link="https:///a"), 1011, "image.link"),
    "link with a port alone": (image(link="https://:80/a"), 1011, "image.link"),
    "link with a bad port": (image(link="https://e.com:x/"), 1011, "image.link"),
    "link with a bad address": (image(link="https://[::1/a"), 1011, "image.link"),
    "link with a space": (image(link="https://e.com/a b"), 1011, "image.link"),
    "link with a line break": (image(link=LINK + "\n"), 1011, "image.link"),
    "link null": (image(link=None), 1011, "image.link"),
    "provider beside an id": (image(id=UPLOADED, provider={"name": "cdn"}), 1011, "provider"),
    "provider a string": (image(link=LINK, provider="cdn"), 1011, "provider"),
    "provider without name": (image(link=LINK, provider={}), 1011, "name"),
    "provider name empty": (image(link=LINK, provider={"name": ""}), 1011, "provider.name"),
    "unknown field in provider": (
        image(link=LINK, provider={"name": "cdn", "token": "x"}),
        1011,
        "'image.provider.token'",
    ),
    "caption on audio": (media("audio", {"link": LINK, "caption": "c"}), 1011, "'audio.caption'"),
    "caption a number": (image(link=LINK, caption=5), 1011, "image.caption"),
    "caption with NUL": (image(link=LINK, caption="\0"), 1011, "image.caption"),
    "filename on image": (image(link=LINK, filename="f"), 1011, "image.filename"),
    "filename on video": (media("video", {"link": LINK, "filename": "f"}), 1011, "video.filename"),
    "filename on audio": (media("audio", {"link": LINK, "filename": "f"}), 1011, "audio.filename"),
    "filename null": (media("document", {"link": LINK, "filename": None}), 1011, "filename"),
    "unknown field in media": (image(link=LINK, size=5), 1011, "'image.size'"),
}

NOT_JSON = {
    "nothing": b"",
    "half": b'{"to": "79001234567"',
    "a form": b"to=79001234567&text=hello",
    "latin-1": json.dumps(text("é"), ensure_ascii=False).encode("latin-1"),
    "utf-16": json.dumps(text()).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(text()).encode(),
    "too deep": b"[" * 100_000,
}


def with_upload(message: object, client: Client) -> Any:
    written = json.dumps(message)
    id = client.uploaded() if UPLOADED in written else ""
    return json.loads(written.replace(UPLOADED, id))


@cases("message", *ACCEPTED.values(), ids=ACCEPTED)
def test_accepts(message: dict[str, Any], client: Client, sandbox: SandboxProcess) -> None:
    message = with_upload(message, client)

    answer = client.post(message)

    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    arrived = sandbox.latest()
    assert answer.json() == {"messages": [{"id": arrived["id"]}], "meta": META}
    assert arrived["payload"] == message
    assert arrived["to"] == message["to"]
    assert arrived["type"] == message.get("type", "text")


@cases("message, code, named", *REFUSED.values(), ids=REFUSED)
def test_refuses(
    message: object, code: int, named: str, client: Client, sandbox: SandboxProcess
) -> None:
    answer = client.post(with_upload(message, client))

    assert answer.status_code == 400
    body = answer.json()
    assert body["meta"] == META
    [error] = body["errors"]
    assert error["code"] == code
    assert re.search(named, error["details"])
    assert "CYRILLIC" in unicodedata.name(error["title"][0])
    assert sandbox.messages() == []


@cases("body", *NOT_JSON.values(), ids=NOT_JSON)
def test_refuses_what_is_not_json(body: bytes, client: Client) -> None:
    answer = client.request("POST", "/v1/messages", data=body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 1011


def test_a_removed_upload_cannot_be_sent(client: Client) -> None:
    id = client.uploaded()
    client.request("DELETE", f"/v1/media/{id}")

    answer = client.post(image(id=id))

    assert answer.json()["errors"][0]["code"] == 1011
    assert id in answer.json()["errors"][0]["details"]


def test_one_upload_serves_many_messages(client: Client) -> None:
    id = client.uploaded()

    answers = [client.post(media("document", {"id": id})) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 201]


def test_every_message_gets_its_own_id(client: Client) -> None:
    ids = [client.text().json()["messages"][0]["id"] for _ in range(20)]

    assert len(set(ids)) == 20
    assert all(isinstance(id, str) and id for id in ids)


@cases(
    "method, path, status",
    ("GET", "/v1/messages", 405),
    ("PUT", "/v1/messages", 405),
    ("POST", "/v1/messages/", 404),
    ("POST", "/v1/broadcast", 404),
    ("POST", "/v2/messages", 404),
    ("GET", "/v1/media", 405),
    ("POST", "/v1/media/{id}", 405),
    ("GET", "/v1/media/{id}", 404),
    ("DELETE", "/v1/media/{id}", 404),
)
def test_has_no_other_doors(method: str, path: str, status: int, client: Client) -> None:
    assert client.request(method, path, json=text()).status_code == status


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.sampled_from([PERSON]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("to", "type", "text", "image", "document", "preview_url", "recipient_type")
NEARLY = st.dictionaries(st.sampled_from([*FIELDS, "body"]), JSON, max_size=4)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(message=NEARLY | JSON)
def test_answers_anything_at_all_with_yes_or_a_code(message: Any, client: Client) -> None:
    answer = client.post(message)

    assert answer.status_code in (201, 400)
    assert "messages" in answer.json() or answer.json()["errors"][0]["code"] >= 1011
