"""What the gateways accept (Meta, "Cloud API: Messages", "Media"; "On-Premises API").

Works on any payload, however a plugin left it, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from dispatcher import Attachment, Content, Link, Problem, Upload
from dispatcher.http.rules import (
    file_problems,
    filled_problems,
    link_problems,
    model_problems,
    quoted_value,
    text_problems,
    unknown_fields,
)
from dispatcher.http.whatsapp import SHOWN, Shown, file_warnings
from dispatcher_whatsapp_cloud.contents import Contacts, Interactive, Location, Reaction
from dispatcher_whatsapp_cloud.definitions import Definitions
from dispatcher_whatsapp_cloud.kinds import MAX_CALLBACK_DATA, OPTIONS, Context
from dispatcher_whatsapp_cloud.services import Service
from dispatcher_whatsapp_cloud.template import Template

MAX_TEXT = 4096  # characters; "Text messages"
MAX_CAPTION = 1024  # characters; "Media messages"

# A country, a full stop, letters and digits ("Business-scoped user IDs").
BUSINESS_SCOPED_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_PERSON = re.compile(r"\+?[1-9][0-9]{6,14}")
_ENVELOPE = ("messaging_product", "recipient_type", "to", "recipient", "type", "preview_url")
_FILES = {
    "image": ("id", "link", "caption"),
    "video": ("id", "link", "caption"),
    "audio": ("id", "link", "voice"),
    "document": ("id", "link", "caption", "filename"),
    "sticker": ("id", "link"),
}
_MODELS: dict[str, type[Content]] = {
    "template": Template,
    "location": Location,
    "contacts": Contacts,
    "interactive": Interactive,
    "reaction": Reaction,
}
_KINDS = ("text", *_FILES, *_MODELS)
_FIELDS = {"body", "preview_url", *(field for fields in _FILES.values() for field in fields)}
_WITHIN = ("image", "video", "document")  # files of headers, which have no caption
_TEMPLATE = ("namespace", "name", "language", "components")

# What Meta refuses in a parameter of a template: line breaks, tabs, more than four spaces (132018).
_LAYOUT = re.compile(r"[\n\r\t]| {5}")

# Bytes; "Supported media types", the same in the cloud and on premises. For other kinds see
# `SHOWN`.
MAX_DOCUMENT = 100_000_000
STICKER = Shown("WebP", ("image/webp",), 500_000)  # that is an animated one; others have 100 KB
# Other names of these types; Python has audio/3gpp for any file `.3gp`, which WhatsApp does not
# take as audio.
_OTHER_NAMES = {"audio/3gpp": "video/3gpp", "video/3gp": "video/3gpp"}


def mime_type(file: Upload) -> str:
    """Return the file's type, as "Supported media types" calls it."""
    return _OTHER_NAMES.get(file.mime_type, file.mime_type)


class _File(NamedTuple):
    """A table of a payload that leads to a file: what kind it is, where it is, its fields."""

    kind: str
    where: str
    fields: dict[Any, Any]


def check(
    payload: object,
    attachment: Attachment | None,
    service: Service,
    definitions: Definitions | None = None,
) -> list[Problem]:
    """Return every way in which a payload breaks the gateway's contract.

    `definitions` are the account's templates; without, their parameters are not compared.
    """
    if not isinstance(payload, dict):
        return [Problem(message="the message is not a table of fields")]
    kinds = [kind for kind in _KINDS if kind in payload]
    files = [file for kind in kinds for file in _files(kind, payload[kind])]
    contents = [problem for kind in kinds for problem in _content(kind, payload[kind], service)]
    whole = "template" in kinds and not contents  # else a table may lack anything
    return [
        *unknown_fields(payload, (*_ENVELOPE, *_KINDS, *OPTIONS)),
        *_recipient(payload, service),
        *_kind(payload, kinds),
        *_options(payload, kinds),
        *contents,
        *(problem for file in files for problem in _media(file, service)),
        *(_template(payload["template"], definitions) if whole else ()),
        *_attached(files, attachment),
    ]


def _recipient(payload: dict[Any, Any], service: Service) -> Iterator[Problem]:
    to, kind = payload.get("to"), payload.get("recipient_type", "individual")
    if kind not in ("individual", "group"):
        yield Problem(message='must be "individual" or "group"', where="recipient_type")
    elif "recipient" in payload:
        yield from _business_scoped(payload, service)
    elif not isinstance(to, str) or not to.strip():
        yield Problem(message="the recipient is missing", where="to")
    elif kind == "individual" and not _PERSON.fullmatch(to):
        yield Problem(
            message=f"{quoted_value(to)} is not a phone number: 7 to 15 digits with country code",
            where="to",
        )


def _business_scoped(payload: dict[Any, Any], service: Service) -> Iterator[Problem]:
    recipient = payload["recipient"]
    if not service.messaging_product:
        yield Problem(
            message="business-scoped user ids are of the Cloud API; this gateway needs a number",
            where="to",
        )
    elif not isinstance(recipient, str) or not BUSINESS_SCOPED_ID.fullmatch(recipient):
        sentence = f"{quoted_value(recipient)} is no business-scoped user id, like US.1349"
        yield Problem(message=sentence, where="to")
    elif "to" in payload:
        sentence = "has both to and recipient; the gateway would take the number"
        yield Problem(message=sentence, where="to")


def _kind(payload: dict[Any, Any], kinds: list[str]) -> Iterator[Problem]:
    if len(kinds) != 1:
        found = " and ".join(kinds) or "nothing"
        yield Problem(message=f"needs exactly one of {', '.join(_KINDS)}; there is {found}")
    elif payload.get("type", "text") != kinds[0]:
        yield Problem(message=f'must be "{kinds[0]}", which the content is', where="type")


def _options(payload: dict[Any, Any], kinds: list[str]) -> Iterator[Problem]:
    """Yield what is wrong with the options; a manifest has them in the content's table."""
    within = f"{kinds[0]}." if kinds else ""
    if "context" in payload:
        yield from model_problems(payload["context"], Context, f"{within}context")
        if "reaction" in kinds:
            sentence = "a reaction cannot be a reply: it names its message"
            yield Problem(message=sentence, where=f"{within}context")
    if "biz_opaque_callback_data" in payload:
        yield from text_problems(
            payload["biz_opaque_callback_data"],
            f"{within}biz_opaque_callback_data",
            MAX_CALLBACK_DATA,
        )


def _content(kind: str, content: object, service: Service) -> Iterator[Problem]:
    if kind in _MODELS:
        yield from model_problems(content, _MODELS[kind], kind)
        if kind == "template" and isinstance(content, dict):
            known = _TEMPLATE if service.provider else _TEMPLATE[1:]
            yield from unknown_fields(content, known, kind)
        elif kind == "interactive":
            yield from _url(content)
    elif not isinstance(content, dict):
        yield Problem(message="must be a table of fields", where=kind)
    elif kind == "text":
        yield from unknown_fields(content, ("body", "preview_url"), kind, _FIELDS)
        yield from text_problems(content.get("body"), "text.body", MAX_TEXT)
        if not isinstance(content.get("preview_url", True), bool):
            yield Problem(message="must be true or false", where="preview_url")


def _url(interactive: Any) -> Iterator[Problem]:
    try:
        url = interactive["action"]["parameters"]["url"]
    except (KeyError, TypeError):
        return  # what is missing is told by the model
    yield from link_problems(url, "interactive.action.parameters.url")


def _files(kind: str, content: object) -> Iterator[_File]:
    """Yield the tables of a content that lead to files, in whatever they are."""
    if kind in _FILES:
        if isinstance(content, dict):
            yield _File(kind, kind, content)
    elif kind in ("template", "interactive"):
        yield from _within(content, kind)


def _within(value: object, where: str) -> Iterator[_File]:
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, (dict, list)):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in entries:
        place = f"{where}.{key}"
        if key in _WITHIN and isinstance(each, dict):
            yield _File(key, place, each)
        else:
            yield from _within(each, place)


def _media(file: _File, service: Service) -> Iterator[Problem]:
    kind, where, fields = file
    known = [*_FILES[kind], *(["provider"] if service.provider else [])]
    if kind != where:
        known.remove("caption")
    yield from unknown_fields(fields, known, where if kind != where else kind, _FIELDS)
    if ("id" in fields) == ("link" in fields):
        yield Problem(message="needs either the id of an uploaded file or a link", where=where)
    for key in ("id", "filename"):
        if key in fields:
            yield from filled_problems(fields[key], f"{where}.{key}")
    if "link" in fields:
        yield from link_problems(fields["link"], f"{where}.link")
    if "caption" in fields:
        yield from text_problems(
            fields["caption"], f"{where}.caption", MAX_CAPTION, called="caption", required=False
        )
    if not isinstance(fields.get("voice", True), bool):
        yield Problem(message="must be true or false", where=f"{where}.voice")


def _template(template: dict[str, Any], definitions: Definitions | None) -> Iterator[Problem]:
    if not isinstance(template.get("language"), dict):
        yield Problem(message="must be a table with a code", where="template.language")
        return
    for number, component in enumerate(template.get("components") or ()):
        for position, parameter in enumerate(component.get("parameters") or ()):
            where = f"template.components.{number}.parameters.{position}"
            yield from _value(parameter, where)
    if definitions is not None:
        yield from definitions.check(template)


def _value(parameter: dict[str, Any], where: str) -> Iterator[Problem]:
    kind = parameter["type"]
    value = parameter.get(kind)
    if not isinstance(value, str):
        return
    if not value.strip():
        yield Problem(message="the parameter is empty; Meta refuses that", where=f"{where}.{kind}")
    elif kind == "text" and _LAYOUT.search(value):
        yield Problem(
            message="a parameter must not hold line breaks, tabs or more than four spaces together",
            where=f"{where}.{kind}",
        )


def _attached(files: list[_File], attachment: Attachment | None) -> Iterator[Problem]:
    """Yield what is wrong with the file to which one of these tables leads."""
    if isinstance(attachment, Upload):
        leading = [each for each in files if each.fields.get("id") == attachment.reference]
        for kind, where, _ in (leading or files)[:1]:
            yield from _file(kind, f"{where}.source", attachment)
    elif isinstance(attachment, Link):
        leading = [each for each in files if each.fields.get("link") == attachment.url]
        for kind, where, _ in (leading or files)[:1]:
            for problem in file_warnings(kind, attachment):
                yield problem.model_copy(update={"where": f"{where}.link"})


def _file(kind: str, where: str, file: Upload) -> Iterator[Problem]:
    shown = STICKER if kind == "sticker" else SHOWN.get(kind)
    yield from file_problems(file, where, shown.size if shown else MAX_DOCUMENT)
    if shown and mime_type(file).partition(";")[0] not in shown.mime_types:
        types = ", ".join(shown.mime_types)
        sentence = f"the file is {file.mime_type}; {kind} must be one of {types}"
        yield Problem(message=sentence, where=where)
