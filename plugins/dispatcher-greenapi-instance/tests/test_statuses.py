"""What an instance says of messages that it has accepted: in a webhook, and when it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dispatcher import AccountRefused, DeliveryStatus, NotSent
from dispatcher.testing import Reply, ScriptedGateway, manifest

INSTANCE = "1101000001"
AT = datetime.fromtimestamp(1_790_000_000, UTC)
ODD: list[Any] = [None, True, -1, 1e300, "", "x", "\ud800", [], [[]], {}, [{}]]
MEANT = {
    "pending": None,
    "sent": None,
    "delivered": "delivered",
    "read": "read",
    "failed": "undelivered",
    "noAccount": "undelivered",
    "notInGroup": "undelivered",
    "yellowCard": "undelivered",
}


def webhook(word: str = "delivered", id: str = "3EB0", **more: Any) -> dict[str, Any]:
    """ "Outgoing message status"."""
    instance = {"idInstance": int(INSTANCE), "wid": "79001234567@c.us", "typeInstance": "whatsapp"}
    return {
        "typeWebhook": "outgoingMessageStatus",
        "chatId": "79001234568@c.us",
        "instanceData": instance,
        "timestamp": 1_790_000_000,
        "idMessage": id,
        "status": word,
        "sendByApi": True,
        **more,
    }


def listed(word: str = "delivered", id: str = "3EB0", **more: Any) -> dict[str, Any]:
    """ "LastOutgoingMessages"."""
    return {
        "type": "outgoing",
        "idMessage": id,
        "timestamp": 1_790_000_000,
        "typeMessage": "extendedTextMessage",
        "chatId": "79001234568@c.us",
        "statusMessage": word,
        "sendByApi": True,
        **more,
    }


@pytest.mark.parametrize(("word", "meant"), MEANT.items())
@pytest.mark.parametrize("asked", [False, True])
def test_every_status_is_read(
    make: Callable[..., Any],
    gateway: ScriptedGateway,
    word: str,
    meant: Any,
    asked: bool,
) -> None:
    gateway.script(Reply(200, [listed(word)]))
    (*found,) = make(gateway.url).statuses(None if asked else webhook(word))
    plain = [DeliveryStatus(id="3EB0", status=meant, at=AT)] if meant else []
    assert [each.model_copy(update={"reason": None}) for each in found] == plain
    assert all((each.reason or "").startswith(f"{word}: ") for each in found) or meant in (
        "delivered",
        "read",
    )


def test_gateways_own_words_say_why(make: Callable[..., Any]) -> None:
    (found,) = make().statuses(webhook("failed", description="timed out"))
    assert found.reason == "failed: timed out"


@pytest.mark.parametrize(
    "other",
    [
        {"typeWebhook": "incomingMessageReceived"},
        {"instanceData": {"idInstance": 1101000002}},
        {"status": "unheardOf"},
    ],
)
def test_what_is_about_something_else_says_nothing(
    make: Callable[..., Any], other: dict[str, Any]
) -> None:
    assert list(make().statuses(webhook(**other))) == []


def test_what_is_damaged_anywhere_is_no_error(
    make: Callable[..., Any], gateway: ScriptedGateway
) -> None:
    transport = make(gateway.url)
    for key in webhook("failed"):
        for odd in ODD:
            list(transport.statuses({**webhook("failed"), key: odd}))
    damaged = [{**listed(), key: odd} for key in listed() for odd in ODD]
    gateway.script(Reply(200, [*ODD, *damaged, listed(id="whole")]))
    assert [each.id for each in transport.statuses(None)][-1] == "whole"


def test_many_messages_are_listed_at_once(
    make: Callable[..., Any], gateway: ScriptedGateway
) -> None:
    """The list of a day is longer than any answer to a message."""
    gateway.script(Reply(200, [listed(id=f"{each:06}", text="x" * 500) for each in range(5000)]))
    assert len(list(make(gateway.url).statuses(None))) == 5000


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, {"no": "list"}), NotSent),
        (Reply(429, {"message": "Too many requests"}), NotSent),
        (Reply(401, {"message": "Unauthorized"}), AccountRefused),
        (Reply(502), NotSent),
    ],
)
def test_instance_that_does_not_answer(
    make: Callable[..., Any], gateway: ScriptedGateway, reply: Reply, error: type[Exception]
) -> None:
    gateway.script(reply)
    with pytest.raises(error):
        make(gateway.url).statuses(None)


def test_from_the_instance_to_the_history(
    dispatcher: Callable[..., Any], tmp_path: Path, gateway: ScriptedGateway
) -> None:
    people = ["79001234567", "79001234568"]
    manifest(tmp_path / "manifests", {"id": "hello", "to": people, "text": {"body": "Hello"}})
    sent = [json.loads(line) for line in dispatcher("send", "--json").stdout.splitlines()]
    ids = {each["to"]: each["id"] for each in sent if each["event"] == "result"}
    gateway.script(Reply(200, [listed("delivered", ids[people[0]]), listed("read", "a person's")]))
    asked = dispatcher("statuses", "--poll")
    one, other = "1 noted", "1 of messages that this journal does not have"
    assert (asked.returncode, asked.stderr) == (0, f"{one}, {other}\n")
    assert gateway.requests[-1].method == "GET"
    assert "/lastOutgoingMessages/" in gateway.requests[-1].path
    bodies = [webhook("read", ids[people[0]]), webhook("noAccount", ids[people[1]])]
    (tmp_path / "hooks.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in bodies))
    assert dispatcher("statuses", "hooks.jsonl").stderr == "2 noted\n"
    lines = dispatcher("history", "--json").stdout.splitlines()
    known = {each["to"]: each["delivery"]["status"] for each in map(json.loads, lines)}
    assert known == {people[0]: "read", people[1]: "undelivered"}


def test_refusal_shows_no_token(
    dispatcher: Callable[..., Any], tmp_path: Path, gateway: ScriptedGateway
) -> None:
    gateway.script(Reply(403, {"message": "Forbidden"}))
    asked = dispatcher("statuses", "--poll")
    assert asked.returncode == 2
    assert "Forbidden" in asked.stderr
