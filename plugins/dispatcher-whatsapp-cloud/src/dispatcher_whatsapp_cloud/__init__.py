"""The transport `whatsapp-cloud`: WhatsApp messages through Meta's Cloud API and its like.

With files that define the account's templates, messages are checked by them before anything leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import ProjectPath, Transport, hookimpl
from dispatcher_whatsapp_cloud.definitions import Definitions
from dispatcher_whatsapp_cloud.transport import WhatsAppCloud

if TYPE_CHECKING:
    import click

__all__ = ["CloudPluginSettings", "WhatsAppCloud", "WhatsAppCloudPlugin"]


class CloudPluginSettings(BaseSettings):
    """`[plugins.whatsapp-cloud]` in dispatcher.toml, `WHATSAPP_CLOUD_…` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="WHATSAPP_CLOUD_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    templates: ProjectPath = Field(
        default=Path("templates"),
        description="The folder with definitions of templates, relative to dispatcher.toml.",
        examples=["templates"],
    )
    business_account_id: Annotated[str, Field(pattern=r"^[0-9]{1,30}$")] | None = Field(
        default=None,
        description="The id of the WhatsApp Business Account that has the templates.",
        examples=["102290129340398"],
    )


class WhatsAppCloudPlugin:
    """Offers the transport, which knows the templates, and a command that fetches them."""

    Settings: ClassVar[type[CloudPluginSettings]] = CloudPluginSettings

    def __init__(self, settings: CloudPluginSettings) -> None:
        self._settings = settings
        self._transport = WhatsAppCloud.with_definitions(Definitions.read(settings.templates))

    @hookimpl
    def dispatcher_transports(self) -> Iterable[type[Transport]]:
        """Return the transport `whatsapp-cloud`."""
        return [self._transport]

    @hookimpl
    def dispatcher_commands(self) -> Iterable[click.Command]:
        """Return the command `dispatcher whatsapp-templates`."""
        from dispatcher_whatsapp_cloud.command import templates_command

        return [templates_command(self._settings)]
