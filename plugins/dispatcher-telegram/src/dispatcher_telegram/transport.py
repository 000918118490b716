"""The transport `telegram`: where requests go."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import (
    Address,
    Attachment,
    ConfigError,
    Contents,
    Message,
    Payload,
    ProbeResult,
    Problem,
    Receipt,
    Upload,
)
from dispatcher.http.responses import HIDDEN, Route
from dispatcher.http.settings import HttpSettings, Rate, Url
from dispatcher.http.transport import HttpTransport

from .addresses import read_address
from .answers import ACCEPTED_ID, ERROR_MAP
from .contents import CONTENTS
from .payload import METHODS, build, method_field
from .rules import problems

TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+", re.ASCII)


class TelegramSettings(HttpSettings):
    """`[transports.telegram]` in dispatcher.toml; in the environment, names begin with `TELEGRAM_`.

    The rates are those of "My bot is hitting limits" in the FAQ of the Bot API. There may be 20
    messages a minute in one group; `recipient_rate` does not tell groups from people.
    """

    gateway: ClassVar[str] = "Telegram"
    model_config = SettingsConfigDict(env_prefix="TELEGRAM_")

    base_url: Url = Field(
        default="https://api.telegram.org", description="Telegram's, or a Bot API server's, URL."
    )
    local: bool = Field(
        default=False,
        description="Whether base_url is a Bot API server with --local: it takes files of 2000 MB.",
    )
    rate: Rate | None = "30/s"
    recipient_rate: Rate | None = "1/s"


class Telegram(HttpTransport[TelegramSettings]):
    """Sends messages as a bot. A file travels with its message."""

    name: ClassVar[str] = "telegram"
    Settings: ClassVar[type[BaseSettings]] = TelegramSettings
    contents: ClassVar[Contents] = CONTENTS
    uploads = "inline"

    @property
    def local(self) -> bool:
        """Say no: a Bot API server on this machine leads to people all the same."""
        return False

    def address(self, written: str, country: str | None) -> Address:
        """Read the id of a chat, or the name of a channel."""
        return read_address(written)

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """Return the body of the method that sends the message."""
        return build(message, attachment)

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        """Yield what Telegram would refuse."""
        return problems(payload, attachment, local=self.settings.local)

    def require_credentials(self) -> None:
        """Raise ConfigError if there is no token, or it has not the form of a bot's token."""
        super().require_credentials()
        if not TOKEN.fullmatch(self.token.get_secret_value()):
            raise ConfigError(
                f"{self.settings.token_origin} is no token of a bot, which begins with digits and "
                "a colon; @BotFather shows it"
            )

    def auth_headers(self) -> dict[str, str]:
        """Return none: the token stands in the path."""
        return {}

    def send(self, payload: Payload, file: Upload | None = None) -> Receipt:
        """Post one message, once, with its file if it has one."""
        field = method_field(payload)
        assert field is not None  # as `check` has found
        route = self._route(METHODS[field].name)
        fields = {name: value for name, value in payload.items() if name != "filename"}
        if file is None:
            return Receipt(id=self.post_json(route, fields))
        del fields[field]
        named = file.model_copy(update={"filename": payload.get("filename", file.filename)})
        return Receipt(id=self.post_form(route, named, field, fields))

    def probe(self) -> ProbeResult:
        """Ask who the bot is."""
        name = self.get(self._route("getMe"), (200,)).at(("result", "username"))
        return ProbeResult(sentence=f"the bot is @{name}")

    def _route(self, method: str) -> Route:
        url = f"{self.settings.base_url}/bot{HIDDEN}/{method}"
        return self.route(url, "base_url", ACCEPTED_ID, ERROR_MAP)
