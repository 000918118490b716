"""What a run knows of its attempts before the journal does, in memory that outlives its process.

A board is a file on tmpfs, mapped by the run that owns it. Of a row that is "sending", it can say
two things: the attempt has surely not begun, or this is how it ended. Whoever recovers the journal
believes that if the run was killed. Whatever is not on a board, is torn, or was on another machine,
or on this one before it was restarted, says nothing, and the row becomes "unknown".

docs/claims-ahead.md explains the order in which board and journal are written, and why.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from dispatcher.journal.files import file_system
from dispatcher.journal.updates import AttemptResult
from dispatcher.models import Failure, Status
from dispatcher.visible import storable

_FOLDER = Path("/dev/shm")
_PREFIX = "message-dispatcher"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# Bytes. A slot is a tag, which says whose it is, a checksum, the length of a note, and the note.
_TAG, _CHECK, _LENGTH = 16, 16, 2
_HEAD = _TAG + _CHECK + _LENGTH
_SLOT = 1024
_LONGEST_NOTE = _SLOT - _HEAD
_UNUSED = bytes(_TAG)
_SPARE = b"spare"
_JSON = json.JSONEncoder(ensure_ascii=False)  # json.dumps would make one for each note
# Characters of a failure's text; the gateway's own words can be longer than a slot.
_LONGEST_TEXT = 150


class Board:
    """The board of a living run, `owner`, on the journal of this name (see `Backend.board_name`).

    It is locked for as long as the process lives, so that nobody believes it meanwhile. Any thread
    may call its methods. An attempt without a free slot is not noted; the last `reserved` slots
    are none for spares, so that an attempt that was not claimed ahead finds one.
    """

    def __init__(self, journal: str, owner: str, slots: int, reserved: int = 0) -> None:
        """Raises OSError if there is no such memory, or too little."""
        self._path, self._owner = _path(journal, owner), owner
        if file_system(_FOLDER) != "tmpfs":
            raise OSError(f"{_FOLDER} is not in memory")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = _SLOT * (1 + slots)
            # A page that cannot be had when it is written would end the process.
            os.posix_fallocate(self._descriptor, 0, size)
            self._memory = mmap.mmap(self._descriptor, size)
            # Or the lock would last as long as a process that a plugin forks, whatever it closes.
            self._memory.madvise(mmap.MADV_DONTFORK)
            self._memory[:_SLOT] = _header()
        except BaseException:
            self._path.unlink()
            os.close(self._descriptor)
            raise
        self._lock, self._reserved = threading.Lock(), reserved
        self._free = list(range(_SLOT * slots, 0, -_SLOT))
        self._used: dict[tuple[str, int], int] = {}

    def is_in_place(self) -> bool:
        """Whether it will be found: somebody may have deleted the file."""
        with suppress(OSError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        return False

    def add_spare(self, key: str, attempt: int) -> bool:
        """Note that a claim has not begun, before it is on disk; return False without a slot."""
        return len(self._free) > self._reserved and self._write(key, attempt, _SPARE)

    def begin(self, key: str, attempt: int) -> bool:
        """Delete the note that a claim has not begun, before its first byte leaves.

        Returns False if the board is closed: the note may be there still, for others to believe.
        """
        with self._lock:
            if self._memory.closed:
                return False
            slot = self._slot(key, attempt)
            if slot is not None:
                self._memory[slot : slot + _TAG] = _UNUSED
        return True

    def add_result(self, key: str, attempt: int, result: AttemptResult) -> None:
        """Note how an attempt ended, before that is on disk."""
        self._write(key, attempt, _packed(result))

    def clear(self, key: str, attempt: int) -> None:
        """Delete what is noted of an attempt, once the journal has it."""
        with self._lock:
            slot = self._used.pop((key, attempt), None)
            if slot is not None:
                self._memory[slot : slot + _TAG] = _UNUSED
                self._free.append(slot)

    def close(self, *, delete: bool) -> None:
        """End its use; delete it if the journal has everything. Later notes are ignored."""
        with self._lock:
            self._used, self._free = {}, []
            self._memory.close()
            if delete:
                with suppress(OSError):
                    self._path.unlink()
            os.close(self._descriptor)

    def _write(self, key: str, attempt: int, note: bytes) -> bool:
        tag = _tag(self._owner, key, attempt)
        with self._lock:
            slot = self._slot(key, attempt)
            if slot is None or len(note) > _LONGEST_NOTE:
                return False
            # The tag last, so that what is half written is nobody's.
            self._memory[slot : slot + _TAG] = _UNUSED
            rest = _checksum(tag, note) + len(note).to_bytes(_LENGTH, "big") + note
            self._memory[slot + _TAG : slot + _TAG + len(rest)] = rest
            self._memory[slot : slot + _TAG] = tag
        return True

    def _slot(self, key: str, attempt: int) -> int | None:
        """Return the one slot of an attempt, or None if all are in use."""
        slot = self._used.get((key, attempt))
        if slot is None and self._free:
            slot = self._used[key, attempt] = self._free.pop()
        return slot


class DeadBoards:
    """The boards of runs on a journal that were killed; they stay until `delete`.

    With `also_living`, those of runs that are active, too: what they say may change at any moment.
    """

    def __init__(self, journal: str | None, *, also_living: bool = False) -> None:
        self._journal, self._also_living = journal, also_living
        self._notes: dict[str, dict[bytes, bytes]] = {}

    def is_spare(self, owner: str, key: str, attempt: int) -> bool:
        """Whether an attempt has surely not begun: only a first one is claimed ahead."""
        return attempt == 1 and self._note(owner, key, attempt) == _SPARE

    def result(self, owner: str, key: str, attempt: int) -> AttemptResult | None:
        """Return how an attempt ended, or None if that is not noted."""
        note = self._note(owner, key, attempt)
        return None if note in (None, _SPARE) else _unpacked(note)

    def delete(self) -> None:
        """Delete all of them, once what they say is on disk."""
        for path in _FOLDER.glob(f"{_PREFIX}-{self._journal}-*") if self._journal else ():
            with suppress(OSError), _opened(path) as descriptor:
                _require_dead(descriptor)
                path.unlink()

    def _note(self, owner: str, key: str, attempt: int) -> bytes | None:
        if owner not in self._notes:
            self._notes[owner] = dict(self._read(owner))
        tag = _tag(owner, key, attempt)
        rest = self._notes[owner].get(tag, b"")
        check, length = rest[:_CHECK], int.from_bytes(rest[_CHECK : _CHECK + _LENGTH], "big")
        note = rest[_CHECK + _LENGTH :][:length]
        return note if rest and check == _checksum(tag, note) else None

    def _read(self, owner: str) -> Iterator[tuple[bytes, bytes]]:
        if self._journal is None:
            return
        try:
            with _opened(_path(self._journal, owner)) as descriptor:
                if not self._also_living:
                    _require_dead(descriptor)
                content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            if content[:_SLOT] != _header():
                return
        except OSError:
            return
        for start in range(_SLOT, len(content), _SLOT):
            slot = content[start : start + _SLOT]
            yield slot[:_TAG], slot[_TAG:]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a board of this user's. Raises OSError if it is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{path} is somebody else's")
        yield descriptor
    finally:
        os.close(descriptor)


def _require_dead(descriptor: int) -> None:
    """Raise OSError if the run that owns a board is active."""
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _path(journal: str, owner: str) -> Path:
    return _FOLDER / f"{_PREFIX}-{journal}-{owner}"


def _header() -> bytes:
    """Return what a board of this format begins with since this machine was started."""
    return f"{_PREFIX} board 1\n{_BOOT_ID.read_text()}".encode().ljust(_SLOT, b"\0")


def _tag(owner: str, key: str, attempt: int) -> bytes:
    content = f"{owner}/{attempt}/{storable(key)}".encode()
    return blake2b(content, digest_size=_TAG).digest()


def _checksum(tag: bytes, note: bytes) -> bytes:
    return blake2b(note, digest_size=_CHECK, key=tag).digest()


def _packed(result: AttemptResult) -> bytes:
    code, text = (result.error.code, result.error.text) if result.error else (None, None)
    until = result.not_before and result.not_before.isoformat()
    note = [result.status, result.id, code, text and text[:_LONGEST_TEXT], until]
    return _JSON.encode(note).encode(errors="surrogatepass")


def _unpacked(note: bytes) -> AttemptResult:
    status, id, code, text, until = json.loads(note.decode(errors="surrogatepass"))
    return AttemptResult(
        Status(status),  # type: ignore[arg-type]
        id,
        None if text is None else Failure(code=code, text=text),
        until and datetime.fromisoformat(until),
    )
