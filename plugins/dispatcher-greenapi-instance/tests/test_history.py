"""What a chat's history says of a message whose outcome is unknown: its receipt, or nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import Receipt
from dispatcher.http.responses import Response
from dispatcher.testing import Fault, Reply, Request, ScriptedGateway, manifest
from dispatcher_greenapi_instance import GreenApiInstance, history

Make = Callable[..., GreenApiInstance]
Entry = dict[str, Any]

CHAT, ELSEWHERE = "79001234567@c.us", "79001234568@c.us"
SINCE = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ASKED = SINCE + timedelta(minutes=30)
BODY = "Your order is ready: https://shop.example.com"
TEXT = {"chatId": CHAT, "message": BODY, "linkPreview": True}


def entry(**changes: Any) -> Entry:
    """Our text, as the document shows an outgoing message; None leaves a field out."""
    made = {
        "type": "outgoing",
        "idMessage": "OURS",
        "timestamp": int(SINCE.timestamp()) + 1,
        "typeMessage": "extendedTextMessage",
        "chatId": CHAT,
        "textMessage": BODY,
        "extendedTextMessage": {"text": BODY, "description": "", "title": ""},
        "statusMessage": "read",
        "sendByApi": True,
        **changes,
    }
    return {key: value for key, value in made.items() if value is not None}


def text(body: str, **changes: Any) -> Entry:
    given = {"typeMessage": "textMessage", "textMessage": body, "extendedTextMessage": None}
    return entry(**{"idMessage": "OTHER", **given, **changes})


def at(seconds: float) -> int:
    return int(SINCE.timestamp() + seconds)


def found(
    answer: Any,
    payload: dict[str, Any] = TEXT,
    asked: datetime = ASKED,
    date: datetime | None = None,
    **headers: str,
) -> Receipt | None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    headers = {"Date": format_datetime(date or asked, usegmt=True), **headers}
    answered = asked + timedelta(seconds=1)
    return history.outcome(payload, SINCE, asked, answered, Response(200, headers, body))


OURS = Receipt(id="OURS")
FILE = {"chatId": CHAT, "urlFile": "upload:sha256:1", "fileName": "prices.pdf", "caption": "Prices"}
IMAGE = {**FILE, "fileName": "horse.JPG"}
PLACE = {"chatId": CHAT, "nameLocation": "Acme", "latitude": 12.3456789, "longitude": 10.1112131}
CARD = {"phoneContact": 79001234569, "firstName": "Artem", "company": "Bicycle"}
CONTACT = {"chatId": CHAT, "contact": CARD}
VCARD = "BEGIN:VCARD\nVERSION:3.0\nN:;Artem;;;\nORG:Bicycle;\nTEL;waid=79001234569:+7 900 123-45-69"
A_FILE = {"textMessage": None, "extendedTextMessage": None, "downloadUrl": "https://x.example/1"}
A_PDF = {**A_FILE, "typeMessage": "documentMessage", "fileName": "prices.pdf", "caption": "Prices"}
A_PICTURE = {**A_PDF, "typeMessage": "imageMessage", "fileName": "3f8c.jpg"}
A_PLACE = {
    **A_FILE,
    "typeMessage": "locationMessage",
    "location": {
        "nameLocation": "Acme",
        "address": "",
        "latitude": 12.3456789,
        "longitude": 10.1112131,
    },
}
A_CARD = {**A_FILE, "typeMessage": "contactMessage",
          "contact": {"displayName": "Artem", "vcard": VCARD}}  # fmt: skip


def card(vcard: str) -> Entry:
    return {**A_CARD, "contact": {"displayName": "Artem", "vcard": vcard}}


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (TEXT, [entry()]),
        (TEXT, [entry(typeMessage="textMessage", extendedTextMessage=None)]),
        (TEXT, [entry(textMessage=None)]),
        (TEXT, [entry(statusMessage="")]),
        (TEXT, [entry(statusMessage=None)]),
        (TEXT, [entry(statusMessage="pending")]),
        (TEXT, [entry(timestamp=at(0))]),
        (TEXT, [entry(timestamp=at(3600))]),
        (TEXT, [text("Hello", timestamp=at(9)), entry(), text(BODY, timestamp=at(-60))]),
        (TEXT, [entry(type="incoming", idMessage="IN", sendByApi=None), entry()]),
        (TEXT, [entry(), text(f"{BODY} and more")]),
        (FILE, [entry(**A_PDF)]),
        ({**FILE, "caption": ""}, [entry(**{**A_PDF, "caption": ""})]),
        (IMAGE, [entry(**A_PICTURE)]),
        (PLACE, [entry(**A_PLACE)]),
        (CONTACT, [entry(**A_CARD)]),
        (CONTACT, [entry(**card(VCARD.replace("\n", "\r\n")))]),
    ],
)
def test_a_message_that_can_be_no_other_is_found(payload: Any, answer: Any) -> None:
    assert found(answer, payload) == OURS


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (TEXT, []),
        (TEXT, {}),
        (TEXT, None),
        (TEXT, b"<html>"),
        (TEXT, b'[{"type": "outgoing",,}]'),
        (TEXT, [entry()] * 2),
        (TEXT, [entry(), text(BODY)]),
        (TEXT, [entry(), text(BODY, sendByApi=False)]),
        (TEXT, [entry(), text(BODY[:12])]),
        (TEXT, [entry(), text(f"{BODY[:12]}…")]),
        (TEXT, [entry(), text(BODY.replace(" ", "\u00a0"))]),
        (TEXT, [entry(), text("x", typeMessage="editedMessage")]),
        (TEXT, [entry(), text("x", typeMessage="deletedMessage")]),
        (TEXT, [entry(), text("x", textMessage=None)]),
        (TEXT, [entry(), {**text("x"), "textMessage": 1}]),
        (TEXT, [entry(), {**text("x"), "timestamp": "1"}]),
        (TEXT, [entry(), {**text("x"), "type": "x"}]),
        (TEXT, [entry(), text("x", chatId=ELSEWHERE)]),
        (TEXT, [entry(), "x"]),
        (TEXT, [entry(chatId=ELSEWHERE)]),
        (TEXT, [entry(type="incoming")]),
        (TEXT, [entry(sendByApi=False)]),
        (TEXT, [entry(sendByApi=None)]),
        (TEXT, [entry(sendByApi="true")]),
        (TEXT, [entry(timestamp=at(-10))]),
        (TEXT, [entry(timestamp=at(3601))]),
        (TEXT, [entry(timestamp=at(1) * 1000)]),
        (TEXT, [entry(timestamp=float(at(1)))]),
        (TEXT, [entry(textMessage=f"{BODY} ")]),
        (TEXT, [entry(extendedTextMessage={"text": "x"})]),
        (TEXT, [entry(isEdited=True)]),
        (TEXT, [entry(isDeleted=True)]),
        (TEXT, [entry(isForwarded=True)]),
        (TEXT, [entry(quotedMessage={"stanzaId": "1"})]),
        (TEXT, [entry(extendedTextMessage={"text": BODY, "isForwarded": True})]),
        (TEXT, [entry(extendedTextMessage={"text": BODY, "stanzaId": "1"})]),
        (TEXT, [entry(idMessage=None)]),
        (TEXT, [entry(idMessage=" ")]),
        (TEXT, [entry(idMessage=7)]),
        (TEXT, [entry(idMessage="a\nb")]),
        (TEXT, [entry(), text("Hello", idMessage="OURS")]),
        *((TEXT, [entry(statusMessage=word)]) for word in
          ("noAccount", "notInGroup", "yellowCard", "failed", "x", 1)),
        ({**TEXT, "quotedMessageId": "1"}, [entry()]),
        (FILE, [entry(**{**A_PDF, "fileName": "other.pdf"})]),
        (FILE, [entry(**{**A_PDF, "caption": "Prices 2"})]),
        (FILE, [entry(**A_PDF), entry(**{**A_PICTURE, "idMessage": "1"})]),
        (FILE, [entry(**A_PDF), entry(**{**A_PDF, "fileName": "b.pdf", "idMessage": "1"})]),
        (IMAGE, [entry(**A_PDF)]),
        ({**IMAGE, "caption": ""}, [entry(**{**A_PICTURE, "caption": ""})]),
        (PLACE, [entry(**{**A_PLACE, "location": {"latitude": 12.3456, "longitude": 10.1112}})]),
        (PLACE, [entry(**{**A_PLACE, "location": {"latitude": "12", "longitude": 1e999}})]),
        (PLACE, [entry(**A_PLACE), entry(**{**A_PLACE, "location": None, "idMessage": "1"})]),
        (CONTACT, [entry(**{**A_CARD, "contact": {"displayName": "Artem", "vcard": "TEL:7"}})]),
        (CONTACT, [entry(**A_CARD), entry(**{**A_CARD, "contact": 1, "idMessage": "1"})]),
        *((CONTACT, [entry(**card(VCARD.replace(*change)))]) for change in (
            ("Artem", "Artemis"), (";Artem", "Smith;Artem"), ("Bicycle", "Bicycles"),
            ("ORG:Bicycle;", "NOTE:Bicycle"), ("+7 900 123-45-69", "+7 900 123-45-68"),
            ("TEL", "TEL:+7 900 123-45-68\nTEL"))),
        ({"chatId": CHAT, "message": "?", "options": []}, [entry(typeMessage="pollMessage")]),
    ],
)  # fmt: skip
def test_whatever_is_not_sure_stays_unknown(payload: Any, answer: Any) -> None:
    assert found(answer, payload) is None


def _older(count: int) -> list[Entry]:
    return [text("Hello", type="incoming", timestamp=at(-9 - n)) for n in range(count)]


def test_the_whole_time_since_the_attempt_must_be_seen() -> None:
    newer = [text("Hi", type="incoming", timestamp=at(60)) for _ in range(history.COUNT)]
    assert found([*newer[1:], entry()]) is None
    assert found([entry(), *_older(history.COUNT - 1)]) == OURS
    assert found([entry(), *reversed(_older(history.COUNT - 1))]) is None


def test_clocks_that_differ_decide_nothing() -> None:
    assert found([entry()], date=ASKED + timedelta(seconds=6)) == OURS
    for seconds in (7, -6, 3600, -3600):
        assert found([entry()], date=ASKED + timedelta(seconds=seconds)) is None
    assert found([entry()], Date="") is None
    assert found([entry()], Date="yesterday") is None


def test_a_history_is_complete_after_two_minutes() -> None:
    assert found([entry()], asked=SINCE + timedelta(seconds=119)) is None
    assert found([entry()], asked=SINCE + timedelta(seconds=120)) == OURS
    assert found([entry()], asked=SINCE - timedelta(days=1)) is None


BODIES = [
    BODY,
    BODY[:20],
    f"{BODY[:20]}…",
    f" {BODY}",
    BODY.upper(),
    f"{BODY} Thanks!",
    "Hello",
    "",
]
WRONG: list[Any] = [None, 0, -1, 1.5, 10**18, "", [], {}, [1], {"text": 1}, False]
MOMENTS = st.integers(-2 * 86_400, 7_200)


@st.composite
def others(draw: st.DrawFn, number: int) -> tuple[Entry, bool]:
    """A message that is not ours, and whether one of our API, which has a receipt then, says the
    same. None of these was sent just after the attempt: nobody could tell it from ours."""
    body, moment = draw(st.sampled_from(BODIES)), draw(MOMENTS)
    ours = draw(st.booleans())
    if ours and body == BODY and -6 <= moment <= 3600:
        moment = -86_400
    made = text(
        body,
        idMessage=f"OTHER-{number}",
        timestamp=at(moment),
        type="outgoing" if ours else draw(st.sampled_from(["incoming", "outgoing"])),
        sendByApi=ours or None if draw(st.booleans()) else ours,
        statusMessage=draw(st.sampled_from(["sent", "read", "noAccount", "failed", None])),
    )
    return made, ours and body == BODY


@st.composite
def lies(draw: st.DrawFn, answer: list[Entry]) -> Any:
    """The answer, with something wrong in it."""
    lie = draw(st.sampled_from(sorted(LIES)))
    return LIES[lie](draw, answer) if answer else answer


def _at_one(change: Callable[[st.DrawFn, Entry], None]) -> Callable[[st.DrawFn, list[Entry]], Any]:
    def lie(draw: st.DrawFn, answer: list[Entry]) -> Any:
        change(draw, answer[draw(st.integers(0, len(answer) - 1))])
        return answer

    return lie


def _wrong_type(draw: st.DrawFn, changed: Entry) -> None:
    name = draw(st.sampled_from(sorted(changed)))
    values = [value for value in WRONG if name != "idMessage" or not isinstance(value, str)]
    changed[name] = draw(st.sampled_from(values))


def _edited(draw: st.DrawFn, changed: Entry) -> None:
    """A later edit may make of any message what ours says."""
    changed["textMessage"] = BODY
    changed[draw(st.sampled_from(["isEdited", "editedMessageId"]))] = "1"


def _edited_kind(draw: st.DrawFn, changed: Entry) -> None:
    changed["textMessage"], changed["typeMessage"] = BODY, "editedMessage"


def _cut(draw: st.DrawFn, changed: Entry) -> None:
    changed["textMessage"] = str(changed.get("textMessage"))[: draw(st.integers(0, 30))]


def _moved(draw: st.DrawFn, changed: Entry) -> None:
    """The journal's "time of the last action" instead of when it was sent."""
    changed["timestamp"] = at(draw(MOMENTS))


def _missing(draw: st.DrawFn, changed: Entry) -> None:
    if changed:
        del changed[draw(st.sampled_from(sorted(changed)))]


def _elsewhere(draw: st.DrawFn, changed: Entry) -> None:
    changed["chatId"] = ELSEWHERE


LIES: dict[str, Callable[[st.DrawFn, list[Entry]], Any]] = {
    "wrong type": _at_one(_wrong_type),
    "edited": _at_one(_edited),
    "edited kind": _at_one(_edited_kind),
    "cut": _at_one(_cut),
    "moved": _at_one(_moved),
    "missing field": _at_one(_missing),
    "of another chat": _at_one(_elsewhere),
    "lost": lambda draw, answer: answer[1:],
    "lost at the end": lambda draw, answer: answer[:-1],
    "twice": lambda draw, answer: answer + deepcopy(answer[:1]),
    "in another order": lambda draw, answer: draw(st.permutations(answer)),
    "nested": lambda draw, answer: {"messages": answer},
    "filled up": lambda draw, answer: (answer + _older(history.COUNT))[: history.COUNT],
    "flooded": lambda draw, answer: (
        [text("Hi", type="incoming", timestamp=at(3000))] * history.COUNT + answer
    )[: history.COUNT],
}  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_no_lie_settles_a_message_wrongly(data: st.DataObject) -> None:
    """`dispatcher.delivery.reconciliation` drops the receipts that other messages have."""
    drawn = [data.draw(others(number)) for number in range(data.draw(st.integers(0, 4)))]
    receipts = {made["idMessage"] for made, is_alike in drawn if is_alike}
    answer: Any = [made for made, _ in drawn]
    if data.draw(st.booleans(), "accepted"):
        answer.append(entry(timestamp=at(data.draw(st.integers(0, 3600)))))
    answer.sort(key=lambda made: -made["timestamp"])
    for _ in range(data.draw(st.integers(0, 3), "lies")):
        if isinstance(answer, list) and all(isinstance(each, dict) for each in answer):
            answer = data.draw(lies(deepcopy(answer)))
    receipt = found(answer)
    if receipt is not None:
        assert receipt.id in {"OURS", *receipts}
        alike = [
            each["idMessage"]
            for each in answer
            if each["type"] == "outgoing"
            and BODY in (each.get("textMessage"), each.get("extendedTextMessage", {}).get("text"))
            and at(-6) <= each["timestamp"] <= at(3600)
        ]
        assert alike == [receipt.id]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(
        {*entry(), *A_PDF, *A_PLACE, *A_CARD, "latitude", "vcard", "text"})), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from([TEXT, FILE, IMAGE, PLACE, CONTACT]))
def test_any_json_is_no_reason_to_fail(value: Any, payload: dict[str, Any]) -> None:
    shaped = entry(**value) if isinstance(value, dict) else value
    for answer in (value, [value], [shaped], [entry(), shaped]):
        receipt = found(answer, payload)
        assert receipt is None or receipt.id == "OURS" or isinstance(shaped, dict)


def test_it_is_asked_once_and_after_two_minutes_only(make: Make, gateway: ScriptedGateway) -> None:
    now = datetime.now(UTC)
    began = now - timedelta(minutes=10)
    made = entry(timestamp=int(began.timestamp()) + 1)
    gateway.script(Reply(200, [made], {"Date": format_datetime(now, usegmt=True)}))
    sender = make(gateway.url)
    assert sender.reconcile(TEXT, now - timedelta(seconds=30)) is None
    assert sender.reconcile({**TEXT, "quotedMessageId": "1"}, began) is None
    assert gateway.attempts == 0
    assert sender.reconcile(TEXT, began) == OURS
    [request] = gateway.requests
    assert request.path.split("/")[2] == "getChatHistory"
    assert request.json() == {"chatId": CHAT, "count": 100}


@pytest.mark.parametrize(
    "reply", [Reply(429), Reply(466), Reply(500), Reply(401), Reply(307), Fault.RESET, Fault.CLOSE]
)
def test_a_question_that_fails_says_nothing_of_the_message(
    make: Make, gateway: ScriptedGateway, reply: Any
) -> None:
    """Whatever is raised means that nothing is known: `BoundTransport.reconcile`."""
    gateway.script(reply)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        make(gateway.url).reconcile(TEXT, datetime.now(UTC) - timedelta(minutes=10))
    assert "marker-token" not in str(caught.value)
    assert gateway.attempts == 1


def _answer(accepted: list[Entry]) -> Callable[[Request], Reply]:
    """Accept a text, lose the answer, and say later that it was sent five minutes ago."""

    def answer(request: Request) -> Any:
        asked = request.json()
        if request.path.split("/")[2] != "getChatHistory":
            accepted.append(asked)
            return Fault.RESET
        now = datetime.now(UTC)
        moment = int((now - timedelta(minutes=5)).timestamp())
        history = [
            text(sent["message"], idMessage="3EB0FOUND", timestamp=moment)
            for sent in accepted
            if sent["chatId"] == asked["chatId"]
        ]
        return Reply(200, history, {"Date": format_datetime(now, usegmt=True)})

    return answer


def test_the_command_finds_out_what_became_of_it(
    dispatcher: Callable[..., Any], tmp_path: Path, gateway: ScriptedGateway
) -> None:
    gateway.script(_answer([]))
    manifest(tmp_path / "manifests", {"id": "hello", "text": {"body": "Hello"}})
    assert dispatcher("send").returncode == 5
    assert dispatcher("send").returncode == 5  # it is too early to ask
    journal = sqlite3.connect(tmp_path / ".dispatcher/journal.db")
    with journal:
        began = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
        journal.execute("UPDATE events SET at = ? WHERE status = 'sending'", (began,))
    journal.close()
    done = dispatcher("send", "--json")
    assert done.returncode == 0, done.stderr
    [result] = [json.loads(line) for line in done.stdout.splitlines() if '"result"' in line]
    assert (result["status"], result["id"]) == ("skipped", "3EB0FOUND")
    assert [each.path.split("/")[2] for each in gateway.requests].count("sendMessage") == 1
