"""Finds a message whose outcome is unknown in the history of its chat.

Source: Green API, "GetChatHistory". The gateway has no ids of ours, so the message is told by what
it says and when. It counts as found if exactly one outgoing message since the attempt could be it,
and that one is the same in every field; whatever else the history says leaves it unknown. That it
is not there means nothing: the history is known to lose messages. So this never says that one was
not accepted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from dispatcher import Payload, Receipt
from dispatcher.http.responses import Response

COUNT = 100  # messages that are asked for; the document's default
# A message may appear in the history this much later ("GetChatHistory").
LAG = timedelta(minutes=2)
# The gateway may queue a message; the later one that says the same leaves, the more likely it is
# somebody else's.
WINDOW = timedelta(hours=1)
# How far the gateway's clock may be from ours.
CLOCKS = timedelta(seconds=5)

# What was accepted, but goes no further ("noAccount", "notInGroup", "yellowCard", "failed"), is for
# a person to decide. The status is empty if the instance's settings switch statuses off.
_ACCEPTED = ("", "pending", "sent", "delivered", "read")
_TEXTS = ("textMessage", "extendedTextMessage")
_BY_EXTENSION = {  # FAQ, "Types of extensions supported by API"; all others are documents
    **dict.fromkeys((".bmp", ".jpeg", ".jpg", ".png"), "imageMessage"),
    **dict.fromkeys((".mov", ".mp4"), "videoMessage"),
    **dict.fromkeys((".m4a", ".mp3", ".ogg"), "audioMessage"),
}
_FILES = (*dict.fromkeys(_BY_EXTENSION.values()), "documentMessage")
_KNOWN = (*_TEXTS, *_FILES, "locationMessage", "contactMessage", "pollMessage")
# What is not as it was sent: it may have been another message, or become one.
_CHANGED = (
    "isEdited", "isDeleted", "editedMessageId", "deletedMessageId", "editedMessage",
    "deletedMessage", "quotedMessage", "stanzaId", "isForwarded", "forwardingScore",
)  # fmt: skip
_DEGREES = 1e-6  # 11 cm on the ground: what is nearer is the same place
_NEAR = 1e-3

Entry = Mapping[str, Any]


class Match(NamedTuple):
    """Whether an entry of the history is a message, and whether it could be it."""

    exact: bool
    possible: bool


_NO_MATCH = Match(exact=False, possible=False)


def can_be_found(payload: Payload) -> bool:
    """Whether a history tells a message from others.

    A file that is no document is told by its caption alone. A poll is not described in the
    document, and a quote is not as it was sent.
    """
    return _matcher(payload) is not None


def outcome(
    payload: Payload, since: datetime, asked: datetime, answered: datetime, response: Response
) -> Receipt | None:
    """Return what the response to "GetChatHistory" says of a message, or None if that is not sure.

    `since` is when the attempt began; the question was `asked` and `answered` at these times.
    """
    compare, date = _matcher(payload), response.date
    if compare is None or date is None or asked - since < LAG:
        return None
    if not asked - CLOCKS <= date <= answered + CLOCKS:
        return None
    begin, end = (since - CLOCKS).timestamp() - 1, (since + WINDOW).timestamp()
    entries = _entries(response, payload["chatId"], begin)
    possible = [
        (entry, match)
        for entry in entries
        if entry["type"] != "incoming" and begin <= entry["timestamp"] <= end
        if (match := _compared(entry, compare)).possible
    ]
    if len(possible) != 1 or not possible[0][1].exact:
        return None
    return _receipt(possible[0][0], entries)


def _receipt(entry: Entry, entries: list[Entry]) -> Receipt | None:
    """Return the receipt of the message that was found, if it is on its way."""
    id, status = entry.get("idMessage"), entry.get("statusMessage", "")
    if not isinstance(id, str) or not id.strip() or not id.isprintable():
        return None
    if [each.get("idMessage") for each in entries].count(id) != 1:
        return None
    return Receipt(id=id) if status in _ACCEPTED else None


def _entries(response: Response, chat: str, begin: float) -> list[Entry]:
    """Return all that the chat's history has since a time, or nothing if that is not sure."""
    entries = response.at(())
    if not isinstance(entries, list) or not all(_is_well_formed(each, chat) for each in entries):
        return []
    if len(entries) < COUNT:
        return entries
    # There are more, and the newest come first.
    times = [each["timestamp"] for each in entries]
    is_sorted = times == sorted(times, reverse=True)
    return entries if is_sorted and times[-1] < begin else []


def _is_well_formed(entry: object, chat: str) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("type") in ("incoming", "outgoing")
        and type(entry.get("timestamp")) is int
        and entry.get("chatId") == chat
        and isinstance(entry.get("typeMessage"), str)
    )


def _compared(entry: Entry, compare: Callable[[Entry], Match]) -> Match:
    """Return whether an entry is the message, if it is one of the API and as it was sent."""
    if entry["typeMessage"] not in _KNOWN:  # edited, deleted, or what it was nobody knows
        return Match(exact=False, possible=True)
    match = compare(entry)
    # Some types have these in the part that describes the content.
    parts = [entry, *(each for each in entry.values() if isinstance(each, dict))]
    is_changed = any(part.get(name) for part in parts for name in _CHANGED)
    is_ours = entry.get("sendByApi") is True and not is_changed
    return match._replace(exact=match.exact and is_ours)


def _matcher(payload: Payload) -> Callable[[Entry], Match] | None:
    """Return what compares an entry with a message; None if entries do not tell."""
    if "quotedMessageId" in payload or "options" in payload:
        return None
    if "urlFile" in payload:
        caption, name = payload.get("caption") or "", payload["fileName"]
        kind = _BY_EXTENSION.get(PurePosixPath(name).suffix.lower(), "documentMessage")
        if not caption and kind != "documentMessage":
            return None
        return lambda entry: _file(entry, kind, name, caption)
    if "latitude" in payload:
        return lambda entry: _location(entry, payload)
    if "contact" in payload:
        return lambda entry: _contact(entry, payload["contact"])
    return lambda entry: _text(entry, payload["message"])


def _text(entry: Entry, text: str) -> Match:
    if entry["typeMessage"] not in _TEXTS:
        return _NO_MATCH
    extended = entry.get("extendedTextMessage")
    texts = [entry[name] for name in ("textMessage",) if name in entry]
    texts += [extended.get("text")] if isinstance(extended, dict) else []
    exact = bool(texts) and all(each == text for each in texts)
    return Match(exact, possible=not texts or any(_may_be(each, text) for each in texts))


def _file(entry: Entry, kind: str, name: str, caption: str) -> Match:
    """Compare files. Only documents keep their names, and their bytes are not compared."""
    if entry["typeMessage"] not in _FILES:
        return _NO_MATCH
    found = entry.get("caption", "")
    is_named = kind != "documentMessage" or entry.get("fileName") == name
    exact = entry["typeMessage"] == kind and found == caption and is_named
    return Match(exact, possible=exact or _may_be(found, caption))


def _location(entry: Entry, place: Payload) -> Match:
    if entry["typeMessage"] != "locationMessage":
        return _NO_MATCH
    found = entry.get("location")
    distance = _distance(found, place)
    if not isinstance(found, dict) or distance is None:
        return Match(exact=False, possible=True)
    same_words = all(
        (found.get(name) or "") == (place.get(name) or "") for name in ("nameLocation", "address")
    )
    return Match(exact=distance <= _DEGREES and same_words, possible=distance <= _NEAR)


def _distance(found: object, place: Payload) -> float | None:
    """Return the greater difference in degrees, or None if these are no coordinates."""
    if not isinstance(found, dict):
        return None
    names = ("latitude", "longitude")
    values: list[float] = [found[name] for name in names if type(found.get(name)) in (int, float)]
    if len(values) != len(names) or not all(-360 < value < 360 for value in values):
        return None
    return max(abs(value - float(place[name])) for name, value in zip(names, values, strict=True))


def _contact(entry: Entry, contact: Mapping[str, Any]) -> Match:
    if entry["typeMessage"] != "contactMessage":
        return _NO_MATCH
    found = entry.get("contact")
    card = found.get("vcard") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(card, str):
        return Match(exact=False, possible=True)
    number = str(contact["phoneContact"])
    numbers = {re.sub(r"[^0-9]", "", each) for each in re.split(r"[:;=\n]", card)}
    person = [contact.get(name) for name in ("firstName", "middleName", "lastName")]
    same = (
        [re.sub(r"[^0-9]", "", each) for each in _values(card, "TEL")] == [number]
        and _words(_values(card, "N")) == _words(person)
        and _words(_values(card, "ORG")) == _words([contact.get("company")])
    )
    return Match(exact=same, possible=number in numbers)


def _values(card: str, name: str) -> list[str]:
    """Return what a vCard has under a name (RFC 2426, section 2), with or without parameters."""
    return re.findall(rf"^{name}(?:;[^:\n]*)?:(.*)$", card, re.MULTILINE)


def _words(values: Iterable[str | None]) -> list[str]:
    """Return the words in order of the alphabet: who made the card chose where each name stands."""
    return sorted(word for each in values if each for word in re.split(r"[;\s]+", each) if word)


def _may_be(found: object, text: str) -> bool:
    """Whether what a history has may be a text that was cut or changed on its way."""
    if not isinstance(found, str):
        return True
    return _plain(text).startswith(_plain(found.rstrip().removesuffix("…").removesuffix("...")))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())
