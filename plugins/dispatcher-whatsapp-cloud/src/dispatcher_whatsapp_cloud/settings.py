"""Whose number sends, and through which service; the rest is as for every transport over HTTP."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from dispatcher import ConfigError
from dispatcher.http.settings import HttpSettings, Rate, Url
from dispatcher_whatsapp_cloud.services import SERVICES, Name, Service


class CloudSettings(HttpSettings):
    """`[transports.whatsapp-cloud]` in dispatcher.toml, `WHATSAPP_CLOUD_…` in the environment.

    `service`: see `services`. `base_url`: where it is not the service's own. `version`: of Meta's
    API, which retires old ones; so there is no default. Rates: Meta, "Throughput".
    """

    gateway: ClassVar[str] = "WhatsApp's Cloud API"

    model_config = SettingsConfigDict(env_prefix="WHATSAPP_CLOUD_")

    service: Name = "meta"
    base_url: Url | None = None
    phone_number_id: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")] | None = None
    version: Annotated[str, Field(pattern=r"^v[0-9]+\.[0-9]+$")] | None = None
    rate: Rate | None = "80/s"
    recipient_rate: Rate | None = "10/min"

    @property
    def described(self) -> Service:
        """What the service wants."""
        return SERVICES[self.service]

    @property
    def root(self) -> str:
        """The URL above `/messages` and `/media`; only where `credentials` does not object."""
        path = self.described.path.format(version=self.version, number=self.phone_number_id)
        return f"{self.base_url or self.described.base_url}{path}"

    def credentials(self) -> SecretStr:
        """The account's token. Raises ConfigError, also where a part of the address is missing."""
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
