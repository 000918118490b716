"""The files of a commit, copied into a folder of their own.

Nothing of git but its objects is used: no worktree, no hooks, no filters, no `export-ignore`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from dispatcher.errors import ConfigError
from dispatcher.git_command import GitError, conversation, git
from dispatcher.git_revisions import Repository, Revision
from dispatcher.inputs import open_regular
from dispatcher.localfiles import reason
from dispatcher.media import lfs_oid
from dispatcher.visible import printable

_LINK, _SUBMODULE = "120000", "160000"
_CHUNK = 1 << 20
_NO_NAMES = frozenset({"", ".", "..", ".git"})


class _Entry(NamedTuple):
    """A file, link or submodule of a commit."""

    mode: str
    id: str
    path: str


class Snapshot:
    """A commit's files below `folder`; `notes` say what is not as it was in the commit."""

    def __init__(self, repository: Repository, revision: Revision, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.notes: list[str] = []
        self._repository, self._revision = repository, revision
        self._copied: list[PurePosixPath] = []
        self._names: set[str] = set()
        self._links: list[str] = []

    def add(self, path: PurePosixPath) -> None:
        """Copy what the commit has at a path from the top, and what its links lead to.

        No link leads out of the copy afterwards. Raises ConfigError.
        """
        with self._writing():
            self._copy(path)
            while self._follow() or self._remove():
                pass

    def put(self, path: Path, text: str) -> None:
        """Write a file of another origin into the copy, in place of what is there.

        Raises ConfigError.
        """
        with self._writing():
            folder = Path(os.path.realpath(path.parent))
            if not folder.is_relative_to(self.folder):
                raise OSError("a link leads out of it")
            folder.mkdir(parents=True, exist_ok=True)
            new = folder / path.name
            if new.is_dir() and not new.is_symlink():
                shutil.rmtree(new)
            new.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(os.open(new, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(text)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            short, why = self._revision.short, reason(error)
            raise ConfigError(f"cannot copy {short} to {self.folder}: {why}") from None

    def _copy(self, path: PurePosixPath) -> bool:
        """Copy what is at a path and is not there yet; return whether there was anything."""
        if any(path.is_relative_to(known) for known in self._copied):
            return False
        self._copied.append(path)
        entries = list(self._entries(path))
        self._write([each for each in entries if each.mode not in (_LINK, _SUBMODULE)])
        # Last, so that no file is written through one.
        self._link([each for each in entries if each.mode == _LINK])
        self.notes += [
            f"{printable(each.path)} is a submodule: what was in it is not compared"
            for each in entries
            if each.mode == _SUBMODULE
        ]
        return bool(entries)

    def _entries(self, path: PurePosixPath) -> Iterator[_Entry]:
        listed = self._asked("ls-tree", "-r", "-z", "--full-tree", self._revision.commit, path)
        for line in filter(None, listed.split("\0")):
            facts, _, name = line.partition("\t")
            if name in self._names:  # copied with a folder below this one
                continue
            self._names.add(name)
            mode, _, id = facts.split(" ")
            if _NO_NAMES.isdisjoint(name.lower().split("/")):
                yield _Entry(mode, id, name)
            else:
                self.notes.append(f"{printable(name)} is left out: no file may have this name")

    def _asked(self, *question: str | PurePosixPath) -> str:
        *words, path = map(str, question)
        try:
            return git(self._repository.top, "--literal-pathspecs", *words, "--", path)
        except GitError as error:
            raise ConfigError(f"git cannot read {self._revision.short}: {error}") from None

    def _write(self, entries: list[_Entry]) -> None:
        for entry, chunks in self._contents(entries):
            first = next(chunks, b"")
            oid = lfs_oid(first)
            with self._created(entry) as copy:
                if oid is None or not self._write_stored(entry, oid, copy):
                    copy.writelines(chain((first,), chunks))
                    if oid is not None:
                        self.notes.append(
                            f"{printable(entry.path)} is in Git LFS, and what it was is not here"
                        )

    def _write_stored(self, entry: _Entry, oid: str, copy: IO[bytes]) -> bool:
        """Write a file of Git LFS, if it is in the working tree or was fetched; else False."""
        stored = self._repository.folder / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        for path in (self._repository.top / entry.path, stored):
            with suppress(OSError), open_regular(path, follow=False) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == oid:
                    file.seek(0)
                    shutil.copyfileobj(file, copy)
                    return True
        return False

    def _created(self, entry: _Entry) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        return open(os.open(self._place(entry.path), flags, 0o600), "wb")

    def _place(self, name: str) -> Path:
        """Return where something is to be written: in a folder to which no link leads."""
        path = self.folder / name
        if os.path.realpath(path.parent) != str(path.parent):
            raise OSError("a link is where a folder should be")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _link(self, entries: list[_Entry]) -> None:
        for entry, chunks in self._contents(entries):
            target = os.fsdecode(b"".join(chunks))
            path = self._place(entry.path)
            if not target or "\0" in target or os.path.isabs(target):
                self._leave_out(entry.path)
            elif not os.path.lexists(path):  # as the folder of a configuration that was put there
                path.symlink_to(target)
                self._links.append(entry.path)

    def _follow(self) -> bool:
        """Copy what the links lead to; return whether that was anything new."""
        targets = [self._target(each) for each in self._links]
        copied = [self._copy(each) for each in targets if each is not None]
        return any(copied)

    def _remove(self) -> bool:
        """Remove the links that lead out of the copy: what is there is not the commit's.

        Return whether there were any, as others may have led through them.
        """
        out = {each: None for each in self._links if self._target(each) is None}
        for name in out:
            (self.folder / name).unlink(missing_ok=True)
            self._leave_out(name)
        self._links = [each for each in self._links if each not in out]
        return bool(out)

    def _leave_out(self, link: str) -> None:
        self.notes.append(
            f"{printable(link)} is a link that leads out of the repository: what it led to is "
            "not compared"
        )

    def _target(self, link: str) -> PurePosixPath | None:
        """Return the path from the top to which a link leads, or None if that is not in the copy.

        Where `folder/..` is can only be said of a folder that is there: it may become a link.
        """
        path = self.folder / link
        if not path.is_symlink():  # a file was put in its place
            return PurePosixPath(link)
        parts = Path(os.readlink(path)).parts
        ups = (index for index, part in enumerate(parts) if part == "..")
        if not all(os.path.isdir(path.parent.joinpath(*parts[:each])) for each in ups):
            return None
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self.folder):
            return None
        return PurePosixPath(real.relative_to(self.folder))

    def _contents(self, entries: list[_Entry]) -> Iterator[tuple[_Entry, Iterator[bytes]]]:
        """Yield the content of each of these, to be read at once."""
        if not entries:
            return
        with conversation(self._repository.top, "cat-file", "--batch") as (questions, answers):
            for entry in entries:
                questions.write(f"{entry.id}\n".encode())
                questions.flush()
                head = answers.readline().split()
                if len(head) != 3:
                    raise ConfigError(
                        f"{entry.path} as of {self._revision.short} is not in this clone, which "
                        "has only a part of the files; git fetch --refetch --no-filter gets them"
                    )
                chunks = _pieces(answers, int(head[2]))
                yield entry, chunks
                for _ in chunks:  # whatever was not wanted
                    pass
                answers.read(1)


def _pieces(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0:
        chunk = stream.read(min(size, _CHUNK))
        if not chunk:
            raise OSError("git ended before the whole file was there")
        size -= len(chunk)
        yield chunk
