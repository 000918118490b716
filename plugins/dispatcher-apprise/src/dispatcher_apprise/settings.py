"""Reads the targets' URLs. They contain tokens, so they are never in dispatcher.toml itself.

No error ever shows a URL.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import ConfigError
from dispatcher.http.settings import Rate

DEFAULT = "default"
NAME = re.compile(r"\w[\w.@+-]{0,99}")
_LONGEST = 1_000_000  # bytes


class AppriseSettings(BaseSettings):
    """`[transports.apprise]` in dispatcher.toml, `APPRISE_*` in the environment.

    The target `default` is `url`, from APPRISE_URL only, or in the file `url_file`. `targets_file`
    is a TOML file of named targets. Loads without any of them.
    """

    model_config = SettingsConfigDict(
        env_prefix="APPRISE_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    # By this name, the environment's, so that the table has no key for it.
    url: SecretStr | None = Field(
        default=None,
        validation_alias="APPRISE_URL",
        description='The URL of the target "default".',
    )
    url_file: Path | None = Field(
        default=None,
        description='A file that holds the URL of the target "default".',
        examples=["/etc/apprise/url"],
    )
    targets_file: Path | None = Field(
        default=None,
        description='A TOML file of named targets: ops = "tgram://…".',
        examples=["/etc/apprise/targets.toml"],
    )
    rate: Rate | None = Field(
        default=None,
        description="The most messages that are sent: a number /s, /min, /h or /d.",
        examples=["10/min"],
    )
    recipient_rate: Rate | None = Field(
        default=None,
        description="The most messages that one target gets: a number /s, /min, /h or /d.",
        examples=["1/s"],
    )


def read_targets(settings: AppriseSettings) -> dict[str, SecretStr]:
    """Return the URL of each target. Raises ConfigError, also if there is none."""
    found = _default(settings)
    if settings.targets_file is not None:
        named = _named(settings.targets_file)
        if found.keys() & named.keys():
            raise ConfigError(f'{settings.targets_file} and the environment both set "{DEFAULT}"')
        found |= named
    if not found:
        raise ConfigError(
            "no targets for Apprise: set APPRISE_URL, APPRISE_URL_FILE or APPRISE_TARGETS_FILE"
        )
    return found


def _default(settings: AppriseSettings) -> dict[str, SecretStr]:
    if settings.url is not None and settings.url_file is not None:
        raise ConfigError("set APPRISE_URL or APPRISE_URL_FILE, not both")
    if settings.url is not None:
        return {DEFAULT: SecretStr(settings.url.get_secret_value().strip())}
    if settings.url_file is not None:
        return {DEFAULT: SecretStr(_text(settings.url_file, "APPRISE_URL_FILE").strip())}
    return {}


def _named(path: Path) -> dict[str, SecretStr]:
    origin = f"APPRISE_TARGETS_FILE ({path})"
    try:
        table = tomllib.loads(_text(path, "APPRISE_TARGETS_FILE"))
    except ValueError as error:
        place = re.search(r"line \d+, column \d+", str(error))  # the rest may quote the file
        raise ConfigError(
            f"{origin} is not valid TOML{f' ({place[0]})' if place else ''}"
        ) from None
    for name, url in table.items():
        if not NAME.fullmatch(name) or not isinstance(url, str) or not url.strip():
            raise ConfigError(f'{origin}: expected lines like ops = "tgram://…"')
    return {name: SecretStr(url.strip()) for name, url in table.items()}


def _text(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_LONGEST).decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ConfigError(f"{variable} ({path}) cannot be read: {reason}") from None
