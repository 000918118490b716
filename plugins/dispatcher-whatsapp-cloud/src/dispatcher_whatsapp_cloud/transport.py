"""The transport `whatsapp-cloud`: builds, checks and posts messages, and uploads their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import (
    Address,
    Attachment,
    ConfigError,
    Contents,
    DeliveryStatus,
    MediaId,
    Message,
    Payload,
    Problem,
    Receipt,
    Refused,
    Upload,
    phone_address,
)
from dispatcher.http.files import content_type
from dispatcher.http.responses import Path, Route
from dispatcher.http.settings import HttpSettings, Rate, Url
from dispatcher.http.transport import HttpTransport
from dispatcher_whatsapp_cloud import rules, statuses
from dispatcher_whatsapp_cloud.contents import Attached, body_of
from dispatcher_whatsapp_cloud.definitions import Definitions
from dispatcher_whatsapp_cloud.kinds import CONTENTS, OPTIONS
from dispatcher_whatsapp_cloud.services import SERVICES, Name, Service
from dispatcher_whatsapp_cloud.template import Template

_TEMPLATE_FIELDS = "name,language,status,category,components"
_MOST_PAGES = 1000  # an account has at most 6000 templates in each language
# Meta, "Groups API": an opaque id, base64 of "capi_group:" and more.
_GROUP = re.compile(r"Y2FwaV9ncm91cDo[A-Za-z0-9+/_-]{1,150}={0,2}")


class CloudSettings(HttpSettings):
    """`[transports.whatsapp-cloud]` in dispatcher.toml, `WHATSAPP_CLOUD_…` in the environment.

    For `service` see `services`. `base_url` replaces the service's own. `version` is that of Meta's
    API, which retires old ones, so there is no default. Rates: Meta, "Throughput".
    """

    gateway: ClassVar[str] = "WhatsApp's Cloud API"

    model_config = SettingsConfigDict(env_prefix="WHATSAPP_CLOUD_")

    service: Name = Field(
        default="meta",
        description="Whose API it is.",
        examples=["meta"],
    )
    base_url: Url | None = Field(
        default=None,
        description="The API's address, instead of the service's own.",
        examples=["https://waba.example.com"],
    )
    phone_number_id: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")] | None = Field(
        default=None,
        description="The id of the number that sends, as the service shows it.",
        examples=["106540352242922"],
    )
    version: Annotated[str, Field(pattern=r"^v[0-9]+\.[0-9]+$")] | None = Field(
        default=None,
        description="The version of Meta's API, which retires old ones.",
        examples=["v23.0"],
    )
    rate: Rate | None = Field(
        default="80/s",
        description="The most messages that the account sends: a number /s, /min, /h or /d.",
        examples=["20/s"],
    )
    recipient_rate: Rate | None = Field(
        default="10/min",
        description="The most messages that one recipient gets: a number /s, /min, /h or /d.",
        examples=["1/min"],
    )

    @property
    def described(self) -> Service:
        """The service and what it requires."""
        return SERVICES[self.service]

    @property
    def root(self) -> str:
        """The URL above `/messages` and `/media`; valid only if `credentials` does not raise."""
        path = self.described.path.format(version=self.version, number=self.phone_number_id)
        return f"{self.base_url or self.described.base_url}{path}"

    def credentials(self) -> SecretStr:
        """Return the account's token.

        Raises ConfigError, also if a part of the address is missing.
        """
        token = super().credentials()
        needed = {
            "base_url": (self.base_url, self.described.base_url is None),
            "version": (self.version, "{version}" in self.described.path),
            "phone_number_id": (self.phone_number_id, "{number}" in self.described.path),
        }
        missing = [name for name, (value, wanted) in needed.items() if wanted and value is None]
        if missing:
            raise ConfigError(
                f"{self.service} needs {' and '.join(missing)} in [transports.whatsapp-cloud], or "
                f"in the environment: {', '.join(f'WHATSAPP_CLOUD_{n.upper()}' for n in missing)}"
            )
        return token


class WhatsAppCloud(HttpTransport):
    """Sends WhatsApp messages through Meta's Cloud API, or a service of its shape."""

    name: ClassVar[str] = "whatsapp-cloud"
    Settings: ClassVar[type[BaseSettings]] = CloudSettings
    ends_in_time: ClassVar[bool] = True
    contents: ClassVar[Contents] = CONTENTS
    definitions: ClassVar[Definitions | None] = None
    """The account's templates; `with_definitions` makes a class that knows them."""

    @classmethod
    def with_definitions(cls, known: Definitions) -> type[WhatsAppCloud]:
        """Return a transport that checks and shows templates by their definitions."""

        template: Any = cls.contents["template"]

        class KnownTemplate(template):  # type: ignore[misc] # it is a class
            __doc__ = Template.__doc__
            definitions: ClassVar[Definitions] = known

        class Informed(cls):  # type: ignore[misc, valid-type] # the class that is meant
            contents: ClassVar[Contents] = {**cls.contents, "template": KnownTemplate}
            definitions: ClassVar[Definitions | None] = known

        Informed.__name__ = Informed.__qualname__ = cls.__name__
        return Informed

    def address(self, written: str, country: str | None) -> Address:
        """Read a person, also by a business-scoped user id, or a group by the id that the gateway
        gave it. Raises AddressError."""
        text = written.strip()
        if rules.BUSINESS_SCOPED_ID.fullmatch(text):
            return Address(text, "individual")
        return Address(text, "group") if _GROUP.fullmatch(text) else phone_address(text, country)

    def templates(self, business_account_id: str) -> Iterator[dict[str, Any]]:
        """Yield all templates of an account, whatever their status ("Message templates").

        Raises ConfigError if the service does not list them so, and a `DeliveryError`.
        """
        service, after = self._service, None
        if service.templates is None:
            raise ConfigError(f"{self.settings.service} does not list templates as Meta does")
        self.settings.credentials()
        path = service.templates.format(version=self.settings.version, account=business_account_id)
        url = f"{self.settings.base_url or service.base_url}{path}"
        for _ in range(_MOST_PAGES):
            # Not the `next` of the answer: that URL has the token in it.
            query = f"?fields={_TEMPLATE_FIELDS}&limit=100" + (f"&after={after}" if after else "")
            route = self.route(f"{url}{query}", "base_url", (), service.error_map, repeatable=True)
            page = self.get(route, (200,))
            found = page.at(("data",))
            if not isinstance(found, list):
                raise Refused("the answer has no list of templates", code="http 200")
            yield from (each for each in found if isinstance(each, dict))
            before, after = after, page.at(("paging", "cursors", "after"))
            if page.at(("paging", "next")) is None or after in (None, before):
                return
            after = quote(str(after), safe="")

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return the body of `POST …/messages` (Meta, "Cloud API: Messages", "On-Premises API").

        It has only what the message says, with its fields in the order of Meta's clients; an
        `Upload` stands in it as its `reference`. `provider` is in it whenever the message has one;
        `rules` refuses it for most services.
        """
        service = self._service
        product = {"messaging_product": "whatsapp"} if service.messaging_product else {}
        preview = {} if message.preview_url is None else {"preview_url": message.preview_url}
        content = _content(message, attachment)
        if preview and service.preview_in_text:
            content, preview = {**content, **preview}, {}
        return {
            **product,
            "recipient_type": message.recipient_type,
            "type": message.type,
            **_recipient(message, service),
            **_options(message),
            message.type: content,
            **preview,
        }

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Return every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment, self._service, self.definitions)

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway.

        Raises `NotSent` for everything that may work later: repeating an upload does no harm.
        """
        expires_at = datetime.now(UTC) + self._service.lifetime
        file = file.model_copy(update={"mime_type": rules.mime_type(file)})
        post = self._post_form if self._service.form else self.post_file
        return MediaId(id=post(self._media, file), expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once."""
        return Receipt(id=self.post_json(self._messages, payload))

    def statuses(self, body: Payload | None) -> Iterable[DeliveryStatus]:
        """Return what a webhook's body says of messages. Raises ConfigError: Meta is not asked."""
        if body is None:
            raise ConfigError(
                "WhatsApp's Cloud API cannot be asked what became of messages: it posts that to a "
                "webhook; give what that has got as FILE, one body a line"
            )
        return statuses.read(body, self.settings.phone_number_id)

    def auth_headers(self) -> Mapping[str, str]:
        """Return the header that the service requires."""
        return {self._service.header: f"{self._service.scheme}{self.token.get_secret_value()}"}

    def _post_form(self, route: Route, file: Upload) -> str:
        product = {"messaging_product": "whatsapp"} if self._service.messaging_product else {}
        return self.post_form(route, file, "file", {"type": content_type(file), **product})

    @cached_property
    def _service(self) -> Service:
        service: Service = self.settings.described
        return service

    @cached_property
    def _messages(self) -> Route:
        return self._route("messages", ("messages", 0, "id"), repeatable=False)

    @cached_property
    def _media(self) -> Route:
        return self._route("media", self._service.media_id, repeatable=True)

    def _route(self, kind: str, identifier: Path, *, repeatable: bool) -> Route:
        url, error_map = f"{self.settings.root}/{kind}", self._service.error_map
        return self.route(url, "base_url", identifier, error_map, repeatable=repeatable)


def _recipient(message: Message, service: Service) -> dict[str, str]:
    """Return who gets it: a number, with `+` where the service needs it, or a user's id.

    Without `+`, Meta may put the country of the sender before it ("Phone number formats").
    """
    if rules.BUSINESS_SCOPED_ID.fullmatch(message.to):
        return {"recipient": message.to}
    plus = "+" if service.plus and message.recipient_type == "individual" else ""
    return {"to": f"{plus}{message.to}"}


def _options(message: Message) -> dict[str, Any]:
    """Return what a content table says of the message, which stands beside the content."""
    given = {name: getattr(message.content, name, None) for name in OPTIONS}
    return {name: body_of(each, Attached()) for name, each in given.items() if each is not None}


def _content(message: Message, attachment: Attachment | None) -> Any:
    media = message.media
    fields = {} if media is None else media.file_fields(attachment)
    # A document that was uploaded shows its own name.
    filename = attachment.filename if isinstance(attachment, Upload) else None
    attached = Attached(media, fields, filename)
    if isinstance(message.content, Template):
        return message.content.to_body(attached)
    return body_of(message.content, attached, leaving_out=OPTIONS)
