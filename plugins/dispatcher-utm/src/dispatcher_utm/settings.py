"""What `[plugins.utm]` in dispatcher.toml may contain."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import Message
from dispatcher_utm.links import ascii_host

NAMES = ("source", "medium", "campaign", "term", "content", "id")
_PLACEHOLDERS = ("{manifest}", "{message}")


def _checked_value(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("must be text on one line, and not empty")
    for found in re.findall(r"\{[^{}]*\}?", value):
        if found not in _PLACEHOLDERS:
            raise ValueError(f'"{found}" is none of {" and ".join(_PLACEHOLDERS)}')
    return value


def _checked_domain(domain: str) -> str:
    host = ascii_host(domain)
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", host):
        raise ValueError(f'"{domain}" is not a domain, like example.com')
    return host


Value = Annotated[str, AfterValidator(_checked_value)]
Domain = Annotated[str, AfterValidator(_checked_domain)]


def _parameter(name: str, meaning: str, example: str) -> Any:
    return Field(
        default=None,
        description=f"{meaning}: the value of utm_{name}. {{manifest}} and {{message}} stand for "
        "their names.",
        examples=[example],
    )


class UtmSettings(BaseSettings):
    """`source = "whatsapp"` becomes `utm_source=whatsapp`; what is not set is not added.

    `{manifest}` and `{message}` in a value stand for the manifest's name and the message's id. Only
    links to `domains` and their subdomains are changed, or all links if that is empty. In the
    environment: DISPATCHER_UTM_SOURCE, and so on.
    """

    model_config = SettingsConfigDict(
        env_prefix="DISPATCHER_UTM_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    source: Value | None = _parameter("source", "Where a visitor comes from", "whatsapp")
    medium: Value | None = _parameter("medium", "By what kind of message", "messenger")
    campaign: Value | None = _parameter("campaign", "For which campaign", "{manifest}")
    term: Value | None = _parameter("term", "For which search", "spring")
    content: Value | None = _parameter("content", "By which link", "{message}")
    id: Value | None = _parameter("id", "The campaign's id", "{manifest}")
    domains: tuple[Domain, ...] = Field(
        default=(),
        description="Only links to these and their subdomains are changed; by default, all links.",
        examples=[["example.com"]],
    )

    def parameters(self, message: Message) -> dict[str, str]:
        """Return the parameters for the links of a message, in their usual order."""
        values = {name: getattr(self, name) for name in NAMES}
        return {
            f"utm_{name}": value.replace("{manifest}", message.manifest).replace(
                "{message}", message.id
            )
            for name, value in values.items()
            if value is not None
        }
