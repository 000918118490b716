"""One sending run a journal: a lock that the system releases when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.errors import JournalError, JournalLocked

_POLL_SECONDS = 0.1


@contextmanager
def locked(journal: Path, run: str, patience: float = 0.0, mode: int = 0o600) -> Iterator[None]:
    """Hold the lock beside a journal, made with this mode if it is not there.

    JournalLocked names its holder, after `patience` seconds.
    """
    path, deadline = journal.with_name(f"{journal.name}.lock"), time.monotonic() + patience
    while True:
        with _opened(path, mode) as descriptor:
            _acquire(descriptor, deadline)
            if lies_at(path, os.fstat(descriptor)):
                with _blamed(path):
                    _write_holder(descriptor, run)
                yield
                os.ftruncate(descriptor, 0)
                return


@contextmanager
def _opened(path: Path, mode: int) -> Iterator[int]:
    with _blamed(path):
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
def _blamed(path: Path) -> Iterator[None]:
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
                raise JournalLocked(_sentence(os.pread(descriptor, 1000, 0))) from None
            time.sleep(_POLL_SECONDS)


def lies_at(path: Path, opened: os.stat_result) -> bool:
    """Whether an open file is still what others find there: its folder may have been made anew."""
    try:
        return os.path.samestat(os.stat(path), opened)
    except OSError:
        return False


def _write_holder(descriptor: int, run: str) -> None:
    holder = {
        "run": run,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _sentence(content: bytes) -> str:
    try:
        holder = json.loads(content)
        who = 'run "{run}" on {host}, process {pid}, since {started}'.format(**holder)
    except (ValueError, KeyError, TypeError):
        who = "another run"
    return f"the journal is in use by {who}; wait for it with --wait 10m"
