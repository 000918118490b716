"""Locks a journal for one sending run; the system releases the lock when its holder dies.

The lock's file stays, and says how many changes the journal had at the end. If there are fewer,
part of the journal is lost, whatever its own files say.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.errors import JournalError, JournalLocked

_POLL_SECONDS = 0.1
_LONGEST = 1000  # bytes


class Lock:
    """The lock that this run holds."""

    def __init__(self, descriptor: int, run: str) -> None:
        self._descriptor = descriptor
        self._changes = _changes(os.pread(descriptor, _LONGEST, 0))
        self._holder = {
            "run": run,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._write(self._holder)

    def note(self, changes: int) -> None:
        """Write how many changes the journal has now; unlike the journal, this need not survive a
        crash of the system."""
        self._changes = changes
        with suppress(OSError):  # a number that is too small does no harm
            self._write(self._holder)

    def release(self) -> None:
        """Clear the holder, as the run has ended."""
        with suppress(OSError):
            self._write({})

    def _write(self, holder: dict[str, object]) -> None:
        content = json.dumps({**holder, "changes": self._changes}).encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


def noted_changes(journal: Path) -> int:
    """Return how many changes a journal had when they were last counted; 0 if unknown."""
    try:
        with journal.with_name(f"{journal.name}.lock").open("rb") as file:
            return _changes(file.read(_LONGEST))
    except OSError:
        return 0


@contextmanager
def locked(journal: Path, run: str, wait: float = 0.0, mode: int = 0o600) -> Iterator[Lock]:
    """Hold the lock beside a journal; its file is made with `mode` if it is missing.

    Raises JournalLocked, which names the holder, after `wait` seconds.
    """
    path, deadline = journal.with_name(f"{journal.name}.lock"), time.monotonic() + wait
    while True:
        with _opened(path, mode) as descriptor:
            _acquire(descriptor, deadline)
            if _is_at(path, os.fstat(descriptor)):
                with _lock_errors(path):
                    lock = Lock(descriptor, run)
                yield lock
                lock.release()
                return


@contextmanager
def _opened(path: Path, mode: int) -> Iterator[int]:
    with _lock_errors(path):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(descriptor, mode)
        except FileExistsError:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _lock_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(f"cannot write the journal's lock {path}: {error.strerror}") from None


def _acquire(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise JournalLocked(_sentence(os.pread(descriptor, _LONGEST, 0))) from None
            time.sleep(_POLL_SECONDS)


def _is_at(path: Path, opened: os.stat_result) -> bool:
    """Whether an open file is still the one at its path: the folder may have been replaced."""
    try:
        return os.path.samestat(os.stat(path), opened)
    except OSError:
        return False


def _changes(content: bytes) -> int:
    try:
        noted = json.loads(content)["changes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return noted if isinstance(noted, int) else 0


def _sentence(content: bytes) -> str:
    try:
        holder = json.loads(content)
        who = 'run "{run}" on {host}, process {pid}, since {started}'.format(**holder)
    except (ValueError, KeyError, TypeError):
        who = "another run"
    return f"the journal is in use by {who}; wait for it with --wait 10m"
