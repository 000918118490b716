"""What each message becomes, and what would be refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dispatcher_telegram
from dispatcher import Link, MediaId, Message, Upload, encode
from dispatcher.testing import manifest, message, plan, upload
from dispatcher_telegram import Telegram
from dispatcher_telegram.contents import CONTENTS

Make = Callable[..., Telegram]

LINK = "https://cdn.example.com/a.mp3"
FILE = upload(filename="prices.pdf")
OPTIONS = {"disable_notification": True, "protect_content": False, "message_thread_id": 7}


def sent(kind: str, preview_url: bool | None = None, **fields: Any) -> Message:
    content = CONTENTS[kind](**fields)
    return message(
        transport="telegram", to="5", type=kind, content=content, preview_url=preview_url
    )


def said(transport: Telegram, written: Message, attachment: Any = None) -> list[tuple[Any, str]]:
    payload = transport.build(written, attachment)
    return [(each.where, each.message) for each in transport.check(payload, attachment)]


@pytest.mark.parametrize(
    ("written", "attachment", "payload"),
    [
        (sent("text", body="Hi"), None, {"text": "Hi"}),
        (
            sent("text", preview_url=True, body="*Hi*", parse_mode="MarkdownV2", **OPTIONS),
            None,
            {
                "message_thread_id": 7,
                "text": "*Hi*",
                "parse_mode": "MarkdownV2",
                "link_preview_options": {"is_disabled": False},
                "disable_notification": True,
                "protect_content": False,
            },
        ),
        (
            sent("text", preview_url=False, body="Hi", protect_content=True),
            None,
            {"text": "Hi", "link_preview_options": {"is_disabled": True}, "protect_content": True},
        ),
        (sent("image", id="AgAC", caption="c"), None, {"photo": "AgAC", "caption": "c"}),
        (sent("image", source="x"), FILE, {"photo": FILE.reference}),
        (
            sent("video", source="x", message_thread_id=7),
            Link(url=LINK),
            {"message_thread_id": 7, "video": LINK},
        ),
        (sent("video", source="x"), MediaId(id="BAAC"), {"video": "BAAC"}),
        (
            sent("audio", link=LINK, performer="P", title="T", caption="c"),
            None,
            {"audio": LINK, "caption": "c", "performer": "P", "title": "T"},
        ),
        (
            sent("document", source="x"),
            FILE,
            {"document": FILE.reference, "filename": "prices.pdf"},
        ),
        (
            sent("document", source="x", filename="Prices.pdf"),
            FILE,
            {"document": FILE.reference, "filename": "Prices.pdf"},
        ),
        (
            sent("location", latitude=1.5, longitude=-2, horizontal_accuracy=30),
            None,
            {"latitude": 1.5, "longitude": -2.0, "horizontal_accuracy": 30.0},
        ),
        (
            sent(
                "poll",
                question="?",
                options=["a", "b"],
                allows_multiple_answers=True,
                is_anonymous=False,
                **OPTIONS,
            ),
            None,
            {
                "message_thread_id": 7,
                "question": "?",
                "options": [{"text": "a"}, {"text": "b"}],
                "is_anonymous": False,
                "allows_multiple_answers": True,
                "disable_notification": True,
                "protect_content": False,
            },
        ),
    ],
)
def test_what_is_posted(make: Make, written: Message, attachment: Any, payload: Any) -> None:
    """Byte for byte: in the order in which the Bot API's documents list the fields."""
    assert encode(make().build(written, attachment)) == encode({"chat_id": "5", **payload})
    assert said(make(), written, attachment) == []


def sized(size: int) -> Upload:
    return FILE.model_copy(update={"size": size})


@pytest.mark.parametrize(
    ("written", "attachment", "where", "words"),
    [
        (sent("text", body="x" * 4097), None, "text.body", "4097"),
        (sent("text", body="<b>1</b>" * 4097, parse_mode="HTML"), None, "text.body", "4097"),
        (sent("text", body="1 < 2", parse_mode="HTML"), None, "text.body", "&lt;"),
        (sent("text", body=" \n "), None, "text.body", "empty"),
        (sent("text", body="<b> </b>", parse_mode="HTML"), None, "text.body", "empty"),
        (sent("text", body="*" * 4097, parse_mode="MarkdownV2"), None, "text.body", "4096"),
        (sent("image", id="A", caption="x" * 1025), None, "image.caption", "1025"),
        (sent("audio", link=LINK, caption="<p>", parse_mode="HTML"), None, "audio.caption", "<p>"),
        (sent("image", source="x"), sized(10_000_001), "image", "10000000"),
        (sent("video", source="x"), sized(50_000_001), "video", "50000000"),
        (sent("document", id=" "), None, "document.id", "not empty"),
        (sent("document", link="ftp://x"), None, "document.link", "http"),
        (sent("document", id="A", filename="a.pdf"), None, "document.filename", "uploaded"),
        (
            sent("image", link=LINK, provider={"name": "cdn"}),
            None,
            "image.provider",
            "no credentials",
        ),
        (
            sent("image", source="x"),
            Link(url=LINK, provider="cdn"),
            "image.provider",
            "no credentials",
        ),
    ],
)
def test_what_is_refused(
    make: Make, written: Message, attachment: Any, where: str, words: str
) -> None:
    [(at, sentence)] = said(make(), written, attachment)
    assert at == where
    assert words in sentence.replace(",", "").replace(" MB", "000000")


def test_a_server_of_ones_own_takes_larger_files(make: Make) -> None:
    film, photo = sent("video", source="x"), sent("image", source="x")
    assert said(make(local=True), film, sized(2_000_000_000)) == []
    assert said(make(local=True), film, sized(2_000_000_001)) != []
    assert said(make(local=True), photo, sized(10_000_001)) != []


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        {"text": 5},
        {"photo": "AgAC"},
        {"parse_mode": "Markdown"},
        {"disable_notification": "no"},
        {"reply_markup": {}},
    ],
)
def test_what_another_plugin_may_leave_is_checked(make: Make, change: dict[str, Any]) -> None:
    payload = {**make().build(sent("text", body="Hi"), None), **change}
    assert list(make().check(payload, None)) != []


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"poll": {"question": "?", "options": ["a", "a"]}}, "two options are the same"),
        ({"poll": {"question": "?", "options": ["a"]}}, "options"),
        ({"poll": {"question": "?", "options": ["a", "x" * 101]}}, "100"),
        ({"location": {"latitude": 91, "longitude": 0}}, "latitude must be at most 90"),
        ({"text": {"body": "x", "parse_mode": "Markdown"}}, "parse_mode"),
    ],
)
def test_mistakes_of_a_manifest(tmp_path: Path, table: dict[str, Any], problem: str) -> None:
    path = manifest(tmp_path, {"to": "5", **table}, transport="telegram")
    assert problem in " ".join(map(str, plan(path, dispatcher_telegram).problems))


def test_templates_fill_in_numbers(tmp_path: Path) -> None:
    place = {"latitude": "{{ lat }}", "longitude": 30.5}
    path = manifest(
        tmp_path,
        {"to": "@shop_news", "vars": {"lat": "59.25"}, "location": place},
        transport="telegram",
    )
    [planned] = plan(path, dispatcher_telegram).messages
    assert planned.payload == {"chat_id": "@shop_news", "latitude": 59.25, "longitude": 30.5}
