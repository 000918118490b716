"""Reads settings of a transport or plugin from its table in dispatcher.toml and the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError

from dispatcher import validation_errors
from dispatcher.errors import ConfigError
from dispatcher.plugin_files import PROJECT_PATH
from dispatcher.toml import KeyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Locate = Callable[[KeyPath, str, bool], str]


def read_settings(
    settings: type[BaseSettings],
    where: tuple[str, str],
    table: dict[str, Any],
    overrides: dict[str, Any],
    folder: Path,
    locate: Locate,
) -> BaseSettings:
    """Read settings: overrides win over the environment, which wins over the table.

    `where` is the table's path, like ("transports", "greenapi"). Each `ProjectPath` is relative to
    `folder`. `locate` adds the place to what is wrong with a value (or, if True, a key) of
    dispatcher.toml. Raises ConfigError.
    """
    try:
        return _in_project(_environment_first(settings, overrides)(**table), folder)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # In the table's order: in the fields' order, those common to transports come first.
        errors.sort(key=lambda each: (each["type"] == "extra_forbidden", _row(table, each)))
        lines = [_line(where, settings, each, table, locate) for each in errors]
        raise ConfigError(*lines) from None
    except SettingsError as error:
        raise ConfigError(_unreadable(where, settings, error)) from None


def _in_project(settings: BaseSettings, folder: Path) -> BaseSettings:
    paths = {
        name: folder / getattr(settings, name)
        for name, field in type(settings).model_fields.items()
        if PROJECT_PATH in field.metadata
    }
    return settings.model_copy(update=paths) if paths else settings


def _environment_first(
    settings: type[BaseSettings], overrides: dict[str, Any]
) -> type[BaseSettings]:
    """Return a subclass in which the environment wins over the file (unlike in pydantic)."""

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


def _unreadable(where: tuple[str, str], settings: type[BaseSettings], error: SettingsError) -> str:
    """Explain a variable that is not JSON; pydantic names its field only in a sentence."""
    field = re.search(r'field "(\w+)"', str(error))
    if field is None:
        return f"{_owner(where)}: {error}"
    return f'environment, {variable(settings, field[1])}: expected JSON, like ["a", "b"]'


def _row(table: dict[str, Any], error: ErrorDetails) -> int:
    key = next(iter(validation_errors.key_path(error)), None)
    return list(table).index(key) if key in table else len(table)


def _line(
    where: tuple[str, str],
    settings: type[BaseSettings],
    error: ErrorDetails,
    table: dict[str, Any],
    locate: Locate,
) -> str:
    path = validation_errors.key_path(error)
    if not path:
        return f"{_owner(where)}: {validation_errors.sentence(error, show=False)}"
    name = variable(settings, path[0])
    if path[0] in table and not os.environ.get(name):
        sentence = validation_errors.sentence(error, settings.model_fields)
        return locate((*where, *path), sentence, error["type"] == "extra_forbidden")
    # What comes from the environment may be a secret.
    return f"environment, {name}: {validation_errors.sentence(error, show=False)}"


def variable(settings: type[BaseSettings], field: str | int) -> str:
    """Return the environment variable that a setting is read from."""
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()


def _owner(where: tuple[str, str]) -> str:
    kind, name = where
    return f"{kind.removesuffix('s')} {name}"
