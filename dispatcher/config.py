"""dispatcher.toml, found upwards from the working directory, with a profile laid over it.

Environment variables and flags win over the file: those of the command line are read by the command
line, those of a transport (`GREENAPI_…`) or of another plugin by its `Settings`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from dispatcher.errors import ConfigError, ManifestError
from dispatcher.models import Model
from dispatcher.toml import explain
from dispatcher.toml.explain import quoted
from dispatcher.toml.file import TOO_DEEP, TomlFile, located, read_toml, too_deep

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from dispatcher.hookspecs import Transport

FILE_NAME = "dispatcher.toml"

# A profile's name is a part of its journal's.
_PROFILE = r"\w[\w.-]*"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str | float) -> float:
    """A duration like "15m", "1h30m" or "0.5s" in seconds. Raises ValueError."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", str(text))
    if not parts or "".join(number + unit for number, unit in parts) != str(text):
        got = f", got {quoted(text)}" if isinstance(text, str) else ""
        raise ValueError(f'expected a duration like "90s", "15m" or "1h30m"{got}')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]


class Delivery(Model):
    """`[delivery]`: how a plan is carried out. `deadline`: seconds, all attempts together."""

    engine: str = "threads"
    workers: int = Field(default=8, ge=1, le=256)
    attempts: int = Field(default=5, ge=1, le=100)
    deadline: Seconds = 900.0


class Files(Model):
    """`[files]`: `roots` are folders, besides a manifest's own, from which it may use files."""

    roots: list[str] | None = None


class Settings(Model):
    """What dispatcher.toml may hold; the tables of transports and plugins are checked by them."""

    manifests: str = "manifests"
    journal: str | None = None
    transport: str = "greenapi"
    delivery: Delivery = Field(default_factory=Delivery.model_construct)
    files: Files = Field(default_factory=Files.model_construct)
    transports: dict[str, dict[str, Any]] = Field(default_factory=dict)
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)


class _File(Settings):
    profiles: dict[str, Settings] = Field(default_factory=dict)


class Config:
    """The configuration of one run: `settings`, and the folder to which its paths are relative."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        profile: str | None = None,
        file: TomlFile | None = None,
    ) -> None:
        self.settings = settings
        self._folder = folder
        self._profile = profile
        self._file = file

    @property
    def manifests(self) -> Path:
        """The folder or file that is meant when no PATH is given."""
        return _shown(self._folder / self.settings.manifests)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders from which every manifest may use files: the manifests', unless configured."""
        given = self.settings.files.roots
        roots = [self.settings.manifests] if given is None else given
        return tuple(self._folder / root for root in roots)

    @property
    def journal(self) -> str:
        """The journal's URL, its path absolute.

        A profile has a journal of its own unless it names one: what was sent to a test gateway must
        not count as sent to people.
        """
        name = f"journal-{self._profile}.db" if self._profile else "journal.db"
        url = self.settings.journal or f"sqlite:///.dispatcher/{name}"
        if not url.startswith("sqlite:///"):
            return url
        return f"sqlite:///{(self._folder / url.removeprefix('sqlite:///')).resolve()}"

    def transport_settings(self, transport: type[Transport], **overrides: Any) -> BaseSettings:
        """A transport's settings: overrides over environment over its table. Raises ConfigError."""
        from dispatcher.transport_settings import read

        table = self.settings.transports.get(transport.name, {})
        where = ("transports", transport.name)
        return read(transport.Settings, where, table, overrides, self._problem)

    def plugin_settings(self, name: str, kind: type[BaseSettings]) -> BaseSettings:
        """A plugin's settings: environment over table `[plugins.<name>]`. Raises ConfigError."""
        from dispatcher.transport_settings import read

        table = self.settings.plugins.get(name, {})
        return read(kind, ("plugins", name), table, {}, self._problem)

    def check_plugins(self, installed: Mapping[str, bool]) -> None:
        """Raise ConfigError for tables `[plugins.<name>]` that nobody reads.

        `installed`: the plugins' names, and whether each may have a table.
        """
        lost = [name for name in self.settings.plugins if not installed.get(name)]
        if lost:
            lines = [
                self._problem(("plugins", name), _unread(name, installed), True) for name in lost
            ]
            raise ConfigError("\n".join(lines))

    def check_transports(self, installed: Collection[str]) -> None:
        """Raise ConfigError for tables `[transports.<name>]` of transports that are not there."""
        lost = [name for name in self.settings.transports if name not in installed]
        if lost:
            text = "no transport named {}; installed: " + ", ".join(sorted(installed))
            lines = [
                self._problem(("transports", name), text.format(quoted(name)), True)
                for name in lost
            ]
            raise ConfigError("\n".join(lines))

    def sets_up(self, transport: str) -> bool:
        """Whether the file or the environment has anything for a transport."""
        prefix = f"{transport}_".upper()
        return transport in self.settings.transports or any(
            variable.upper().startswith(prefix) for variable in os.environ
        )

    def _problem(self, where: explain.Path, sentence: str, key: bool) -> str:
        """What is wrong with a value (or its key) of the file, at its place."""
        assert self._file is not None, "without a file there are no values"
        paths = [("profiles", self._profile or "", *where), where]
        return str(located(self._file.path, sentence, *self._file.position(paths, key=key)))


def load(start: Path, *, profile: str | None = None) -> Config:
    """The configuration for a working directory. Raises ConfigError."""
    candidates = (folder / FILE_NAME for folder in [start, *start.parents])
    # Also one that cannot be read: without its settings messages might go where they must not.
    path = next((path for path in candidates if os.path.lexists(path)), None)
    if path is None:
        if profile is not None:
            raise ConfigError(f'no {FILE_NAME} here or above, so there is no profile "{profile}"')
        return Config(Settings.model_construct(), start)
    file = _read(_shown(path))
    _check(file)
    return Config(_settings(file, profile), path.parent, profile, file)


def _read(path: Path) -> TomlFile:
    try:
        file = read_toml(path)
    except ManifestError as error:
        raise ConfigError(str(error)) from None
    if too_deep(file.data):
        raise ConfigError(str(file.problem((), TOO_DEEP)))
    secrets = [str(file.problem(where, _misplaced(where))) for where in _secrets(file.data)]
    if secrets:
        raise ConfigError("\n".join(secrets))
    return file


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


def _unread(name: str, installed: Mapping[str, bool]) -> str:
    if name in installed:
        return f"the plugin {quoted(name)} has no settings"
    readers = sorted(each for each in installed if installed[each])
    hint = explain.did_you_mean(name, readers) or ";"
    return f"no plugin named {quoted(name)}{hint} with settings: {', '.join(readers) or 'none'}"


def _settings(file: TomlFile, profile: str | None) -> Settings:
    data = {key: value for key, value in file.data.items() if key != "profiles"}
    if profile is not None:
        if not re.fullmatch(_PROFILE, profile):
            raise ConfigError(f'--profile "{profile}" may hold letters, digits and . _ - only')
        profiles = file.data.get("profiles", {})
        if profile not in profiles:
            hint = explain.did_you_mean(profile, profiles)
            raise ConfigError(f'{file.path} has no profile "{profile}"{hint}')
        data = _merged(data, profiles[profile])
    return Settings.model_validate(data)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merged(below, value) if both and below is not None else value
    return merged


def _check(file: TomlFile) -> None:
    try:
        _File.model_validate(file.data)
    except ValidationError as error:
        problems = []
        for finding in error.errors(include_url=False):
            path = explain.place(finding)
            sentence = explain.sentence(finding, _known_keys(path[:-1]))
            at_key = finding["type"] == "extra_forbidden"
            problems.append(file.problem(path, sentence, key=at_key))
        problems.sort(key=lambda problem: (problem.line, problem.column))
        raise ConfigError("\n".join(map(str, problems))) from None


def _known_keys(path: explain.Path) -> Iterable[str]:
    """The keys that a table may have; every profile is like the file itself."""
    tables: dict[explain.Path, type[Model]] = {
        (): Settings if path else _File,
        ("delivery",): Delivery,
        ("files",): Files,
    }
    inner = path[2:] if path[:1] == ("profiles",) else path
    return tables[inner].model_fields if inner in tables else ()


def _shown(path: Path) -> Path:
    """A path as the user would write it: relative to the working directory where it is below it."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
