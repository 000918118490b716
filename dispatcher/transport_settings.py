"""A transport's table of dispatcher.toml and the environment → its `Settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError

from dispatcher.errors import ConfigError
from dispatcher.toml import explain

if TYPE_CHECKING:
    from dispatcher.hookspecs import Transport


def read(
    transport: type[Transport], table: dict[str, Any], overrides: dict[str, Any]
) -> BaseSettings:
    """Overrides win over the environment, the environment over the table. Raises ConfigError."""
    settings = transport.Settings
    try:
        return _environment_first(settings, overrides)(**table)
    except ValidationError as error:
        findings = error.errors(include_url=False, include_input=False)
        lines = [_line(transport.name, settings, finding, table) for finding in findings]
        raise ConfigError("\n".join(lines)) from None
    except SettingsError as error:
        raise ConfigError(f"transport {transport.name}: {error}") from None


def _environment_first(
    settings: type[BaseSettings], overrides: dict[str, Any]
) -> type[BaseSettings]:
    """A subclass in which the environment wins over the file (pydantic's order is the reverse)."""

    class EnvironmentFirst(settings):  # type: ignore[misc, valid-type]
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[Any, ...]:
            over = lambda: overrides  # noqa: E731
            return over, env_settings, dotenv_settings, file_secret_settings, init_settings

    EnvironmentFirst.__name__ = settings.__name__
    return EnvironmentFirst


def _line(name: str, settings: type[BaseSettings], finding: Any, table: dict[str, Any]) -> str:
    path = explain.place(finding)
    key = str(path[0]) if path else ""
    if finding["type"] == "extra_forbidden":
        hint = explain.did_you_mean(key, settings.model_fields)
        return f'dispatcher.toml, [transports.{name}]: unknown key "{key}"{hint}'
    variable = f"{settings.model_config.get('env_prefix', '')}{key}".upper()
    where = f"dispatcher.toml, [transports.{name}]" if key in table else f"environment, {variable}"
    text = finding["msg"].removeprefix("Value error, ")
    return f"{where}: {key}: {text}" if key else f"transport {name}: {text}"
