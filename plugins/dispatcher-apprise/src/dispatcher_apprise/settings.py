"""Where the targets' URLs come from. They hold tokens, so never from dispatcher.toml itself."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher.http.settings import Rate


class AppriseSettings(BaseSettings):
    """`[transports.apprise]` in dispatcher.toml, `APPRISE_*` in the environment.

    `url`, from APPRISE_URL only, or `url_file`: the target `default`. `targets_file`: a TOML file
    of named targets. Loads without any of them.
    """

    model_config = SettingsConfigDict(
        env_prefix="APPRISE_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    # By this name, the environment's, so that the table has no key for it.
    url: SecretStr | None = Field(default=None, validation_alias="APPRISE_URL")
    url_file: Path | None = None
    targets_file: Path | None = None
    rate: Rate | None = None
    recipient_rate: Rate | None = None
