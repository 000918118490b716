"""What an instance accepts.

Source: Green API, "SendMessage", "SendFileByUrl", "SendPoll", "SendLocation", "SendContact" and
"Chat id".

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from dispatcher import Attachment, Problem
from dispatcher.http.rules import (
    file_problems,
    filled_problems,
    link_problems,
    quoted_value,
    text_problems,
    unknown_fields,
)

MAX_TEXT = 20_000  # characters; "SendMessage", `message`
# Characters. "SendFileByUrl" says 20000; Green API's support says that WhatsApp allows 1024, and
# that the response to a longer caption has status 500, which leaves open whether the message was
# sent.
MAX_CAPTION = 1024
MAX_FILE = 100_000_000  # bytes; "UploadFile"
MAX_PREVIEW = 300  # characters; "SendMessage", the fields of `customPreview`
MAX_QUESTION = 255  # characters; "SendPoll", `message`
MAX_ANSWERS = 12  # "SendPoll", `options`
TYPING = (1_000, 20_000)  # milliseconds; "SendMessage", `typingTime`

_CHAT = re.compile(r"[1-9][0-9]{6,14}@c\.us|[0-9]+(-[0-9]+)?@g\.us|[0-9]+@lid")
# "SendContact" says 11 or 12 digits, its Hebrew page 11 to 16; but some countries' numbers have
# fewer, and the gateway may be the one to refuse them.
_PHONE_DIGITS = (7, 16)

_OPTIONS = ("quotedMessageId", "typingTime")
_FILES = ("image", "video", "audio", "document")
_CUSTOM_PREVIEW = ("title", "description", "link", "urlFile", "jpegThumbnail")
_PREVIEWS = ("linkPreview", "typePreview", "customPreview")
_PLACE = ("nameLocation", "address", "latitude", "longitude")
_NAMES = ("firstName", "middleName", "lastName", "company")


class Method(NamedTuple):
    """A method of the gateway that sends a kind of content (all files have one).

    It takes `fields` beside `chatId`; `check` yields what is wrong with theirs.
    """

    name: str
    kind: str | None
    fields: tuple[str, ...]
    check: Callable[[dict[Any, Any]], Iterator[Problem]]


def method_of(payload: Mapping[Any, Any]) -> Method | None:
    """Return the method that sends a payload, told by a field that only this one has."""
    return next((_METHODS[field] for field in _METHODS if field in payload), None)


def check(payload: object, attachment: Attachment | None) -> list[Problem]:
    """Return every way in which a payload breaks the gateway's contract."""
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    foreign = list(_foreign(payload))
    return [
        *foreign,
        *_chat(payload.get("chatId")),
        *([] if foreign else _content(payload)),
        *file_problems(attachment, None, MAX_FILE),
    ]


def _foreign(payload: dict[Any, Any]) -> Iterator[Problem]:
    """Yield what only other gateways have: credentials for links, and ids of their own."""
    for kind in _FILES:
        fields = payload.get(kind)
        if not isinstance(fields, dict):
            continue
        if "id" in fields:
            sentence = "the gateway has no media ids; it takes links and files"
            yield Problem(message=sentence, where=f"{kind}.id")
        yield from unknown_fields(fields, ("id",), kind)


def _chat(chat: object) -> Iterator[Problem]:
    if not isinstance(chat, str) or not _CHAT.fullmatch(chat):
        yield Problem(
            message="the recipient is neither a phone number (7 to 15 digits with the country code,"
            " 79001234567) nor a group id (120363043968066561, 79001234567-1581234048)",
            where="to",
        )


def _content(payload: dict[Any, Any]) -> Iterator[Problem]:
    method = method_of(payload)
    if method is None:
        yield Problem(message="needs a text, a file, a location, a contact or a poll")
        return
    yield from unknown_fields(payload, ("chatId", *method.fields))
    yield from method.check(payload)
    time, (least, most) = payload.get("typingTime", TYPING[0]), TYPING
    if type(time) is not int or not least <= time <= most:
        sentence = f"must be {least} to {most} milliseconds"
        yield Problem(message=sentence, where=f"{method.kind}.typingTime")
    if "quotedMessageId" in payload:
        where = f"{method.kind}.quotedMessageId" if method.kind else None
        yield from filled_problems(payload["quotedMessageId"], where or "quotedMessageId")


def _file(payload: dict[Any, Any]) -> Iterator[Problem]:
    url, name = payload["urlFile"], payload.get("fileName")
    if not isinstance(url, str) or not url.startswith("upload:sha256:"):
        yield from link_problems(url, None)
    if not isinstance(name, str) or not re.fullmatch(r".+\.\w+", name, re.DOTALL):
        yield Problem(message="the file's name needs an extension, which decides how it is shown")
    if "caption" in payload:
        yield from text_problems(
            payload["caption"], "caption", MAX_CAPTION, called="caption", required=False
        )


def _text(payload: dict[Any, Any]) -> Iterator[Problem]:
    yield from text_problems(payload["message"], "text.body", MAX_TEXT)
    yield from _flag(payload, "linkPreview", "preview_url")
    if payload.get("typePreview", "large") not in ("large", "small"):
        yield Problem(message="must be large or small", where="text.typePreview")
    if "customPreview" in payload:
        yield from _preview(payload["customPreview"], "text.customPreview")


def _preview(preview: object, where: str) -> Iterator[Problem]:
    if not isinstance(preview, dict):
        yield Problem(message="must be a table", where=where)
        return
    yield from unknown_fields(preview, _CUSTOM_PREVIEW, where)
    for name in _CUSTOM_PREVIEW:
        if name == "urlFile" and name in preview:
            yield from link_problems(preview[name], f"{where}.{name}")
        elif name == "title" or name in preview:
            most = None if name == "jpegThumbnail" else MAX_PREVIEW
            yield from text_problems(
                preview.get(name), f"{where}.{name}", most, called=name, required=name == "title"
            )


def _poll(payload: dict[Any, Any]) -> Iterator[Problem]:
    yield from text_problems(
        payload.get("message"), "poll.message", MAX_QUESTION, called="question"
    )
    yield from _flag(payload, "multipleAnswers", "poll.multipleAnswers")
    options, names = payload["options"], set()
    if not isinstance(options, list) or not options:
        yield Problem(message="needs answers to choose from", where="poll.options")
        return
    if len(options) > MAX_ANSWERS:
        sentence = f"there are {len(options)} answers; at most {MAX_ANSWERS} are allowed"
        yield Problem(message=sentence, where="poll.options")
    for number, option in enumerate(options):
        where = f"poll.options.{number}"
        if not isinstance(option, dict):
            yield Problem(message="must be a table", where=where)
            continue
        yield from unknown_fields(option, ("optionName",), where)
        name = option.get("optionName")
        yield from text_problems(name, f"{where}.optionName", called="answer")
        if isinstance(name, str) and name in names:
            sentence = f"the answer {quoted_value(name)} is there twice"
            yield Problem(message=sentence, where=f"{where}.optionName")
        names.add(name if isinstance(name, str) else "")


def _location(payload: dict[Any, Any]) -> Iterator[Problem]:
    for name, most in (("latitude", 90), ("longitude", 180)):
        degrees: Any = payload.get(name)
        is_number = isinstance(degrees, (int, float)) and not isinstance(degrees, bool)
        if not (is_number and abs(degrees) <= most):  # which not-a-number is not, either
            sentence = f"must be a number from -{most} to {most}"
            yield Problem(message=sentence, where=f"location.{name}")
    for name in ("nameLocation", "address"):
        if name in payload:
            yield from text_problems(payload[name], f"location.{name}", required=False)


def _contact(payload: dict[Any, Any]) -> Iterator[Problem]:
    contact = payload["contact"]
    if not isinstance(contact, dict):
        yield Problem(message="must be a table", where="contact")
        return
    yield from unknown_fields(contact, ("phoneContact", *_NAMES), "contact")
    phone, (least, most) = contact.get("phoneContact"), _PHONE_DIGITS
    if type(phone) is not int or not 10 ** (least - 1) <= phone < 10**most:
        sentence = f"must be a phone number of {least} to {most} digits, with the country code"
        yield Problem(message=sentence, where="contact.phoneContact")
    for name in _NAMES:
        if name in contact:
            yield from text_problems(contact[name], f"contact.{name}", required=False)
    if not any(contact.get(name) for name in _NAMES):
        yield Problem(message=f"needs one of {', '.join(_NAMES)}", where="contact")


def _flag(payload: dict[Any, Any], name: str, where: str) -> Iterator[Problem]:
    if name in payload and not isinstance(payload[name], bool):
        yield Problem(message="must be true or false", where=where)


# A poll has a `message`, too, so the order counts.
_METHODS = {
    "urlFile": Method(
        "sendFileByUrl", None, ("urlFile", "fileName", "caption", "quotedMessageId"), _file
    ),
    "options": Method(
        "sendPoll", "poll", ("message", "options", "multipleAnswers", *_OPTIONS), _poll
    ),
    "latitude": Method("sendLocation", "location", (*_PLACE, *_OPTIONS), _location),
    "contact": Method("sendContact", "contact", ("contact", *_OPTIONS), _contact),
    "message": Method("sendMessage", "text", ("message", *_PREVIEWS, *_OPTIONS), _text),
}
