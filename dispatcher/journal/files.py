"""Checks whether the files of a journal in SQLite, and their folder, can be trusted.

They are several files of one name, complete only together. What a run writes is in the write-ahead
log first. While a run is active, the database itself says so (a row in `workers`, see
`SqliteBackend.run_began`): if it says that and has no log beside it, something is missing.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import struct
from contextlib import closing, suppress
from pathlib import Path

from dispatcher.errors import JournalError

_MOUNTS = Path("/proc/self/mountinfo")
_FILE_SYSTEMS = Path("/proc/self/mounts")
# The write-ahead log needs memory shared by all processes that use the file, so one machine.
_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs"}
# SQLite's "WAL-mode File Format", 2.1 and 2.2: in the index, `szPage` and `mxFrame`.
_INDEX_HEADER = struct.Struct("=14xHI")
_FRAME_HEADER = 24  # bytes before each page in the log
_LOG_HEADER = 32  # bytes; a shorter log has nothing in it
_WRITE_AHEAD = b"\2\2"  # bytes 18 and 19 of a database that has a write-ahead log


class JournalFiles:
    """The database, its write-ahead log, the index of that, and the lock."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.log, self.index, self.lock = (
            database.with_name(database.name + suffix) for suffix in ("-wal", "-shm", ".lock")
        )
        self.rollback = database.with_name(f"{database.name}-journal")
        self.all = (self.database, self.log, self.index, self.lock)
        self._opened: dict[Path, os.stat_result] = {}
        self._index_file: int | None = None
        self.truncated = False

    def require_writable(self) -> None:
        """Raise JournalError if a file of the journal, or its folder, is read-only."""
        for path in (self.database.parent, *self.all):
            if path.exists() and not os.access(path, os.W_OK):
                why = f"{path} is read-only for this user"
                raise JournalError(f"cannot write to the journal {self.database}: {why}")

    def has_log(self) -> bool:
        """Whether there is a log that is not empty."""
        try:
            return self.log.stat().st_size >= _LOG_HEADER
        except OSError:
            return False

    def alias(self) -> str | None:
        """Return why one of the files may be in use under a name that the others lack, or None."""
        for path in self.all:
            if _links(path) > 1:
                return (
                    f"{path} has a second name (a hard link), with which it would be two journals; "
                    "remove the other name; a symbolic link is no harm"
                )
            if str(path) in _mount_points():
                return (
                    f"{path} is mounted alone, and what belongs to it stays elsewhere; "
                    f"mount its folder, {path.parent}, instead"
                )
        return None

    def missing_log(self) -> str | None:
        """Return what is missing because a run's log is gone, or None."""
        if self.has_log():
            return None
        if not self.database.exists() or not self.database.stat().st_size:
            return None
        writer = _unfinished(self.database)
        # A run may just have begun or ended: it has a log while the database says it is active.
        if writer is None or self.has_log() or _unfinished(self.database) != writer:
            return None
        run, host, pid, started = writer
        return (
            f"its {self.log.name} is missing, and with it what the last run wrote last "
            f'("{run}", process {pid} on {host}, since {started[:19]} UTC)'
        )

    def roll_back(self) -> None:
        """Undo what a process was changing in the database itself when it was killed.

        So SQLite begins to use a write-ahead log, in a new file or in a copy. No reader may undo
        it, nor can read the file before.
        """
        if self.rollback.exists():
            uri = f"{self.database.as_uri()}?mode=rw"
            with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as connection:
                connection.execute("PRAGMA user_version").fetchone()

    def require_database(self) -> None:
        """Raise JournalError if there is a log whose database is gone."""
        try:
            there = self.database.stat().st_size > 0
        except FileNotFoundError:
            there = False
        if not there and self.has_log():
            raise JournalError(
                f"the journal {self.database} is missing, but its {self.log.name} is there; put "
                "the journal back beside it, or move that away to begin with nothing known"
            )

    def foreign_log(self) -> str | None:
        """Return the log's name if it belongs to another database, for example one that was
        replaced by a copy; else None.

        SQLite would mix the two. Never call it while this process has the journal open: closing the
        file here would release SQLite's own locks.
        """
        try:
            foreign = self.has_log() and not _has_log_of_its_own(self.database)
        except OSError:
            return None
        return self.log.name if foreign else None

    def remember(self) -> None:
        """Remember which files are open, for `replaced`."""
        self._opened = {path: path.stat() for path in self.all if path.exists()}
        # It stays open as long as the journal: closing it would release SQLite's own locks.
        with suppress(OSError):
            self._index_file = os.open(self.index, os.O_RDONLY)

    def forget(self) -> None:
        """Close what `remember` opened."""
        if self._index_file is not None:
            os.close(self._index_file)
            self._index_file = None

    def replaced(self) -> str | None:
        """Return why another process would not find the files open here as they are, or None."""
        for path, opened in self._opened.items():
            try:
                found = os.stat(path)
            except OSError:
                return f"{path} was moved or deleted while it was in use"
            if not os.path.samestat(found, opened):
                return f"{path} was moved or deleted while it was in use"
            if found.st_nlink > 1:
                return f"{path} was given a second name (a hard link) while it was in use"
        self.truncated = self.truncated or self._is_truncated()
        return f"{self.log} was cut off while it was in use" if self.truncated else None

    def _is_truncated(self) -> bool:
        """Whether the log has fewer frames than SQLite's index says."""
        if self._index_file is None:
            return False
        index = os.pread(self._index_file, _INDEX_HEADER.size, 0)
        if len(index) < _INDEX_HEADER.size:
            return False
        page, frames = _INDEX_HEADER.unpack(index)
        needed = _LOG_HEADER + frames * (_FRAME_HEADER + (page if page > 1 else 65_536))
        if not frames or self.log.stat().st_size >= needed:
            return False
        # A checkpoint changes the index before it empties the log.
        return os.pread(self._index_file, _INDEX_HEADER.size, 0) == index


def _links(path: Path) -> int:
    try:
        info = path.stat()
        return info.st_nlink if stat.S_ISREG(info.st_mode) else 0  # a folder has several
    except OSError:
        return 0


def _mount_points() -> set[str]:
    """Return the mount points; none if the system does not list them, as on macOS, which cannot
    mount single files."""
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return set()
    return {_unescaped(line.split(" ")[4]) for line in lines}


def _unescaped(point: str) -> str:
    """Decode a path from Linux's lists of mounts."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)


def _has_log_of_its_own(database: Path) -> bool:
    with database.open("rb") as file:
        return file.read(20)[18:] == _WRITE_AHEAD


def _unfinished(database: Path) -> tuple[str, str, int, str] | None:
    """Return the run that is active or did not end, according to the database without its log."""
    try:
        if not _has_log_of_its_own(database):
            return None  # a copy or a dump, which has what the log had
        uri = f"{database.as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            query = "SELECT run, host, pid, started_at FROM workers"
            found: tuple[str, str, int, str] | None = connection.execute(query).fetchone()
            return found
    except (OSError, sqlite3.Error):
        return None  # whoever opens it says what is wrong


def permissions(path: Path) -> int:
    """Return the mode of a journal's files: an existing database's, or else a private one, as they
    hold phone numbers."""
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o666
    except OSError:
        return 0o600


def make_private(path: Path) -> None:
    """Make an empty database that only its owner may read; SQLite gives the others its mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise JournalError(f"cannot make the journal {path}: {error.strerror}") from None


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may read. Raises JournalError."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in missing:
            sync_folder(each.parent)
        ignore = folder / ".gitignore"
        if folder.name == ".dispatcher" and not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise JournalError(
            f"cannot write to the journal's folder {folder}: {error.strerror}"
        ) from None


def sync_folder(folder: Path) -> None:
    """Sync a folder to disk, so that its names are there: SQLite syncs only its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_local(folder: Path) -> None:
    """Raise JournalError if a folder is on a network drive."""
    kind = file_system(folder)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise JournalError(
            f"the journal's folder {folder} lies on a network ({kind}), where SQLite can lose what "
            "was sent; name a local one, or a PostgreSQL database: --journal postgresql://…"
        )


def file_system(folder: Path) -> str | None:
    """Return the kind of file system that holds a folder, or None if the system does not tell."""
    try:
        lines = _FILE_SYSTEMS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = os.path.realpath(folder)
    holding: dict[int, str] = {}
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = _unescaped(point)
        if os.path.commonpath([real, point]) == point:
            holding[len(point)] = kind  # of two at one mount point, the later covers the other
    return holding[max(holding)] if holding else None
