"""The contract of `POST /v1/messages`: which bodies are accepted, and the gateway's error codes.

Source: docs/greenapi-v1.md, "Request" and "Errors".
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_core import to_json
from starlette.responses import Response

Table = Mapping[str, Any]

LONGEST_DETAILS: Final = 500  # they quote names and ids of any length

META: Final[Mapping[str, str]] = {"api_status": "stable", "version": "2.0.1"}

TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("File link is unavailable", "Ссылка на файл недоступна"),
    81: ("Broadcast was not created", "Рассылка не создана"),
    82: ("Outgoing messages limit exceeded", "Превышено количество исходящих сообщений"),
    1010: ("Error", "Ошибка"),
    1011: ("Invalid parameter", "Недопустимый параметр"),
    1020: ("Parameter to is missing", "Отсутствует получатель"),
    1021: ("Parameter to is invalid", "Получатель указан неверно"),
    1022: ("Subscriber was not found", "Подписчик не найден"),
    1023: ("Subscriber is unsubscribed or not processed", "Подписчик отписан или не обработан"),
    1024: ("Subscriber update failed", "Ошибка обновления подписчика"),
    1030: ("Text is missing", "Отсутствует текст сообщения"),
    1031: ("Text has invalid characters", "Текст содержит недопустимые символы"),
    1032: ("Message is too long", "Сообщение слишком длинное"),
    1040: ("Authorization key is missing", "Отсутствует ключ авторизации"),
    1041: ("Authorization key is not allowed", "Ключ авторизации недействителен"),
    1042: ("System error", "Системная ошибка"),
    1050: ("messageId is missing", "Отсутствует messageId"),
    1051: ("messageId is invalid", "Неверный messageId"),
    1052: ("Message array failed", "Ошибка в массиве сообщений"),
    1060: ("Task to send the message was not created", "Задача на отправку не создана"),
    1061: ("Data was not found", "Данные не найдены"),
    1062: ("Subscription must be bought", "Необходимо оплатить подписку"),
    1071: ("Senders were not found", "Отправители не найдены"),
    7200: ("X-Gr-File-Extension is missing", "Отсутствует заголовок X-Gr-File-Extension"),
}


class Refusal(Exception):
    """The gateway refuses a request: an error code, and details in English if it needs any."""

    def __init__(self, code: int, details: str | None = None) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details and details[:LONGEST_DETAILS]

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response; the title is Russian, as the gateway's is."""
        details, title = TEXTS.get(self.code, TEXTS[1010])
        error = {"code": self.code, "details": self.details or details, "title": title}
        return {"errors": [error], "meta": dict(META)}


class Json(Response):
    """A value as JSON: in UTF-8, or escaped where a lone surrogate makes that impossible."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        try:
            return to_json(content)
        except ValueError:
            return json.dumps(content).encode()


LONGEST_TEXT: Final = 4096
MEDIA_FIELDS: Final[Mapping[str, Collection[str]]] = {
    "image": ("id", "link", "provider", "caption"),
    "video": ("id", "link", "provider", "caption"),
    "audio": ("id", "link", "provider"),
    "document": ("id", "link", "provider", "caption", "filename"),
}
CONTENT: Final = ("text", *MEDIA_FIELDS)
FIELDS: Final = ("to", "recipient_type", "type", "preview_url", *CONTENT)

PERSON: Final = re.compile(r"[0-9]+")
GROUP: Final = re.compile(r"[0-9]+-[0-9]+")
UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check(message: object, has_media: Callable[[str], bool]) -> Table:
    """Return the message if the gateway accepts it; otherwise raise the Refusal to respond with.

    `has_media` returns whether an id is that of an uploaded file that has not expired.
    """
    if not isinstance(message, dict):
        raise Refusal(1011, "the body must be a JSON object")
    _check_recipient(message)
    _allow_only(message, FIELDS)
    kind = type_of(message)
    content = _content(message, kind)
    if kind == "text":
        _check_text(content)
    else:
        _check_media(kind, content, has_media)
    _check_preview(message, kind)
    return message


def type_of(message: Table) -> str:
    """Return the message's type, `text` by default."""
    kind = message.get("type", "text")
    if kind not in CONTENT:
        raise Refusal(1011, f"type must be one of {', '.join(CONTENT)}")
    return str(kind)


def _check_recipient(message: Table) -> None:
    to = message.get("to")
    if to is None or to == "":
        raise Refusal(1020)
    if not isinstance(to, str) or not (PERSON.fullmatch(to) or GROUP.fullmatch(to)):
        raise Refusal(1021, "to must be digits (a person) or digits-hyphen-digits (a group)")
    expected = "group" if "-" in to else "individual"
    if message.get("recipient_type", expected) != expected:
        raise Refusal(1011, f"recipient_type must be {expected} for this to")


def _content(message: Table, kind: str) -> Table:
    given = [name for name in CONTENT if name in message]
    if kind == "text" and "text" not in given:
        raise Refusal(1030)
    if given != [kind]:
        raise Refusal(1011, f"type {kind} needs {kind} and nothing else, not: {', '.join(given)}")
    return _table(message, kind)


def _check_text(text: Table) -> None:
    _allow_only(text, ("body",), "text.")
    body = text.get("body")
    if body is None or body == "":
        raise Refusal(1030, "text.body is missing")
    if not isinstance(body, str):
        raise Refusal(1011, "text.body must be a string")
    if len(body) > LONGEST_TEXT:
        raise Refusal(1032, f"text.body has {len(body)} characters, at most {LONGEST_TEXT}")
    if UNPRINTABLE.search(body):
        raise Refusal(1031, "text.body has a control character or a lone surrogate")


def _check_media(kind: str, media: Table, has_media: Callable[[str], bool]) -> None:
    prefix = f"{kind}."
    _allow_only(media, MEDIA_FIELDS[kind], prefix)
    for name in ("caption", "filename"):
        if name in media:
            _string(media, name, prefix)
    if ("id" in media) == ("link" in media):
        raise Refusal(1011, f"{kind} needs exactly one of id and link")
    if "link" in media:
        _check_link(_string(media, "link", prefix), prefix)
        _check_provider(media, prefix)
    else:
        _check_id(media, prefix, has_media)


def _check_id(media: Table, prefix: str, has_media: Callable[[str], bool]) -> None:
    if "provider" in media:
        raise Refusal(1011, f"{prefix}provider is only allowed beside link")
    identity = _string(media, "id", prefix)
    if not has_media(identity):
        raise Refusal(1011, f"{prefix}id {identity!r} was never uploaded or has expired")


def _check_link(link: str, prefix: str) -> None:
    try:
        parts = urlsplit(link)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in link):
        raise Refusal(1011, f"{prefix}link must be an http or https URL with a host")


def _check_provider(media: Table, prefix: str) -> None:
    if "provider" not in media:
        return
    provider = _table(media, "provider", prefix)
    _allow_only(provider, ("name",), f"{prefix}provider.")
    if not _string(provider, "name", f"{prefix}provider."):
        raise Refusal(1011, f"{prefix}provider.name is empty")


def _check_preview(message: Table, kind: str) -> None:
    if "preview_url" not in message:
        return
    if kind != "text":
        raise Refusal(1011, "preview_url is only allowed with text")
    if not isinstance(message["preview_url"], bool):
        raise Refusal(1011, "preview_url must be true or false")


def _allow_only(table: Table, allowed: Collection[str], prefix: str = "") -> None:
    for name in table:
        if name not in allowed:
            raise Refusal(1011, f"field {prefix + name!r} is unknown or not allowed here")


def _table(table: Table, name: str, prefix: str = "") -> Table:
    value = table[name]
    if not isinstance(value, dict):
        raise Refusal(1011, f"{prefix}{name} must be an object")
    return value


def _string(table: Table, name: str, prefix: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or UNPRINTABLE.search(value):
        raise Refusal(1011, f"{prefix}{name} must be a string without control characters")
    return value
