"""Makes `Settings` from dispatcher.toml: reads and validates it, and merges a profile into it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dispatcher import validation_errors
from dispatcher.config.schema import (
    ConfigurationFile,
    DeliverySettings,
    FileSettings,
    Settings,
    known_keys,
)
from dispatcher.errors import ConfigError, ManifestError
from dispatcher.names import closest_name, did_you_mean
from dispatcher.ownership import objection
from dispatcher.redaction import SECRET_FOUND, is_secret
from dispatcher.toml import KeyPath
from dispatcher.toml.file import MOST_PROBLEMS, TOO_DEEP, TomlFile, read_toml, too_deep

# A profile's name is part of its journal's.
_PROFILE = r"\w[\w.-]*"


def read_file(path: Path) -> TomlFile:
    """Read and validate the file. Raises ConfigError, with all that is wrong."""
    file = _read(path)
    _check(file)
    return file


def settings_of(file: TomlFile, profile: str | None) -> Settings:
    """Return the file's settings for a profile. Raises ConfigError if there is no such profile."""
    data = {key: value for key, value in file.data.items() if key != "profiles"}
    if profile is not None:
        if not re.fullmatch(_PROFILE, profile):
            raise ConfigError(f'--profile "{profile}" may hold letters, digits and . _ - only')
        profiles = file.data.get("profiles", {})
        if profile not in profiles:
            hint = did_you_mean(profile, profiles)
            raise ConfigError(f'{file.path} has no profile "{profile}"{hint}')
        # What was sent to a test gateway must not count as sent to people.
        data = _merged({**data, "journal": None}, profiles[profile])
    return Settings.model_validate(data)


def _read(path: Path) -> TomlFile:
    try:
        if path.is_symlink():
            _require_trusted(path, path.lstat())
        file = read_toml(path, check=lambda opened: _require_trusted(path, opened))
    except ManifestError as error:
        raise ConfigError(*error.sentences) from None
    if too_deep(file.data):
        raise ConfigError(str(file.problem((), TOO_DEEP)))
    secrets = [str(file.problem(where, _secret_sentence(where))) for where in _secrets(file.data)]
    if secrets:
        raise ConfigError(*secrets)
    return file


def _require_trusted(path: Path, info: os.stat_result) -> None:
    """Raise ConfigError for a file that somebody else may have written."""
    sentence = objection(path, info)
    if sentence is not None:
        raise ConfigError(sentence)


def _secret_sentence(where: KeyPath) -> str:
    """Explain a secret at a path: in which variable it belongs, if that is known."""
    tables = dict(pairwise(where))
    if "plugins" in tables:
        return SECRET_FOUND
    variable = f"{tables.get('transports', 'greenapi')}_TOKEN".upper().replace("-", "_")
    return f"set {variable} in the environment, never here"


def _secrets(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if is_secret(str(key)) and not isinstance(value, dict):
            yield (*path, key)
        elif isinstance(value, (dict, list)):
            yield from _secrets(value, (*path, key))


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merged(below, value) if both and below is not None else value
    return merged


def _check(file: TomlFile) -> None:
    try:
        ConfigurationFile.model_validate(file.data)
    except ValidationError as invalid:
        problems = []
        for error in invalid.errors(include_url=False)[:MOST_PROBLEMS]:
            path = validation_errors.key_path(error)
            hint = _table_meant(path, error["input"])
            sentence = hint or validation_errors.sentence(error, known_keys(path[:-1]))
            at_key = error["type"] == "extra_forbidden" or hint is not None
            problems.append(file.problem(path, sentence, key=at_key))
        problems.sort(key=lambda problem: (problem.location.line, problem.location.column))
        raise ConfigError(*map(str, problems)) from None


def _table_meant(path: KeyPath, value: object) -> str | None:
    """Explain a key that belongs in another table, or that is no table's name; else None."""
    *outer, key = path[2:] if path[:1] == ("profiles",) and path[2:] else path
    if isinstance(value, dict) and outer == [] and key == "transport":
        return f"the table is [transports.{next(iter(value), 'greenapi')}], with an s"
    if outer == [] and key in DeliverySettings.model_fields:
        return f"{key} belongs below [delivery]"
    if outer == [] and key in FileSettings.model_fields:
        return f"{key} belongs below [files]"
    if outer in (["delivery"], ["files"]) and key in Settings.model_fields:
        return f"{key} belongs above [{outer[0]}]"
    if isinstance(value, dict) and outer == [] and not _near(path):
        return f"unknown table; did you mean [transports.{key}]?"
    return None


def _near(path: KeyPath) -> bool:
    known = list(known_keys(path[:-1]))
    return path[-1] in known or closest_name(str(path[-1]), known) is not None
