"""The contract of `POST /v1/messages`: which bodies are accepted, and the gateway's error codes.

Source: docs/greenapi-v1.md, "Request" and "Errors". A kind of content is a model and its place in
CONTENTS; the validation, the OpenAPI document and the inbox follow from these.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, NotRequired, Self, Union, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, to_json
from starlette.responses import Response
from typing_extensions import TypedDict

LONGEST_DETAILS: Final = 500  # they quote names and ids of any length
LONGEST_TEXT: Final = 4096
UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
META: Final = {"api_status": "stable", "version": "2.0.1"}

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
# The codes of mistakes, by field and pydantic's name for what is wrong; it is 1011 for all others.
CODES: Final[Mapping[tuple[str, str], int]] = {
    ("to", "missing"): 1020,
    ("to", "string_type"): 1021,
    ("to", "string_pattern_mismatch"): 1021,
    ("text", "missing"): 1030,
    ("text.body", "missing"): 1030,
    ("text.body", "unprintable"): 1031,
    ("text.body", "too_long"): 1032,
}
# What pydantic would say in the words of a programmer.
DETAILS: Final[Mapping[str, str]] = {
    "missing": "{field} is missing",
    "too_short": "{field} is empty",
    "too_long": "{field} has {actual_length} characters, at most {max_length}",
    "model_type": "{field} must be an object",
    "string_pattern_mismatch": "{field} must be digits (person) or digits-hyphen-digits (group)",
    "extra_forbidden": "field {field!r} is unknown or not allowed with type {type}",
}


class Json(Response):
    """A value as JSON: in UTF-8, or escaped where a lone surrogate makes that impossible."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        try:
            return to_json(content)
        except ValueError:
            return json.dumps(content).encode()


class Created(TypedDict):
    """The response to an accepted message or upload."""

    messages: NotRequired[list[dict[str, str]]]
    media: NotRequired[list[dict[str, str]]]
    meta: dict[str, str]


class GatewayError(TypedDict):
    """Why a request is refused: `details` are in English, the title is in Russian."""

    code: Annotated[int, Field(ge=0)]
    details: str
    title: str


class RefusalBody(TypedDict):
    """The response to a refused request."""

    errors: list[GatewayError]
    meta: dict[str, str]


class Refusal(Exception):
    """The gateway refuses a request: an error code, and details in English if it needs any."""

    def __init__(self, code: int, details: str | None = None) -> None:
        super().__init__(code, details)
        general, title = TEXTS.get(code, TEXTS[1010])
        details = (details or general)[:LONGEST_DETAILS]
        self.error: GatewayError = {"code": code, "details": details, "title": title}
        self.body: RefusalBody = {"errors": [self.error], "meta": META}


def _printable(value: str) -> str:
    if UNPRINTABLE.search(value):
        raise PydanticCustomError("unprintable", "has a control character or a lone surrogate")
    return value


def _link(link: str) -> str:
    try:
        parts = urlsplit(link)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in link):
        raise PydanticCustomError("link", "must be an http or https URL with a host")
    return link


def _uploaded(id: str, info: ValidationInfo) -> str:
    assert info.context  # `check` names who knows
    if not info.context(id):
        gone = "{id} was never uploaded or has expired"
        raise PydanticCustomError("uploaded", gone, {"id": repr(id)})
    return id


Printable = Annotated[str, AfterValidator(_printable)]
Link = Annotated[
    Printable,
    AfterValidator(_link),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]
OMITTED: Any = Field(default_factory=lambda: None)  # of what may be left out, but not be null


class Strict(BaseModel):
    """What has no other fields, and whose values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Content(Strict):
    """What a message holds, in the field that its `type` names; `beside` are fields next to it."""

    beside: ClassVar[Mapping[str, Any]] = {}


class Text(Content):
    beside = {"preview_url": (bool, OMITTED)}

    body: Annotated[Printable, Field(min_length=1, max_length=LONGEST_TEXT)]


class Provider(Strict):
    """The credentials with which the provider fetches a link."""

    name: Annotated[Printable, Field(min_length=1)]


class Audio(Content):
    """A file: the id of an upload, or a link."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["id"]}, {"required": ["link"]}]}
    )

    id: Annotated[Printable, AfterValidator(_uploaded)] = OMITTED
    link: Link = OMITTED
    provider: Provider = OMITTED

    @model_validator(mode="after")
    def _require_one_source(self) -> Self:
        given = self.model_fields_set
        if ("id" in given) == ("link" in given):
            raise PydanticCustomError("source", "needs exactly one of id and link")
        if "id" in given and "provider" in given:
            raise PydanticCustomError("source", "has a provider, which needs a link")
        return self


class Image(Audio):
    caption: Printable = OMITTED


class Video(Image):
    pass


class Document(Image):
    filename: Printable = OMITTED


CONTENTS: Final[Mapping[str, type[Content]]] = {
    model.__name__.lower(): model for model in (Text, Image, Video, Audio, Document)
}


class Envelope(Strict):
    """The body of `POST /v1/messages` without its content."""

    to: Annotated[str, Field(pattern=r"^[0-9]+(-[0-9]+)?$")]
    recipient_type: Literal["individual", "group"] = OMITTED
    type: str

    @model_validator(mode="after")
    def _agree_about_the_recipient(self) -> Self:
        right = "group" if "-" in self.to else "individual"
        if "recipient_type" in self.model_fields_set and self.recipient_type != right:
            mistake = "recipient_type must be {right} for this to"
            raise PydanticCustomError("recipient", mistake, {"right": right})
        return self


def type_of(message: Mapping[str, Any]) -> str:
    """Return a message's type, `text` by default."""
    return cast(str, message.get("type", "text"))


def _message(type: str, content: Any) -> Any:
    """Return the model of the messages of a type, for the union of all."""
    default = type if type_of({}) == type else ...
    fields: dict[str, Any] = {"type": (Literal[type], default), type: (content, ...)}
    name = f"{content.__name__}Message"
    return Annotated[create_model(name, __base__=Envelope, **fields, **content.beside), Tag(type)]


Payload: Any = Annotated[
    Union[tuple(_message(*each) for each in CONTENTS.items())],  # noqa: UP007
    Discriminator(
        type_of,
        custom_error_type="type",
        custom_error_message=f"type must be one of {', '.join(CONTENTS)}",
    ),
]
PAYLOAD: Final[TypeAdapter[Envelope]] = TypeAdapter(Payload)


def check(message: object, is_uploaded: Callable[[str], bool]) -> None:
    """Raise the Refusal to respond with, if the gateway does not accept the message.

    `is_uploaded` returns whether an id is that of an uploaded file that has not expired.
    """
    if not isinstance(message, dict):
        raise Refusal(1011, "the body must be a JSON object")
    try:
        PAYLOAD.validate_python(message, context=is_uploaded)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0]) from None


def _refusal(mistake: ErrorDetails) -> Refusal:
    """Return the answer to a mistake that pydantic has found; fields are named by their path."""
    kind, (type, *path) = mistake["type"], mistake["loc"] or ("",)
    field = ".".join(map(str, path))
    if kind == "string_unicode":  # pydantic gives no location to a field with such a name
        kind, field = "extra_forbidden", mistake["input"]
    if field in ("to", "text.body") and mistake["input"] in (None, ""):
        kind = "missing"
    said = {"field": field, "type": type, "msg": mistake["msg"].replace("Input should", "must")}
    details = DETAILS.get(kind, "{field} {msg}").format(**said, **mistake.get("ctx", {}))
    return Refusal(CODES.get((field, kind), 1011), details.strip())
