"""Settings of every HTTP transport: timeouts, rates, and the account's token."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher.errors import ConfigError
from dispatcher.rate_syntax import number_per_seconds

_LONGEST_FILE = 65_536  # bytes; anything longer, or endless, is no token
_TOKEN = re.compile(r"[\x21-\x7e]+")  # one word, as a header can carry it


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL with a host")
    if not url.isprintable() or " " in url:
        raise ValueError("must not contain spaces or control characters")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("must not contain a user, a query or a fragment")
    if parts.port == 0:
        raise ValueError("port 0 is not an address")
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("must be https; http would show the token")
    return url.rstrip("/")


def _checked_rate(rate: str) -> str:
    number_per_seconds(rate)
    return rate


# For JSON Schema: no URL that is accepted breaks it.
_URL = (
    r"^([Hh][Tt][Tt][Pp][Ss]://[^\x00-\x20?#/@]+"
    r"|[Hh][Tt][Tt][Pp]://([Ll]ocalhost|127\.[0-9.]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?)"
    r"(/[^\x00-\x20?#]*)?$"
)
Url = Annotated[str, AfterValidator(_checked_url), Field(json_schema_extra={"pattern": _URL})]
Rate = Annotated[
    str,
    AfterValidator(_checked_rate),
    Field(json_schema_extra={"pattern": r"^[0-9]+(\.[0-9]+)?/(s|min|h|d)$"}),
]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class HttpSettings(BaseSettings):
    """The settings of every HTTP transport; derived classes set `env_prefix` and `gateway`.

    They are read from the table `[transports.<name>]` in dispatcher.toml; the environment,
    `<PREFIX>…`, wins. Timeouts are in seconds: `connect_timeout` is for making a connection,
    `read_timeout` from the last byte sent to the last byte of the response; sending may take
    `read_timeout`, too, and a second more for each 64 KB. Rates are "number/s", "/min", "/h" or
    "/d": `rate` for the whole account, `recipient_rate` for one recipient (None means no limit of
    its own). They load without credentials, which only `credentials` reads.
    """

    gateway: ClassVar[str] = "the gateway"

    model_config = SettingsConfigDict(
        env_ignore_empty=True,  # a CI passes an empty secret to a run that may not have it
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    connect_timeout: Seconds = Field(
        default=5,
        description="Seconds for making a connection.",
        examples=[5],
    )
    read_timeout: Seconds = Field(
        default=30,
        description="Seconds from the last byte sent to the last byte of the response.",
        examples=[30],
    )
    rate: Rate | None = Field(
        default=None,
        description="The most messages that the account sends: a number /s, /min, /h or /d.",
        examples=["10/s", "100/min"],
    )
    recipient_rate: Rate | None = Field(
        default=None,
        description="The most messages that one recipient gets: a number /s, /min, /h or /d.",
        examples=["1/min"],
    )
    token: SecretStr | None = Field(
        default=None,
        description="The account's token.",
    )
    token_file: Path | None = Field(
        default=None,
        description="A file that holds the account's token.",
    )

    @property
    def token_origin(self) -> str:
        """Where the token is read: `GREENAPI_TOKEN`, or the file named by `GREENAPI_TOKEN_FILE`."""
        variable = f"{self.model_config['env_prefix']}TOKEN"
        return variable if self.token_file is None else f"{variable}_FILE ({self.token_file})"

    def credentials(self) -> SecretStr:
        """Return the account's token, from `token` or from the file `token_file`.

        Raises ConfigError, which never shows the token, if none or both are set, the file cannot be
        read, or the token is not one word of ASCII characters.
        """
        variable = f"{self.model_config['env_prefix']}TOKEN"
        if self.token is not None and self.token_file is not None:
            raise ConfigError(f"set {variable} or {variable}_FILE, not both")
        if self.token is not None:
            return _checked_token(self.token, self.token_origin)
        if self.token_file is not None:
            origin = self.token_origin
            return _checked_token(_read_token(self.token_file, origin), origin)
        raise ConfigError(f"no token for {self.gateway}: set {variable} or {variable}_FILE")


def _read_token(path: Path, origin: str) -> SecretStr:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LONGEST_FILE)
        return SecretStr(content.decode("ascii", errors="replace").strip())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise ConfigError(f"{origin} cannot be read: {reason}") from None


def _checked_token(token: SecretStr, origin: str) -> SecretStr:
    if not token.get_secret_value():
        raise ConfigError(f"{origin} is empty")
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ConfigError(f"{origin} is no token: it holds a space or a sign outside ASCII")
    return token
