"""Which instance, and where it is; the rest is as for every transport over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from dispatcher import ConfigError
from dispatcher.http.settings import HttpSettings, Rate, Url

# It becomes a part of a path, where other letters mean something else, or are written in a way in
# which a gateway that says them back would not be understood.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


class InstanceSettings(HttpSettings):
    """`[transports.greenapi-instance]` in dispatcher.toml, `GREENAPI_INSTANCE_…` around it.

    The console shows both hosts and the number of the instance. `rate`: what the gateway takes for
    one instance (Green API, "Rate limiter").
    """

    gateway: ClassVar[str] = "the instance of Green API"

    model_config = SettingsConfigDict(env_prefix="GREENAPI_INSTANCE_")

    id_instance: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = None
    base_url: Url = "https://api.green-api.com"
    media_url: Url = "https://media.green-api.com"
    rate: Rate | None = "50/s"

    def credentials(self) -> SecretStr:
        """The instance's token. Raises ConfigError, also where there is no instance to be used."""
        token = super().credentials()
        if not _TOKEN.fullmatch(token.get_secret_value()):
            raise ConfigError("the token of an instance has letters, digits, - and _ only")
        if self.id_instance is None:
            raise ConfigError(
                "no instance of Green API: set id_instance in [transports.greenapi-instance], or "
                "GREENAPI_INSTANCE_ID_INSTANCE"
            )
        return token
