"""dispatcher.toml → `Settings`: read, checked, a profile laid over it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dispatcher.config.schema import File, Settings, known_keys
from dispatcher.errors import ConfigError, ManifestError
from dispatcher.ownership import objection
from dispatcher.toml import explain
from dispatcher.toml.file import TOO_DEEP, TomlFile, read_toml, too_deep

_MOST_PROBLEMS = 1000  # that are told; nobody reads more
# A profile's name is a part of its journal's.
_PROFILE = r"\w[\w.-]*"


def read_file(path: Path) -> TomlFile:
    """The file, its shape checked. Raises ConfigError, with all that is wrong."""
    file = _read(path)
    _check(file)
    return file


def settings_of(file: TomlFile, profile: str | None) -> Settings:
    """What it says, for a profile. Raises ConfigError if there is no such profile."""
    data = {key: value for key, value in file.data.items() if key != "profiles"}
    if profile is not None:
        if not re.fullmatch(_PROFILE, profile):
            raise ConfigError(f'--profile "{profile}" may hold letters, digits and . _ - only')
        profiles = file.data.get("profiles", {})
        if profile not in profiles:
            hint = explain.did_you_mean(profile, profiles)
            raise ConfigError(f'{file.path} has no profile "{profile}"{hint}')
        # What was sent to a test gateway must not count as sent to people.
        data = _merged({**data, "journal": None}, profiles[profile])
    return Settings.model_validate(data)


def _read(path: Path) -> TomlFile:
    try:
        if path.is_symlink():
            _require_trusted(path, path.lstat())
        file = read_toml(path, lambda opened: _require_trusted(path, opened))
    except ManifestError as error:
        raise ConfigError(str(error)) from None
    if too_deep(file.data):
        raise ConfigError(str(file.problem((), TOO_DEEP)))
    secrets = [str(file.problem(where, _misplaced(where))) for where in _secrets(file.data)]
    if secrets:
        raise ConfigError("\n".join(secrets))
    return file


def _require_trusted(path: Path, info: os.stat_result) -> None:
    """Raise ConfigError for a file that somebody else may have written."""
    sentence = objection(path, info)
    if sentence is not None:
        raise ConfigError(sentence)


def _misplaced(where: explain.Path) -> str:
    """What to say of a token at a path; its transport, if it is in the table of one, names it."""
    tables = dict(pairwise(where))
    variable = f"{tables.get('transports', 'greenapi')}_TOKEN".upper().replace("-", "_")
    return (
        "a token has no place in a shared file; set it in the environment: "
        f"{variable} or {variable}_FILE"
    )


def _secrets(data: Any, path: explain.Path = ()) -> Iterator[explain.Path]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if explain.is_secret(str(key)) and not isinstance(value, dict):
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
        File.model_validate(file.data)
    except ValidationError as error:
        problems = []
        for finding in error.errors(include_url=False)[:_MOST_PROBLEMS]:
            path = explain.place(finding)
            sentence = explain.sentence(finding, known_keys(path[:-1]))
            at_key = finding["type"] == "extra_forbidden"
            problems.append(file.problem(path, sentence, key=at_key))
        problems.sort(key=lambda problem: (problem.line, problem.column))
        raise ConfigError("\n".join(map(str, problems))) from None
