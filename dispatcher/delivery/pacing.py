"""When a message may leave: no faster than the account and its recipient allow.

The rates are those of pyrate-limiter's GCRA, a bucket that refills steadily. Its state is one
number for each account and each recipient, kept in a file for all runs on this machine.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Self

from pyrate_limiter import GCRA, Rate

from dispatcher.delivery.retries import LONGEST_PAUSE
from dispatcher.delivery.uploads import account
from dispatcher.errors import ConfigError
from dispatcher.hookspecs import Transport
from dispatcher.ownership import objection_at
from dispatcher.rates import number_per_seconds

# Seconds for which a thread may sleep until its turn, which then is taken.
SHORT = 5.0

# Of what the rate allows in a second, this much may leave at once.
_BURST = 0.1
# Seconds for which turns may be held before they are used; far less than the burst allows.
_HOLD = 0.01
# Where no rate is set, there is still an account that can be told to pause.
_UNLIMITED = Rate(1000, 1, burst=1000)
_gcra = GCRA()


@cache
def parsed(rate: str | None) -> Rate:
    """A rate like "50/s", "10/min", "0.5/s", "1000/d". Raises ConfigError."""
    if rate is None:
        return _UNLIMITED
    try:
        number, seconds = number_per_seconds(rate)
    except ValueError as error:
        raise ConfigError(f'"{rate}" is not a rate: it {error}') from None
    burst = max(1, round(_BURST * number / seconds))
    return Rate(round(number * 1000), seconds * 1_000_000, burst=burst)


class Turns:
    """The numbers, in a file that all runs on this machine share; `clock`: seconds since 1970."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._path = path
        with self._blamed():
            self._connection = _opened(path, clock())

    def take(self, rates: Mapping[str, Rate], within: float, count: int = 1) -> float:
        """Seconds until it is the turn at every key; taken, unless further away than `within`.

        `count`: so many turns at once.
        """
        with self._changing() as connection:
            now = round(self._clock() * 1000)
            ends = [_pause(connection, key, now) for key in rates]
            states = {k: _state(connection, k, max(now, *ends), r) for k, r in rates.items()}
            steps = {key: _step(rates[key], states[key], now, count) for key in rates}
            wait = max(wait for wait, _ in steps.values())
            if 0 < wait <= within * 1000:
                steps = {key: _step(rates[key], states[key], now + wait, count) for key in rates}
            if wait <= within * 1000:
                taken = [(key, after) for key, (_, after) in steps.items()]
                connection.executemany("REPLACE INTO turns VALUES (?, ?)", taken)
            return wait / 1000

    def pause(self, key: str, rate: Rate, seconds: float) -> None:
        """Let nobody have a turn for so long; then one after the other, not many at once."""
        pause = round(min(seconds, LONGEST_PAUSE) * 1000)
        with self._changing() as connection:
            now = round(self._clock() * 1000)
            until = max(now + pause, _pause(connection, key, now))
            connection.execute("REPLACE INTO pauses VALUES (?, ?, ?)", [key, now, until])
            end = until * 1000 + _refill(rate) * (rate.burst - 1)
            after = max(_state(connection, key, until, rate), end)
            connection.execute("REPLACE INTO turns VALUES (?, ?)", [key, after])

    def paused(self, key: str) -> float:
        """Seconds for which nobody may use a turn, not even one that was taken before."""
        with self._lock, self._blamed():
            now = round(self._clock() * 1000)
            return (_pause(self._connection, key, now) - now) / 1000

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._blamed():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"cannot keep the pace of sending in {self._path}: {error}; if it is damaged, "
                "delete it"
            ) from None


class Pace:
    """When the messages of this run may leave."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, float]] = {}

    def wait(self, transport: Transport, to: str) -> float:
        """Seconds until a message to `to` may leave; up to `SHORT` it is its turn then.

        What is further away is to be asked for again. Call it once for each attempt.
        """
        whole, rate = account(transport), _rate(transport)
        own = getattr(transport, "recipient_rate", None)
        if own:
            return self._turns.take({whole: rate, f"{whole}/{to}": parsed(own)}, SHORT)
        return self._one_of_several(whole, rate)

    def pause(self, transport: Transport, seconds: float) -> None:
        """Hold everything of a transport's account back for so long."""
        with self._lock:
            self._held.pop(account(transport), None)
        self._turns.pause(account(transport), _rate(transport), seconds)

    def paused(self, transport: Transport) -> float:
        """Seconds for which the account is held back; who waited for its turn has lost it then."""
        return self._turns.paused(account(transport))

    def _one_of_several(self, key: str, rate: Rate) -> float:
        """A turn of those that are held, or of new ones.

        What the rate allows in `_HOLD` seconds is taken at once: where that is several turns, the
        file would take longer than they do.
        """
        with self._lock:
            left, start = self._held.get(key, (0, 0.0))
            if left == 0 or monotonic() > start + _HOLD:
                left = max(1, round(rate.burst / _BURST * _HOLD))
                wait = self._turns.take({key: rate}, SHORT, left)
                if wait > SHORT:
                    return wait
                start = monotonic() + wait
            self._held[key] = left - 1, start
            return max(0.0, start - monotonic())


def default_path() -> Path:
    """Where this user's runs share their pace: the XDG state folder, or a private temporary one.

    Raises ConfigError where that is somebody else's: whoever may write there could hold back, or
    have this user write, what they want.
    """
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = Path(home, "message-dispatcher")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        folder = Path(tempfile.gettempdir(), f"message-dispatcher-{os.getuid()}")
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(_nowhere(f"cannot make {folder}: {error.strerror}")) from None
    path = folder / "pace.db"
    for each in (folder, path):
        sentence = objection_at(each)
        if sentence is not None:
            raise ConfigError(_nowhere(sentence))
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ConfigError(_nowhere(f"{path} is no file"))
    return path


def _nowhere(reason: str) -> str:
    return f"cannot keep the pace of sending: {reason}; XDG_STATE_HOME can name another folder"


def _rate(transport: Transport) -> Rate:
    return parsed(getattr(transport, "rate", None))


def _refill(rate: Rate) -> int:
    """Microseconds from one turn to the next."""
    return rate.interval * 1000 // rate.limit


def _pause(connection: sqlite3.Connection, key: str, now: int) -> int:
    """When, in milliseconds, an account may go on: now, if it does not pause."""
    query = "SELECT until FROM pauses WHERE key = ? AND since <= ?"  # else the clock was set back
    found = connection.execute(query, [key, now]).fetchone()
    return max(now, found[0]) if found else now


def _state(connection: sqlite3.Connection, key: str, start: int, rate: Rate) -> int:
    """`start`: milliseconds; now, or when the account's pause ends."""
    found = connection.execute("SELECT state FROM turns WHERE key = ?", [key]).fetchone()
    state: int = found[0] if found else 0
    furthest = start * 1000 + round((SHORT + 1) * 1e6) + _refill(rate) * rate.burst
    # Further in the future than anything can have put it: the clock was set back.
    return state if state <= furthest else 0


def _step(rate: Rate, state: int, now: int, count: int) -> tuple[int, int]:
    """Milliseconds until so many may have their turn, and the state after they have."""
    (after, *_), decision = _gcra.step([rate], (state,), now, count)
    return decision.retry_after_ms or 0, int(after)


def _opened(path: Path, now: float) -> sqlite3.Connection:
    """The file, begun anew if it is damaged: it is no journal, and a power cut may do that."""
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
        # Nothing is kept to undo a change: that would take most of the time of a turn.
        connection.execute("PRAGMA journal_mode=MEMORY")
        table = "turns (key TEXT PRIMARY KEY, state INTEGER) WITHOUT ROWID"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        connection.execute("DELETE FROM turns WHERE state < ?", [int(now * 1e6)])
        table = "pauses (key TEXT PRIMARY KEY, since INTEGER, until INTEGER) WITHOUT ROWID"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        connection.execute("DELETE FROM pauses WHERE until < ?", [int(now * 1000)])
        # What is left is little; a damaged page may otherwise show only when a message is to leave.
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except BaseException:
        connection.close()
        raise
    return connection
