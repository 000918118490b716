"""What a change to the manifests changes for recipients: a commit and the working tree, compared.

Both are planned as they would be sent, with the plugins of today, and each with its own
dispatcher.toml. Nothing is sent or written, and the journal is not asked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dispatcher.config import FILE_NAME, Config, shown
from dispatcher.diff.changes import Change, Diff, Difference, File, Finding, Group
from dispatcher.diff.comparison import changes
from dispatcher.diff.side import Side
from dispatcher.errors import ConfigError
from dispatcher.git_revisions import Repository, Revision
from dispatcher.git_snapshot import Snapshot
from dispatcher.models import LocatedProblem

if TYPE_CHECKING:
    from dispatcher.api import Dispatcher

__all__ = ["Change", "Diff", "Difference", "File", "Finding", "Group", "compare"]


def compare(dispatcher: Dispatcher, rev: str | None, paths: Sequence[Path] = ()) -> Diff:
    """Return what has changed since a commit: see `Dispatcher.diff`. `paths` are absolute."""
    repository = Repository(dispatcher.config.folder.absolute())
    revision = repository.revision(rev)
    at = datetime.now(UTC)
    now = Side(dispatcher.planner(paths, at=at), dispatcher.registry)
    try:
        temporary = tempfile.TemporaryDirectory(prefix="dispatcher-diff-")
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"no folder for the commit: {why}; TMPDIR can name another") from None
    with temporary as folder:
        past = _Past(dispatcher, repository, revision, Path(folder))
        before = past.side(paths, at)
        found = changes(before, now)
        return Diff(
            revision=revision,
            changes=tuple(found),
            messages=len(now.messages),
            problems=tuple(now.problems),
            problems_before=tuple(past.told(each) for each in before.problems if each.is_error),
            notes=tuple(past.notes),
        )


class _Past:
    """The project as of a commit, in a folder of its own. `notes` are what is to be said of it."""

    def __init__(
        self, dispatcher: Dispatcher, repository: Repository, revision: Revision, folder: Path
    ) -> None:
        self._repository, self._revision = repository, revision
        self._snapshot = Snapshot(repository, revision, folder)
        self._notes: list[str] = []
        file = self._configuration(dispatcher.config)
        try:
            self._dispatcher = _opened(dispatcher, file)
        except ConfigError as error:
            self._notes += [self._in_words(each) for each in error.sentences]
            self._notes.append(
                f"so the manifests of {revision.short} are planned with the configuration of today"
            )
            self._snapshot.put(file, _text(dispatcher.config))
            self._dispatcher = dispatcher.reopened(file)
        if self._dispatcher.config.settings.journal != dispatcher.config.settings.journal:
            self._notes.append(
                "it had another journal: unless that was moved to the one of today, what was sent "
                "is not known there, and is sent again"
            )

    @property
    def notes(self) -> list[str]:
        """What could not be compared as it was."""
        return [*self._snapshot.notes, *self._notes]

    def _configuration(self, config: Config) -> Path:
        """Copy the configuration, and what is below its folder; return its path in the copy.

        Without one, it is an empty one: the defaults.
        """
        name = config.file.name if config.file else FILE_NAME
        folder = here = self._repository.prefix
        for each in (here, *here.parents):
            if self._repository.has(self._revision, each / name):
                folder = each
                break
        self._snapshot.add(folder)
        file = self._snapshot.folder / folder / name
        if not file.exists():
            self._snapshot.put(file, "")
            if config.file is not None:
                self._notes.append(f"{self._revision.short} has no {name}: the defaults count")
        return file

    def side(self, paths: Iterable[Path], at: datetime) -> Side:
        """Return the messages of these paths, which are those of the working tree."""
        config = self._dispatcher.config
        wanted = [self._copied(path) for path in paths] or [config.manifests.absolute()]
        for each in (*wanted, *config.roots):
            self._add(each)
        there = [each for each in wanted if each.exists()]
        if not there:
            missing = ", ".join(os.path.relpath(each, self._snapshot.folder) for each in wanted)
            self._notes.append(f"nothing is at {missing}, so all messages are new")
        planner = self._dispatcher.planner(there, at=at) if there else None
        return Side(planner, self._dispatcher.registry)

    def _copied(self, path: Path) -> Path:
        """Return where a path of the working tree is in the copy. Raises ConfigError."""
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self._repository.top):
            raise ConfigError(f"{path} is not in the git repository {self._repository.top}")
        return self._snapshot.folder / real.relative_to(self._repository.top)

    def _add(self, path: Path) -> None:
        """Copy what a configuration names outside of its own folder."""
        copied = Path(os.path.normpath(path))
        if copied.is_relative_to(self._snapshot.folder):
            self._snapshot.add(PurePosixPath(copied.relative_to(self._snapshot.folder)))
        else:
            self._notes.append(
                f"{path} is outside of the repository: its files of today count at both sides"
            )

    def told(self, problem: LocatedProblem) -> LocatedProblem:
        """Return a problem of the commit's files, which stops nothing, with their names in git."""
        location = problem.location
        place = {
            "path": self._in_words(location.path),
            "row": location.row and self._in_words(location.row),
        }
        update = {
            "severity": "warning",
            "message": self._in_words(problem.message),
            "location": location.model_copy(update=place),
        }
        return problem.model_copy(update=update)

    def _in_words(self, text: str) -> str:
        """Return a text with the commit's name in place of the copy's folder: `1a2b3c4:m.toml`."""
        folder = self._snapshot.folder
        for written in (folder, shown(folder)):  # as it is, or as the user would write it
            text = text.replace(f"{written}/", f"{self._revision.short}:")
        return text


def _opened(dispatcher: Dispatcher, file: Path) -> Dispatcher:
    """Return the dispatcher of another configuration. Raises ConfigError, also for what it says of
    transports, which is read when they are needed."""
    opened = dispatcher.reopened(file)
    configured = opened.registry.transports().keys() & opened.config.settings.transports
    for name in {opened.transports.default, *configured}:
        opened.transports.get(name)
    return opened


def _text(config: Config) -> str:
    return config.file.read_text(encoding="utf-8") if config.file else ""
