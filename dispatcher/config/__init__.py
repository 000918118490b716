"""Loads dispatcher.toml, found upwards from the manifests, with a profile merged into it.

Environment variables and flags win over the file: those of the command line are read by the command
line, those of a transport (`GREENAPI_…`) or of another plugin by its `Settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher import git
from dispatcher.config.finding import FILE_NAME, find
from dispatcher.config.reading import read_file, settings_of
from dispatcher.config.schema import DeliverySettings, FileSettings, Settings, seconds
from dispatcher.errors import ConfigError
from dispatcher.models import located
from dispatcher.names import did_you_mean
from dispatcher.toml import KeyPath
from dispatcher.toml.file import TomlFile
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from dispatcher.transports import Transport

__all__ = [
    "FILE_NAME",
    "Config",
    "DeliverySettings",
    "FileSettings",
    "Settings",
    "absolute_journal",
    "load",
    "seconds",
    "shown",
    "shown_journal",
    "sqlite_url",
]

_SQLITE = "sqlite:///"


class Config:
    """The configuration of one run: `settings`, and the folder to which its paths are relative.

    `candidates` are where it was looked for: a change there may change it.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        profile: str | None = None,
        file: TomlFile | None = None,
        candidates: tuple[Path, ...] = (),
    ) -> None:
        self.settings = settings
        self.candidates = candidates
        self._folder = folder
        self.profile = profile
        self._file = file

    @property
    def manifests(self) -> Path:
        """Return the folder or file that counts when no PATH is given."""
        return shown(self._folder / self.settings.manifests)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return folders from which manifests may use files: the manifests', unless configured."""
        given = self.settings.files.roots
        roots = [self.settings.manifests] if given is None else given
        return tuple(self._folder / root for root in roots)

    @property
    def folder(self) -> Path:
        """Return the folder to which all paths are relative, as the user would write it."""
        return shown(self._folder)

    @property
    def file(self) -> Path | None:
        """Return the file itself, as the user would write it, or None."""
        return self._file.path if self._file else None

    @property
    def profiles(self) -> list[str]:
        """Return the names of the profiles that there are."""
        return list(self._file.data.get("profiles", ())) if self._file else []

    def is_of_same_project(self, other: Config) -> bool:
        """Whether two are the same file, or, without one, relative to the same folder."""
        return (self.file, self._folder) == (other.file, other._folder)

    @property
    def journal(self) -> str:
        """Return the journal's URL, its path absolute. Raises ConfigError.

        A profile has a journal of its own unless it names one: what was sent to a test gateway must
        not count as sent to people. All worktrees of a git repository use that of the main one:
        what one of them sent counts for all.
        """
        url = self.settings.journal or sqlite_url(self._usual_journal)
        return absolute_journal(url, self._folder_of_all_worktrees)

    def journal_near(self, folders: Iterable[Path]) -> str | None:
        """Return the URL of a journal at the default place in these folders or above, or None."""
        folders = (each for folder in folders for each in (folder, *folder.parents))
        files = (folder / self._usual_journal for folder in dict.fromkeys(folders))
        there = (file for file in files if file.is_file() and file.stat().st_size)
        return next(map(sqlite_url, there), None)

    @property
    def _usual_journal(self) -> Path:
        name = f"journal-{self.profile}.db" if self.profile else "journal.db"
        return Path(".dispatcher", name)

    def _folder_of_all_worktrees(self) -> Path:
        """Return the same folder in the main worktree, if it is in a git repository."""
        top = git.top_of(self._folder)
        return git.main_worktree(top) / self._folder.relative_to(top) if top else self._folder

    def transport_settings(self, transport: type[Transport], **overrides: Any) -> BaseSettings:
        """Read a transport's settings: overrides, environment, its table. Raises ConfigError."""
        from dispatcher.config.plugin_settings import read_settings

        table = self.settings.transports.get(transport.name, {})
        where = ("transports", transport.name)
        return read_settings(
            transport.Settings, where, table, overrides, self.folder, self._problem
        )

    def plugin_settings(self, name: str, kind: type[BaseSettings]) -> BaseSettings:
        """Read a plugin's settings: environment, `[plugins.<name>]`. Raises ConfigError."""
        from dispatcher.config.plugin_settings import read_settings

        table = self.settings.plugins.get(name, {})
        return read_settings(kind, ("plugins", name), table, {}, self.folder, self._problem)

    def check_plugins(self, installed: Mapping[str, bool]) -> None:
        """Raise ConfigError for tables `[plugins.<name>]` that no plugin reads.

        `installed` tells whether each plugin, by name, may have a table.
        """
        lost = [name for name in self.settings.plugins if not installed.get(name)]
        if lost:
            lines = [
                self._problem(("plugins", name), _unread(name, installed), True) for name in lost
            ]
            raise ConfigError(*lines)

    def check_transports(self, installed: Collection[str]) -> None:
        """Raise ConfigError for tables `[transports.<name>]` of transports that do not exist."""
        lost = [name for name in self.settings.transports if name not in installed]
        if lost:
            known = f"; installed: {', '.join(sorted(installed))}"
            lines = [
                self._problem(
                    ("transports", name),
                    f"no transport named {quoted(name)}{did_you_mean(name, installed) or known}",
                    True,
                )
                for name in lost
            ]
            raise ConfigError(*lines)

    def error(self, where: KeyPath, sentence: str) -> ConfigError:
        """Return the error for a value, with its place if it comes from a file."""
        return ConfigError(self._problem(where, sentence, False) if self._file else sentence)

    def _problem(self, where: KeyPath, sentence: str, key: bool) -> str:
        """Return what is wrong with a value (or its key) of the file, with its place."""
        assert self._file is not None, "without a file there are no values"
        paths = [("profiles", self.profile or "", *where), where]
        return str(located(self._file.path, sentence, *self._file.position(paths, key=key)))


def _unread(name: str, installed: Mapping[str, bool]) -> str:
    if name in installed:
        return f"the plugin {quoted(name)} has no settings"
    readers = sorted(each for each in installed if installed[each])
    hint = did_you_mean(name, readers) or ";"
    return f"no plugin named {quoted(name)}{hint} with settings: {', '.join(readers) or 'none'}"


def absolute_journal(url: str, folder: Callable[[], Path]) -> str:
    """Return a journal's URL whose path, if any, does not depend on the working directory.

    `folder` returns what it is relative to. The journal refuses what is no path of a file.
    """
    path = url.removeprefix(_SQLITE)
    if path == url or path.endswith("/") or not path.strip() or "\0" in path:
        return url
    try:
        given = Path(path).expanduser()
        return sqlite_url((given if given.is_absolute() else folder() / given).resolve())
    except RuntimeError:  # the home folder of no user
        return url


def sqlite_url(file: Path) -> str:
    """Return the URL of a journal that is this file."""
    return f"{_SQLITE}{file}"


def shown_journal(url: str) -> str:
    """Return a journal's URL for people: a file is a path, relative where that is shorter."""
    return str(shown(Path(url.removeprefix(_SQLITE)))) if url.startswith(_SQLITE) else url


def load(
    start: Path,
    *,
    profile: str | None = None,
    paths: Iterable[str | Path] = (),
    file: str | Path | None = None,
) -> Config:
    """Load the configuration for a working directory: see `find`. Raises ConfigError."""
    found = find(start, paths, file)
    if found.file is None:
        if profile is not None:
            raise ConfigError(f'no {FILE_NAME} here or above, so there is no profile "{profile}"')
        usual = Settings(manifests=found.manifests)
        return Config(usual, found.folder, candidates=found.candidates)
    read = read_file(shown(found.file))
    return Config(settings_of(read, profile), found.folder, profile, read, found.candidates)


def shown(path: Path) -> Path:
    """Return a path as the user would write it: relative if it is below the working directory."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, FileNotFoundError):  # not below it, or it was deleted
        return path
