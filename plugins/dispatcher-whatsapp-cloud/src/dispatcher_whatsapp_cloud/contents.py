"""The kinds of content of Meta's gateways beyond the usual five, but for `template`.

Each model has the shape of the gateway's body, so that a body that was copied from Meta's pages is
a message, and `rules` checks payloads by the same models. Limits: Meta, "Cloud API: Messages",
"Location messages", "Contacts messages", "Interactive messages".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import isnan, nan
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import Field, ValidationInfo, field_validator

from dispatcher import Audio, Bubble, Content, Document, Media

Coordinate: TypeAlias = int | float | str
"""Degrees; Meta's pages have them as texts, clients as numbers."""

_MOST_DEGREES = {"latitude": 90, "longitude": 180}


class Location(Content):
    """A place on the map."""

    label: ClassVar[str] = "Location"

    latitude: Coordinate = Field(description="Degrees north.", examples=[55.7558])
    longitude: Coordinate = Field(description="Degrees east.", examples=[37.6173])
    name: str | None = Field(
        default=None, description="What the place is called.", examples=["Our shop"]
    )
    address: str | None = Field(
        default=None, description="Its address.", examples=["1 Red Square, Moscow"]
    )

    @field_validator("latitude", "longitude", mode="before")
    @classmethod
    def _is_on_the_map(cls, value: object, info: ValidationInfo) -> object:
        name = info.field_name or ""
        try:
            degrees = float(value) if isinstance(value, (int, float, str)) else nan
        except ValueError:
            degrees = nan
        if isnan(degrees) or isinstance(value, bool):
            raise ValueError(f"{name} must be a number, like 55.7558")
        if abs(degrees) > _MOST_DEGREES[name]:
            most = _MOST_DEGREES[name]
            raise ValueError(f"{name} must be between -{most} and {most}")
        return value

    def summary(self) -> str:
        """Return the name or address, and where it is."""
        named = self.name or self.address
        place = f"{self.latitude}, {self.longitude}"
        return f"{named} ({place})" if named else place

    def bubble(self) -> Bubble:
        """Return the name, the address, and where it is."""
        lines = (self.address, f"{self.latitude}, {self.longitude}")
        return Bubble(self.label, text=self.name or "", lines=tuple(filter(None, lines)))


class ContactName(Content):
    """A contact's name: as it is shown, and at least one of its parts."""

    formatted_name: str = Field(description="The whole name.", examples=["Anna Petrova"])
    first_name: str | None = None
    last_name: str | None = None
    middle_name: str | None = None
    suffix: str | None = None
    prefix: str | None = None


class ContactPhone(Content):
    """A phone number of a contact; with `wa_id`, a button begins a chat."""

    phone: str | None = None
    type: str | None = None
    wa_id: str | None = None


class ContactEmail(Content):
    """An e-mail address of a contact."""

    email: str | None = None
    type: str | None = None


class ContactUrl(Content):
    """A web page of a contact."""

    url: str | None = None
    type: str | None = None


class ContactAddress(Content):
    """A postal address of a contact."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None
    type: str | None = None


class ContactOrg(Content):
    """Where a contact works."""

    company: str | None = None
    department: str | None = None
    title: str | None = None


class Contact(Content):
    """A contact, as an address book has one."""

    name: ContactName = Field(examples=[{"formatted_name": "Anna Petrova", "first_name": "Anna"}])
    birthday: str | None = Field(
        default=None,
        description="YYYY-MM-DD",
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        examples=["1990-03-08"],
    )
    phones: list[ContactPhone] | None = None
    emails: list[ContactEmail] | None = None
    urls: list[ContactUrl] | None = None
    addresses: list[ContactAddress] | None = None
    org: ContactOrg | None = None

    @field_validator("name")
    @classmethod
    def _in_parts(cls, name: ContactName) -> ContactName:
        parts = (name.first_name, name.last_name, name.middle_name, name.suffix, name.prefix)
        if not any(parts):
            raise ValueError("name needs another part besides formatted_name, like first_name")
        return name


class Contacts(Content):
    """Contacts, which the recipient can save: `[[messages.contacts]]`, one table each."""

    label: ClassVar[str] = "Contacts"
    list_field: ClassVar[str | None] = "contacts"

    contacts: list[Contact] = Field(
        min_length=1,
        max_length=257,
        description="Contacts, which the recipient can save.",
        examples=[[{"name": {"formatted_name": "Anna Petrova", "first_name": "Anna"}}]],
    )

    def summary(self) -> str:
        """Return the first name, and how many more there are."""
        first, *more = self.contacts
        return first.name.formatted_name + (f" and {len(more)} more" if more else "")

    def bubble(self) -> Bubble:
        """Return names, each with the ways to reach it."""
        lines = [f"{each.name.formatted_name}: {', '.join(_ways(each))}" for each in self.contacts]
        return Bubble(self.label, lines=tuple(each.removesuffix(": ") for each in lines))


def _ways(contact: Contact) -> Iterator[str]:
    for phone in contact.phones or ():
        yield from filter(None, [phone.phone or phone.wa_id])
    for email in contact.emails or ():
        yield from filter(None, [email.email])


class Reaction(Content):
    """An emoji at a message of the chat."""

    label: ClassVar[str] = "Reaction"

    emoji: str = Field(description="The emoji.", examples=["👍"], min_length=1)
    message_id: str = Field(
        description="The id of the message of this chat.",
        examples=["wamid.HBgLNzkwMDEyMzQ1NjcVAgASGA"],
        min_length=1,
    )

    @field_validator("emoji")
    @classmethod
    def _is_emoji(cls, emoji: str) -> str:
        if emoji.isascii():
            raise ValueError('emoji must be one, like "👍"')
        return emoji


class InteractiveText(Content):
    """A text, below a header or above buttons."""

    text: str = Field(min_length=1, examples=["Will you come, {{ name }}?"])


class InteractiveFooter(Content):
    """The small text at the end."""

    text: str = Field(min_length=1, max_length=60, examples=["Roses"])


class InteractiveHeader(Content):
    """What is above the text: a text, or a file."""

    type: Literal["text", "image", "video", "document"]
    text: str | None = Field(default=None, max_length=60)
    image: Media | None = None
    video: Media | None = None
    document: Document | None = None

    def shown(self) -> Media | None:
        """Return the file, if it is one."""
        return self.image or self.video or self.document


class ReplyTitle(Content):
    """What a reply button says, and the id that comes back with the answer."""

    id: str = Field(min_length=1, max_length=256, examples=["yes"])
    title: str = Field(min_length=1, max_length=20, examples=["Yes"])


class ReplyButton(Content):
    """A button that answers."""

    type: Literal["reply"]
    reply: ReplyTitle


class ListRow(Content):
    """A row of a list, and the id that comes back if it is chosen."""

    id: str = Field(min_length=1, max_length=200, examples=["roses"])
    title: str = Field(min_length=1, max_length=24, examples=["Roses"])
    description: str | None = Field(default=None, max_length=72, examples=["red, 50 cm"])


class ListSection(Content):
    """Rows below a heading; a list with more than one section needs headings."""

    title: str | None = Field(default=None, max_length=24, examples=["Flowers"])
    rows: list[ListRow] = Field(min_length=1, max_length=10)


class UrlParameters(Content):
    """What the button says, and where it leads."""

    display_text: str = Field(min_length=1, max_length=20, examples=["Open"])
    url: str = Field(min_length=1, examples=["https://example.com/a"])


class Action(Content):
    """What can be done: `buttons`, or `button` and `sections`, or `name` and `parameters`."""

    name: Literal["cta_url", "send_location"] | None = None
    parameters: UrlParameters | None = None
    button: str | None = Field(default=None, min_length=1, max_length=20)
    buttons: list[ReplyButton] | None = Field(default=None, min_length=1, max_length=3)
    sections: list[ListSection] | None = Field(default=None, min_length=1, max_length=10)

    @field_validator("buttons")
    @classmethod
    def _differ(cls, buttons: list[ReplyButton] | None) -> list[ReplyButton] | None:
        for part in ("id", "title"):
            _require_different([getattr(each.reply, part) for each in buttons or ()], part)
        return buttons

    @field_validator("sections")
    @classmethod
    def _are_one_list(cls, sections: list[ListSection] | None) -> list[ListSection] | None:
        rows = [row.id for section in sections or () for row in section.rows]
        _require_different(rows, "id")
        if len(rows) > 10:
            raise ValueError(f"sections have {len(rows)} rows; at most 10 are allowed")
        if sections and len(sections) > 1 and not all(each.title for each in sections):
            raise ValueError("sections need a title each if there are several")
        return sections


def _require_different(values: list[str], part: str) -> None:
    twice = next((each for each in values if values.count(each) > 1), None)
    if twice is not None:
        raise ValueError(f'two have the {part} "{twice}"')


# By type: the keys of its action, whether it may have a header, and of what length its text is.
_FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...], int]] = {
    "button": (("buttons",), ("text", "image", "video", "document"), 1024),
    "list": (("button", "sections"), ("text",), 4096),
    "cta_url": (("name", "parameters"), ("text", "image", "video", "document"), 1024),
    "location_request_message": (("name",), (), 1024),
}


class Interactive(Content):
    """A text with something to tap: reply buttons, a list, a link, or a request for a location."""

    label: ClassVar[str] = "Interactive"

    type: Literal["button", "list", "cta_url", "location_request_message"] = Field(
        description="What there is to tap.", examples=["button"]
    )
    action: Action = Field(
        examples=[{"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]}]
    )
    header: InteractiveHeader | None = None
    body: InteractiveText = Field(examples=[{"text": "Will you come?"}])
    footer: InteractiveFooter | None = None

    @field_validator("header")
    @classmethod
    def _may_have_header(
        cls, header: InteractiveHeader | None, info: ValidationInfo
    ) -> InteractiveHeader | None:
        kind = info.data.get("type")
        if header is None or kind is None:
            return header
        if header.type not in _FORMS[kind][1]:
            raise ValueError(f"header: {kind} cannot have one of type {header.type}")
        given = [name for name in ("text", "image", "video", "document") if getattr(header, name)]
        if given != [header.type]:
            found = " and ".join(given) or "nothing"
            raise ValueError(f"header is of type {header.type}, but it has {found}")
        return header

    @field_validator("body")
    @classmethod
    def _fits(cls, body: InteractiveText, info: ValidationInfo) -> InteractiveText:
        most = _FORMS.get(info.data.get("type", ""), ((), (), 4096))[2]
        if len(body.text) > most:
            raise ValueError(f"body has {len(body.text)} characters; at most {most} are allowed")
        return body

    @field_validator("footer")
    @classmethod
    def _may_have_footer(
        cls, footer: InteractiveFooter | None, info: ValidationInfo
    ) -> InteractiveFooter | None:
        if footer is not None and info.data.get("type") == "location_request_message":
            raise ValueError("footer: location_request_message cannot have one")
        return footer

    @field_validator("action")
    @classmethod
    def _goes_with_type(cls, action: Action, info: ValidationInfo) -> Action:
        kind = info.data.get("type")
        if kind is None:
            return action
        needed = _FORMS[kind][0]
        given = [name for name in Action.model_fields if getattr(action, name) is not None]
        if sorted(given) != sorted(needed):
            found = " and ".join(given) or "nothing"
            raise ValueError(f"action of a {kind} has {' and '.join(needed)}; there is {found}")
        name = {"cta_url": "cta_url", "location_request_message": "send_location"}.get(kind)
        if action.name != name:
            raise ValueError(f'action of a {kind} has the name "{name}"')
        return action

    def summary(self) -> str:
        """Return the text, and what there is to tap."""
        words = " ".join(self.body.text.split())
        shown = words if len(words) <= 50 else f"{words[:49]}…"
        return f'"{shown}" [{"] [".join(self._buttons())}]'

    def bubble(self) -> Bubble:
        """Return header, text, footer, and what there is to tap."""
        file = self.header.shown() if self.header else None
        header = self.header.text if self.header else None
        rows = [row for each in self.action.sections or () for row in _section(each)]
        footer = [self.footer.text] if self.footer else []
        return Bubble(
            self.label,
            text="\n\n".join(filter(None, (header and f"*{header}*", self.body.text))),
            lines=(*rows, *footer),
            buttons=self._buttons(),
            file=file.shown() if file else None,
        )

    def _buttons(self) -> tuple[str, ...]:
        action = self.action
        if action.buttons:
            return tuple(each.reply.title for each in action.buttons)
        if action.parameters:
            return (action.parameters.display_text,)
        return (action.button or "Send location",)


def _section(section: ListSection) -> Iterator[str]:
    if section.title:
        yield section.title
    for row in section.rows:
        yield f"• {row.title}" + (f": {row.description}" if row.description else "")


class Sticker(Media):
    """A sticker; exactly one of `source`, `link` and `id` says which."""

    label: ClassVar[str] = "Sticker"
    family: ClassVar[Literal["image", "video", "audio"] | None] = "image"


class Voice(Audio):
    """A sound; exactly one of `source`, `link` and `id` says which. Gateways show no caption."""

    voice: bool | None = Field(
        default=None,
        description="Whether it is shown as a voice message; OGG with Opus only.",
        examples=[True],
    )


class Attached(NamedTuple):
    """The file of a message: its table, the fields that lead to it, and its own name, if it has
    one."""

    media: Media | None = None
    fields: Mapping[str, Any] = {}
    filename: str | None = None


def body_of(value: Any, attached: Attached, leaving_out: Collection[str] = ()) -> Any:
    """Return a content as the gateway's body has it; keys without a value are left out.

    Other files than the one that is attached have what is written. `leaving_out` are keys of the
    content itself that its body does not have.
    """
    if isinstance(value, Media):
        is_attached = value is attached.media
        others = {*_OF_FILES, *leaving_out}
        own = {name: each for name, each in vars(value).items() if name not in others}
        if is_attached and isinstance(value, Document):
            own["filename"] = own["filename"] or attached.filename
        given = {name: each for name, each in own.items() if each is not None}
        return {**(attached.fields if is_attached else value.file_fields(None)), **given}
    if isinstance(value, Content):
        given = {name: each for name, each in vars(value).items() if each is not None}
        made = {
            name: body_of(each, attached) for name, each in given.items() if name not in leaving_out
        }
        return made[value.list_field] if value.list_field else made
    if isinstance(value, list):
        return [body_of(each, attached) for each in value]
    if isinstance(value, dict):
        return {key: body_of(each, attached) for key, each in value.items()}
    return value


_OF_FILES = frozenset(Media.model_fields)
