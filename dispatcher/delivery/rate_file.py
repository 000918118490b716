"""Keeps the rate limiter's state in a file that all runs on this machine share."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from dispatcher.delivery.rate_limiter import SharedRateLimiter
from dispatcher.errors import ConfigError
from dispatcher.journal.shared_state import RateChange, RateState, SharedState
from dispatcher.state_folder import state_file


class RateFile:
    """A `RateStore` for journals that one machine uses; `clock` returns seconds since 1970."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._path = path
        with self._blamed():
            self._connection = _opened(path, clock())

    def change(self, keys: Sequence[str], decide: Callable[[RateState], RateChange]) -> RateChange:
        """See `SharedState.change`."""
        with self._lock, self._blamed():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                change = decide(self._state(keys))
                self._write(change)
            finally:
                self._connection.execute("COMMIT")
            return change

    def read(self, keys: Sequence[str]) -> RateState:
        """See `SharedState.read`."""
        with self._lock, self._blamed():
            return self._state(keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _state(self, keys: Sequence[str]) -> RateState:
        states, pauses = dict[str, int](), dict[str, tuple[int, int]]()
        for key in keys:
            for (state,) in self._rows("SELECT state FROM turns WHERE key = ?", key):
                states[key] = state
            for since, until in self._rows("SELECT since, until FROM pauses WHERE key = ?", key):
                pauses[key] = since, until
        return RateState(round(self._clock() * 1000), states, pauses)

    def _rows(self, query: str, key: str) -> sqlite3.Cursor:
        return self._connection.execute(query, [key])

    def _write(self, change: RateChange) -> None:
        self._connection.executemany("REPLACE INTO turns VALUES (?, ?)", change.states.items())
        for key, (since, until) in change.pauses.items():
            self._connection.execute("REPLACE INTO pauses VALUES (?, ?, ?)", [key, since, until])

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"cannot keep the state of the rate limiter in {self._path}: {error}; "
                "if it is damaged, delete it"
            ) from None


@contextmanager
def shared_rate_limiter(shared: SharedState | None) -> Iterator[SharedRateLimiter]:
    """Open the limits of all runs on a shared journal, or else of all runs on this machine."""
    if shared is not None:
        yield SharedRateLimiter(shared)
        return
    with RateFile(default_path()) as file:
        yield SharedRateLimiter(file)


def default_path() -> Path:
    """Return the path where this user's runs share the limiter's state. Raises ConfigError."""
    try:
        return state_file("pace.db")  # the file of earlier versions, whose pauses still count
    except ConfigError as error:
        raise ConfigError(f"cannot keep the state of the rate limiter: {error}") from None


def _opened(path: Path, now: float) -> sqlite3.Connection:
    """Open the file, or begin it anew if it is damaged, as by a power cut: it is no journal."""
    try:
        return _readied(path, now)
    except sqlite3.OperationalError:
        raise  # it may be sound: the disk is full, or another run holds it
    except sqlite3.DatabaseError:
        for each in (path, path.with_name(f"{path.name}-journal")):
            each.unlink(missing_ok=True)
        return _readied(path, now)


def _readied(path: Path, now: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        # Nothing is kept to undo a change: that would take most of the time of a permit.
        connection.execute("PRAGMA journal_mode=MEMORY")
        table = "turns (key TEXT PRIMARY KEY, state INTEGER) WITHOUT ROWID"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        connection.execute("DELETE FROM turns WHERE state < ?", [int(now * 1e6)])
        table = "pauses (key TEXT PRIMARY KEY, since INTEGER, until INTEGER) WITHOUT ROWID"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        connection.execute("DELETE FROM pauses WHERE until < ?", [int(now * 1000)])
        # Little is left, so this is fast; damage might otherwise show only when a message leaves.
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except BaseException:
        connection.close()
        raise
    return connection
