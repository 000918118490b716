"""The contract of `POST /v1/messages`: which bodies are accepted, and the gateway's error codes.

Source: docs/greenapi-v1.md, "Request" and "Errors". The OpenAPI document shows these same types.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, NotRequired, Required, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    with_config,
)
from pydantic_core import ErrorDetails, PydanticCustomError, to_json
from starlette.responses import Response
from typing_extensions import TypedDict

LONGEST_DETAILS: Final = 500  # they quote names and ids of any length
LONGEST_TEXT: Final = 4096

RECIPIENT: Final = r"^[0-9]+(-[0-9]+)?$"
UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Table = Mapping[str, Any]

# The codes of mistakes, by field and pydantic's name for what is wrong; it is 1011 for all others.
CODES: Final[Mapping[tuple[str, str], int]] = {
    ("to", "missing"): 1020,
    ("to", "string_type"): 1021,
    ("to", "string_pattern_mismatch"): 1021,
    ("text.body", "missing"): 1030,
    ("text.body", "unprintable"): 1031,
    ("text.body", "too_long"): 1032,
}
STRICT: Final = ConfigDict(extra="forbid", strict=True)

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


class Meta(TypedDict):
    """What every response of the gateway names."""

    api_status: str
    version: str


META: Final[Meta] = {"api_status": "stable", "version": "2.0.1"}


class Identity(TypedDict):
    """The id of a message or an upload."""

    id: str


class Created(TypedDict):
    """The response to an accepted message or upload."""

    messages: NotRequired[list[Identity]]
    media: NotRequired[list[Identity]]
    meta: Meta


class GatewayError(TypedDict):
    """Why a request is refused: `details` are in English, the title is in Russian."""

    code: Annotated[int, Field(ge=0)]
    details: str
    title: str


class RefusalBody(TypedDict):
    """The response to a refused request."""

    errors: list[GatewayError]
    meta: Meta


class Refusal(Exception):
    """The gateway refuses a request: an error code, and details in English if it needs any."""

    def __init__(self, code: int, details: str | None = None) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details and details[:LONGEST_DETAILS]

    def error(self) -> GatewayError:
        """Return the error as the gateway words it."""
        details, title = TEXTS.get(self.code, TEXTS[1010])
        return {"code": self.code, "details": self.details or details, "title": title}

    def body(self) -> RefusalBody:
        """Return the JSON body of the response."""
        return {"errors": [self.error()], "meta": META}


class Json(Response):
    """A value as JSON: in UTF-8, or escaped where a lone surrogate makes that impossible."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        try:
            return to_json(content)
        except ValueError:
            return json.dumps(content).encode()


def _require_printable(value: str) -> str:
    if UNPRINTABLE.search(value):
        raise PydanticCustomError("unprintable", "has a control character or a lone surrogate")
    return value


def _require_link(link: str) -> str:
    try:
        parts = urlsplit(link)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in link):
        raise PydanticCustomError("link", "must be an http or https URL with a host")
    return link


def _one_of(*names: str) -> dict[str, Any]:
    """Return what the schema of an object says if it has exactly one of these fields."""
    return {"oneOf": [{"required": [name]} for name in names]}


Kind = Literal["text", "image", "video", "audio", "document"]
Printable = Annotated[str, AfterValidator(_require_printable)]
Link = Annotated[
    Printable,
    AfterValidator(_require_link),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]


@with_config(STRICT)
class Text(TypedDict):
    """The content of a text."""

    body: Annotated[Printable, Field(min_length=1, max_length=LONGEST_TEXT)]


@with_config(STRICT)
class Provider(TypedDict):
    """The credentials with which the provider fetches a link."""

    name: Annotated[Printable, Field(min_length=1)]


@with_config(STRICT | {"json_schema_extra": _one_of("id", "link")})
class Audio(TypedDict, total=False):
    """A file: the id of an upload, or a link."""

    id: Printable
    link: Link
    provider: Provider


class Picture(Audio, total=False):
    """An image or a video."""

    caption: Printable


class Document(Picture, total=False):
    """A document, which may have a name."""

    filename: Printable


CONTENT: Final[tuple[str, ...]] = get_args(Kind)


@with_config(STRICT | {"json_schema_extra": _one_of(*CONTENT)})
class Payload(TypedDict, total=False):
    """The body of `POST /v1/messages`."""

    to: Required[Annotated[str, Field(pattern=RECIPIENT)]]
    recipient_type: Literal["individual", "group"]
    type: Annotated[Kind, Field(json_schema_extra={"default": "text"})]
    preview_url: bool
    text: Text
    image: Picture
    video: Picture
    audio: Audio
    document: Document


PAYLOAD: Final = TypeAdapter(Payload)


def check(message: object, has_media: Callable[[str], bool]) -> Table:
    """Return the message if the gateway accepts it; otherwise raise the Refusal to respond with.

    `has_media` returns whether an id is that of an uploaded file that has not expired.
    """
    if not isinstance(message, dict):
        raise Refusal(1011, "the body must be a JSON object")
    try:
        PAYLOAD.validate_python(message)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0]) from None
    _check_together(message)
    kind = type_of(message)
    if kind != "text":
        _check_source(kind, message[kind], has_media)
    return message


def type_of(message: Table) -> str:
    """Return the message's type, `text` by default."""
    return str(message.get("type", "text"))


def _refusal(mistake: ErrorDetails) -> Refusal:
    """Return the answer to a mistake that pydantic has found; fields are named by their path."""
    path, kind = ".".join(map(str, mistake["loc"])), mistake["type"]
    if path in ("to", "text.body") and mistake["input"] in (None, ""):
        kind = "missing"
    match kind:
        case "missing":
            details = f"{path} is missing"
        case "too_short":
            details = f"{path} is empty"
        case "dict_type":
            details = f"{path} must be an object"
        case "string_pattern_mismatch":
            details = f"{path} must be digits (a person) or digits-hyphen-digits (a group)"
        case "too_long":
            length = len(mistake["input"])
            details = f"{path} has {length} characters, at most {LONGEST_TEXT}"
        case "extra_forbidden":
            details = f"field {path!r} is unknown or not allowed here"
        case "string_unicode":  # pydantic gives no location to such a field
            details = f"field {mistake['input']!r} is unknown or not allowed here"
        case _:
            details = f"{path} {mistake['msg'].replace('Input should', 'must')}"
    return Refusal(CODES.get((path, kind), 1011), details)


def _check_together(message: Table) -> None:
    """Check what no field can know alone."""
    expected = "group" if "-" in message["to"] else "individual"
    if message.get("recipient_type", expected) != expected:
        raise Refusal(1011, f"recipient_type must be {expected} for this to")
    kind, given = type_of(message), [name for name in CONTENT if name in message]
    if kind == "text" and "text" not in given:
        raise Refusal(1030)
    if given != [kind]:
        raise Refusal(1011, f"type {kind} needs {kind} and nothing else, not: {', '.join(given)}")
    if "preview_url" in message and kind != "text":
        raise Refusal(1011, "preview_url is only allowed with text")


def _check_source(kind: str, media: Table, has_media: Callable[[str], bool]) -> None:
    if ("id" in media) == ("link" in media):
        raise Refusal(1011, f"{kind} needs exactly one of id and link")
    if "id" not in media:
        return
    if "provider" in media:
        raise Refusal(1011, f"{kind}.provider is only allowed beside link")
    if not has_media(media["id"]):
        raise Refusal(1011, f"{kind}.id {media['id']!r} was never uploaded or has expired")
