"""What Meta posts to a webhook of messages that it has accepted, and what history shows of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dispatcher import ConfigError, DeliveryStatus
from dispatcher.testing import manifest

NUMBER = "106540352242922"
ERROR = {
    "code": 131026,
    "title": "Message undeliverable",
    "message": "Message undeliverable",
    "error_data": {"details": "Message Undeliverable."},
}
ODD: list[Any] = [None, True, 0, -1, 1e300, "", "x", "\ud800", [], [[]], {}, [{}]]


def status(word: str = "delivered", id: str = "wamid.1", **more: Any) -> dict[str, Any]:
    """ "messages: status"."""
    found = {"id": id, "status": word, "timestamp": "1790000000", "recipient_id": "79001234567"}
    return {**found, **more}


def webhook(*statuses: Any, number: str = NUMBER) -> dict[str, Any]:
    """A body of the Cloud API."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": number}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": list(statuses)}
    change = {"value": value, "field": "messages"}
    entry = {"id": "102290129340398", "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


AT = datetime.fromtimestamp(1_790_000_000, UTC)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("sent", None),
        ("delivered", "delivered"),
        ("read", "read"),
        ("played", "read"),
        ("failed", "undelivered"),
        ("deleted", None),
    ],
)
@pytest.mark.parametrize("on_premises", [False, True])
def test_every_status_is_read(
    make: Callable[..., Any], word: str, meant: Any, on_premises: bool
) -> None:
    body = {"statuses": [status(word)]} if on_premises else webhook(status(word))
    expected = [DeliveryStatus(id="wamid.1", status=meant, at=AT)] if meant else []
    assert list(make().statuses(body)) == expected


def test_why_it_was_not_delivered(make: Callable[..., Any]) -> None:
    (found,) = make().statuses(webhook(status("failed", errors=[ERROR])))
    assert found.reason == "131026: Message undeliverable / Message Undeliverable."


def test_all_statuses_of_a_body_are_read(make: Callable[..., Any]) -> None:
    body = webhook(status(id="a"), status("read", id="b"))
    body["entry"] += webhook(status(id="c"))["entry"]
    assert [each.id for each in make().statuses(body)] == ["a", "b", "c"]


def test_other_numbers_messages_are_left_out(make: Callable[..., Any]) -> None:
    assert list(make().statuses(webhook(status(), number="1"))) == []


def test_what_is_no_status_says_nothing(make: Callable[..., Any]) -> None:
    message = {"from": "79001234567", "id": "wamid.2", "type": "text", "text": {"body": "Hi"}}
    body = webhook()
    body["entry"][0]["changes"][0]["value"]["messages"] = [message]
    assert list(make().statuses(body)) == []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that is in a body."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


def test_body_that_is_damaged_anywhere_is_no_error(make: Callable[..., Any]) -> None:
    whole = webhook(status("failed", errors=[ERROR]))
    transport, read = make(), 0
    for path in places(whole):
        for odd in ODD:
            body: Any = deepcopy(whole)
            within = body
            for key in path[:-1]:
                within = within[key]
            within[path[-1]] = odd
            read += len(list(transport.statuses(body)))
    assert read


def test_nobody_asks_meta(make: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="posts that to a webhook"):
        make().statuses(None)


def test_from_the_webhook_to_the_history(dispatcher: Callable[..., Any], tmp_path: Path) -> None:
    people = [f"7900123456{each}" for each in range(3)]
    manifest(tmp_path / "manifests", {"id": "hello", "to": people, "text": {"body": "Hello"}})
    sent = [json.loads(line) for line in dispatcher("send", "--json").stdout.splitlines()]
    ids = {each["to"]: each["id"] for each in sent if each["event"] == "result"}
    assert len(set(ids.values())) == 3
    bodies = [
        webhook(status("delivered", ids[people[0]]), status("read", ids[people[0]])),
        webhook(status("failed", ids[people[1]], errors=[ERROR])),
        webhook(status("sent", ids[people[2]])),
    ]
    (tmp_path / "hooks.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in bodies))
    noted = dispatcher("statuses", "hooks.jsonl")
    assert (noted.returncode, noted.stderr) == (0, "3 noted\n")
    lines = dispatcher("history", "--json").stdout.splitlines()
    known = {each["to"]: each["delivery"] for each in map(json.loads, lines)}
    assert [each and each["status"] for each in map(known.get, people)] == [
        "read",
        "undelivered",
        None,
    ]
    assert (known[people[1]] or {})["reason"].startswith("131026: ")
    again = dispatcher("send", "--json")
    assert again.returncode == 0
    assert '"status":"skipped"' in again.stdout.replace(": ", ":")
    asked = dispatcher("statuses", "--poll")
    assert asked.returncode == 2
    assert "webhook" in asked.stderr
