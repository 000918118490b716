"""The kind `template`: as Meta's body has it, or shorter, with the parameters alone.

Meta, "Cloud API: Message templates", "Template components"; for `namespace` and `policy` "On-
Premises API: Message templates".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from dispatcher import Bubble, Content, Document, Media
from dispatcher_whatsapp_cloud.contents import Attached, Location, body_of
from dispatcher_whatsapp_cloud.definitions import Definitions, Translation, filled, values_of

Values: TypeAlias = Annotated[
    Annotated[list[str], Tag("<list>")] | Annotated[dict[str, str], Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, dict) else "<list>"),
]
Value: TypeAlias = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[dict[str, str], Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, dict) else "<text>"),
]


class TemplateLanguage(Content):
    """A language of the template; `policy` is for the On-Premises API."""

    policy: Literal["deterministic"] | None = None
    code: str = Field(min_length=1, examples=["en_US"])


def _as_language(value: object) -> object:
    return {"code": value} if isinstance(value, str) else value


class TemplateHeader(Content):
    """What is above the text: its one parameter, a file, or a place."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ("text", "image", "video", "document", "location")

    text: Value | None = Field(
        default=None,
        description="The parameter of a header that is a text; with its name if it has one.",
        examples=["Spring", {"season": "Spring"}],
    )
    image: Media | None = None
    video: Media | None = None
    document: Document | None = None
    location: Location | None = None


class TemplateButton(Content):
    """The parameter of a button; `index` is its number, from 0; by default, its place here."""

    exactly_one_of: ClassVar[tuple[str, ...]] = ("quick_reply", "url", "copy_code")

    index: int | None = Field(default=None, ge=0, le=9, examples=[1])
    quick_reply: str | None = Field(
        default=None, description="What comes back with the answer.", examples=["yes"]
    )
    url: str | None = Field(
        default=None, description="What completes the button's URL.", examples=["A-17"]
    )
    copy_code: str | None = Field(
        default=None, description="The code to be copied.", examples=["25OFF"]
    )


_Types: TypeAlias = Literal[
    "text", "currency", "date_time", "image", "video", "document", "location", "payload",
    "coupon_code", "action", "product", "limited_time_offer", "order_status", "order_details",
]  # fmt: skip


class TemplateParameter(Content):
    """A parameter: its type, and the value under the key that the type names."""

    type: _Types
    text: str | None = None
    parameter_name: str | None = None
    payload: str | None = None
    coupon_code: str | None = None
    image: Media | None = None
    video: Media | None = None
    document: Document | None = None
    location: Location | None = None
    currency: dict[str, Any] | None = None
    date_time: dict[str, Any] | None = None
    action: dict[str, Any] | None = None
    product: dict[str, Any] | None = None
    limited_time_offer: dict[str, Any] | None = None
    order_status: dict[str, Any] | None = None
    order_details: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_its_value(self) -> TemplateParameter:
        given = [name for name in _VALUES if getattr(self, name) is not None]
        if self.type not in given:
            raise ValueError(f'a parameter of type "{self.type}" needs {self.type}')
        if extra := next((name for name in given if name != self.type), None):
            raise ValueError(f'a parameter of type "{self.type}" has no {extra}')
        return self


_VALUES = tuple(
    name for name in TemplateParameter.model_fields if name not in ("type", "parameter_name")
)
_Components: TypeAlias = Literal[
    "header", "body", "button", "carousel", "limited_time_offer", "order_status",
    "HEADER", "BODY", "BUTTON", "CAROUSEL", "LIMITED_TIME_OFFER", "ORDER_STATUS",
]  # fmt: skip
_SubTypes: TypeAlias = Literal[
    "quick_reply", "url", "copy_code", "flow", "catalog", "mpm", "order_details", "voice_call",
    "QUICK_REPLY", "URL", "COPY_CODE", "FLOW", "CATALOG", "MPM", "ORDER_DETAILS", "VOICE_CALL",
]  # fmt: skip


class TemplateComponent(Content):
    """A part of the template with its parameters; of a button also its type and its number."""

    type: _Components
    sub_type: _SubTypes | None = None
    index: int | str | None = None
    parameters: list[TemplateParameter] | None = None
    cards: list[TemplateCard] | None = None

    @field_validator("index")
    @classmethod
    def _is_number(cls, index: int | str | None) -> int | str | None:
        if index is not None and not re.fullmatch("[0-9]{1,2}", str(index)):
            raise ValueError("index is the number of the button, from 0")
        return index

    @model_validator(mode="after")
    def _is_whole(self) -> TemplateComponent:
        if self.type.lower() == "button" and (self.sub_type is None or self.index is None):
            raise ValueError("a button needs sub_type and index")
        return self


class TemplateCard(Content):
    """A card of a carousel."""

    card_index: int = Field(ge=0, le=9)
    components: list[TemplateComponent]


class _Part(NamedTuple):
    """A component of the body, where it is written, and where each of its parameters is."""

    component: TemplateComponent | dict[str, Any]
    written: str
    parameters: tuple[str, ...] = ()


class Template(Content):
    """A message that Meta has approved; only these reach people who have not written for a day.

    Either `components` has the parameters, as Meta's body does, or `header`, `body` and `buttons`.
    """

    label: ClassVar[str] = "Template"
    definitions: ClassVar[Definitions] = Definitions()
    """What is known of the account's templates; a plugin with definitions derives a class."""

    namespace: str | None = Field(
        default=None, description="For the On-Premises API: whose template it is."
    )
    name: str = Field(
        description="The template's name.", examples=["order_ready"], min_length=1, max_length=512
    )
    language: Annotated[
        TemplateLanguage,
        BeforeValidator(_as_language, json_schema_input_type=str | TemplateLanguage),
    ] = Field(description="The code of a language that the template has.", examples=["en_US"])
    header: TemplateHeader | None = Field(
        default=None,
        description="The parameter of the header.",
        examples=[{"image": {"source": "files/spring.png"}}],
    )
    body: Values | None = Field(
        default=None,
        description="The parameters of the text, in their order or by their names.",
        examples=[["{{ name }}", "A-17"], {"name": "{{ name }}"}],
    )
    buttons: list[TemplateButton] | None = Field(
        default=None,
        description="The parameters of the buttons, for those that have one.",
        examples=[[{"url": "A-17"}]],
    )
    components: list[TemplateComponent] | None = Field(
        default=None,
        description="Parts with their parameters, as in Meta's body; instead of header, body and "
        "buttons.",
        examples=[[{"type": "body", "parameters": [{"type": "text", "text": "A-17"}]}]],
    )

    @field_validator("components")
    @classmethod
    def _instead(cls, components: Any, info: Any) -> Any:
        given = [name for name in ("header", "body", "buttons") if info.data.get(name) is not None]
        if components is not None and given:
            raise ValueError(f"components cannot stand beside {' and '.join(given)}")
        return components

    def to_body(self, attached: Attached) -> dict[str, Any]:
        """Return the body's `template`."""
        components = [body_of(part.component, attached) for part in self._parts()]
        fields = {
            "namespace": self.namespace,
            "name": self.name,
            "language": body_of(self.language, attached),
            "components": components or (None if self.components is None else []),
        }
        return {key: value for key, value in fields.items() if value is not None}

    def written_at(self, where: str) -> str:
        """Return the manifest's key for a field of the body, if the short form is written."""
        steps: list[str] = re.findall(r"[^.\[\]]+", where)
        if self.components is not None or steps[1:2] != ["components"] or len(steps) < 3:
            return where
        parts = list(self._parts())
        if not steps[2].isdecimal() or int(steps[2]) >= len(parts):
            return steps[0]
        part, rest = parts[int(steps[2])], steps[3:]
        if rest[:1] == ["parameters"] and rest[1:] and int(rest[1]) < len(part.parameters):
            written = part.parameters[int(rest[1])]
            # A file's or a place's own keys are the same in both.
            inner = rest[3:] if rest[2:3] and written.endswith(f".{rest[2]}") else []
            return ".".join((steps[0], written, *inner))
        return f"{steps[0]}.{part.written}"

    def summary(self) -> str:
        """Return the name, the language, and the text, or what is filled into it."""
        translation, components = self._known
        if translation is not None and translation.body:
            text = filled(translation.body, _values("body", components))
            words = " ".join(text.split())
            shown = f'"{words if len(words) <= 50 else f"{words[:49]}…"}"'
        else:
            shown = ", ".join(_values("body", components).values())
        return " ".join(filter(None, (self.name, self.language.code, shown)))

    def bubble(self) -> Bubble:
        """Return the template with its parameters filled in, as far as it is known."""
        translation, components = self._known
        media = self._file()
        shown = media.shown() if media else None
        if translation is None:
            values = (f"{name}: {value}" for name, value in _values("body", components).items())
            return Bubble(
                self.label,
                text=f"{self.name} ({self.language.code})",
                lines=tuple(values),
                file=shown,
            )
        header = translation.header
        title = filled(header.text, _values("header", components)) if header and header.text else ""
        body = filled(translation.body or "", _values("body", components))
        return Bubble(
            self.label,
            text="\n\n".join(filter(None, (f"*{title}*" if title else "", body))),
            lines=(translation.footer,) if translation.footer else (),
            buttons=tuple(each.text or each.type for each in translation.buttons),
            file=shown,
        )

    @property
    def _known(self) -> tuple[Translation | None, list[dict[str, Any]]]:
        translation = self.definitions.translation(self.name, self.language.code)
        return translation, [body_of(part.component, Attached()) for part in self._parts()]

    def _file(self) -> Media | None:
        """Return the file of the header."""
        headers: list[Any] = [self.header] if self.header else []
        for component in self.components or ():
            if component.type.lower() == "header":
                headers += component.parameters or ()
        files = (getattr(each, kind) for each in headers for kind in ("image", "video", "document"))
        return next(filter(None, files), None)

    def _parts(self) -> Iterator[_Part]:
        """Yield the components of the body, and where they are written."""
        for number, component in enumerate(self.components or ()):
            yield _Part(component, f"components.{number}")
        if self.header is not None:
            yield _header(self.header)
        if self.body is not None:
            yield _texts("body", "body", self.body)
        for number, button in enumerate(self.buttons or ()):
            yield _button(number, button)


def _header(header: TemplateHeader) -> _Part:
    if isinstance(header.text, str):
        values = {"type": "text", "text": header.text}
        return _Part({"type": "header", "parameters": [values]}, "header", ("header.text",))
    if header.text is not None:
        return _texts("header", "header.text", header.text)
    kind = next(name for name in header.exactly_one_of if getattr(header, name) is not None)
    parameter = {"type": kind, kind: getattr(header, kind)}
    return _Part({"type": "header", "parameters": [parameter]}, "header", (f"header.{kind}",))


def _texts(kind: str, written: str, values: list[str] | dict[str, str]) -> _Part:
    """Return the component of a list or a table of texts."""
    parameters: list[dict[str, str]] = [
        {"type": "text", "text": values[name], "parameter_name": name}
        if isinstance(values, dict)
        else {"type": "text", "text": name}
        for name in values
    ]
    names = values if isinstance(values, dict) else range(len(values))
    places = tuple(f"{written}.{name}" for name in names)
    return _Part({"type": kind, "parameters": parameters}, written, places)


def _button(number: int, button: TemplateButton) -> _Part:
    sub_type = next(name for name in button.exactly_one_of if getattr(button, name) is not None)
    kind = {"quick_reply": "payload", "copy_code": "coupon_code"}.get(sub_type, "text")
    component = {
        "type": "button",
        "sub_type": sub_type,
        "index": number if button.index is None else button.index,
        "parameters": [{"type": kind, kind: getattr(button, sub_type)}],
    }
    return _Part(component, f"buttons.{number}", (f"buttons.{number}.{sub_type}",))


def _values(part: str, components: list[dict[str, Any]]) -> dict[str, str]:
    found = (each for each in components if each["type"].lower() == part)
    return values_of(next(found, {}))
