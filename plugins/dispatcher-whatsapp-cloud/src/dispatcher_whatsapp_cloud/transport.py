"""The transport `whatsapp-cloud`: builds, checks and posts messages, and uploads their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from dispatcher import (
    Address,
    Attachment,
    MediaId,
    Message,
    Payload,
    Problem,
    Receipt,
    Upload,
    phone_address,
)
from dispatcher.http.files import content_type
from dispatcher.http.responses import Route
from dispatcher.http.transport import HttpTransport
from dispatcher_whatsapp_cloud import payload as payloads
from dispatcher_whatsapp_cloud import rules
from dispatcher_whatsapp_cloud.services import Service
from dispatcher_whatsapp_cloud.settings import CloudSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings


# Meta, "Groups API": an opaque id, base64 of "capi_group:" and more.
_GROUP = re.compile(r"Y2FwaV9ncm91cDo[A-Za-z0-9+/_-]{1,150}={0,2}")


class WhatsAppCloud(HttpTransport):
    """WhatsApp messages through Meta's Cloud API, or a service of its shape."""

    name: ClassVar[str] = "whatsapp-cloud"
    Settings: ClassVar[type[BaseSettings]] = CloudSettings
    ends_in_time: ClassVar[bool] = True

    def address(self, written: str, country: str | None) -> Address:
        """A person, or a group by the id that the gateway gave it. Raises AddressError."""
        group = _GROUP.fullmatch(written.strip())
        return Address(group[0], "group") if group else phone_address(written, country)

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The body of `POST …/messages`."""
        return payloads.build(message, attachment, self._service)

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Every way in which the payload breaks the gateway's contract; never raises."""
        return rules.check(payload, attachment, self._service)

    def upload(self, file: Upload) -> MediaId:
        """Store a file at the gateway. Raises `NotSent` for everything that may work later:
        repeating an upload does no harm."""
        expires_at = datetime.now(UTC) + self._service.lifetime
        file = file.model_copy(update={"mime_type": rules.mime_type(file)})
        post = self._post_form if self._service.form else self.post_file
        return MediaId(id=post(self._media, file), expires_at=expires_at)

    def send(self, payload: Payload) -> Receipt:
        """Post one message, once."""
        return Receipt(id=self.post_json(self._messages, payload))

    def identity(self) -> Mapping[str, str]:
        """The header that the service wants."""
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

    def _route(self, kind: str, identifier: tuple[str | int, ...], *, repeatable: bool) -> Route:
        return Route(
            url=f"{self.settings.root}/{kind}",
            setting="base_url",
            identifier=identifier,
            error_map=self._service.error_map,
            connect_timeout=self.settings.connect_timeout,
            read_timeout=self.settings.read_timeout,
            repeatable=repeatable,
            token=self.settings.token_origin,
        )
