"""Where Green API is; the rest is as for every transport over HTTP."""

from __future__ import annotations

from typing import ClassVar

from pydantic_settings import SettingsConfigDict

from dispatcher.http.settings import HttpSettings, Rate, Url


class GreenApiSettings(HttpSettings):
    """`[transports.greenapi]` in dispatcher.toml, `GREENAPI_*` in the environment.

    URLs come without `/v1/…` and lose trailing slashes; plain http leads to loopback only.
    """

    gateway: ClassVar[str] = "Green API"

    model_config = SettingsConfigDict(env_prefix="GREENAPI_")

    base_url: Url = "https://api.green-api.com"
    media_url: Url = "https://media.green-api.com"
    rate: Rate | None = "50/s"
