"""Uploads files: each distinct one once, and its media id is reused until it expires.

Files that are sent inline, with their message, are only compared with what was planned.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import NamedTuple, Protocol, TypeAlias

from dispatcher.bound_transports import BoundTransport
from dispatcher.errors import DeliveryError, JournalError
from dispatcher.inputs import InputFile, changed
from dispatcher.models import MediaId, Message, Upload, refers_to
from dispatcher.planning import PlannedMessage

# An id that is about to expire could be gone before the message arrives.
_MARGIN = timedelta(minutes=15)
# Seconds. A run that has not renewed its lease for that long is taken to have stopped uploading.
_LEASE = 15.0
# Seconds after which a thread that waits for another run's upload looks for it again.
_LOOK = 0.1


# An account, and the sha256 of what the gateway is given: the content, its type and extension, and
# the kind of the message if the transport sees it.
ContentKey: TypeAlias = tuple[str, str]


class MediaIdStore(Protocol):
    """Keeps media ids between runs: the journal."""

    def media_id(self, account: str, sha256: str) -> MediaId | None: ...
    def remember_upload(self, account: str, sha256: str, media: MediaId) -> None: ...
    def forget_upload(self, account: str, sha256: str) -> None: ...


class Leases(Protocol):
    """Decides which run does the work that the others wait for: see `SharedState`."""

    def lease(self, name: str, seconds: float) -> bool: ...
    def release(self, name: str) -> None: ...


class UploadedMedia(NamedTuple):
    """The gateway's id of a content; `reused` if an earlier run uploaded it."""

    id: str
    reused: bool
    key: ContentKey


class Uploads:
    """Uploads on demand: if several threads need the same content, one uploads and the rest wait.

    With `leases`, runs that share a store do the same. All of them stop waiting once `stop` is set.
    """

    def __init__(
        self, store: MediaIdStore, stop: threading.Event, leases: Leases | None = None
    ) -> None:
        self._store, self._stop, self._leases = store, stop, leases
        self._guard = threading.Lock()
        self._locks: defaultdict[ContentKey, threading.Lock] = defaultdict(threading.Lock)
        self._here: dict[ContentKey, MediaId] = {}
        self._fresh: set[ContentKey] = set()

    def media(
        self, transport: BoundTransport, file: Upload, message: Message
    ) -> UploadedMedia | None:
        """Return the gateway's id of the content of a message's file, or None if the run stops.

        Raises what `BoundTransport.upload` raises, and InputChanged. An unknown outcome counts as
        not sent: at worst an unused upload is left, which expires.
        """
        key = _content_key(transport, file, message)
        with self._alone_with(key):
            known = self._here.get(key) or self._store.media_id(*key)
            if known is None or _expired(known):
                known = self._upload_or_wait(key, lambda: _upload_checked(transport, file, message))
            if known is None:
                return None
            self._here[key] = known
            return UploadedMedia(known.id, key not in self._fresh, key)

    def forget(self, media: UploadedMedia) -> None:
        """Forget an id that the gateway may no longer know: upload the content once more."""
        key = media.key
        with self._alone_with(key):
            if key in self._here and self._here[key].id == media.id:
                del self._here[key]
                kept = self._store.media_id(*key)
                if kept is not None and kept.id == media.id:  # else another run has done so
                    self._store.forget_upload(*key)

    def _upload_or_wait(self, key: ContentKey, upload: Callable[[], MediaId]) -> MediaId | None:
        """Upload a file, or wait until another run has; return None if this run stops."""
        if self._leases is None:
            return self._upload_and_remember(key, upload)
        name = " ".join(("upload", *key))
        while not self._leases.lease(name, _LEASE):
            if self._stop.wait(_LOOK):
                return None
        with _held(self._leases, name):
            # Its holder may just have uploaded the file, unless the id could not be kept.
            known = self._store.media_id(*key)
            if known is not None and not _expired(known):
                return known
            return self._upload_and_remember(key, upload)

    def _upload_and_remember(self, key: ContentKey, upload: Callable[[], MediaId]) -> MediaId:
        media = upload()
        self._store.remember_upload(*key, media)
        self._fresh.add(key)
        return media

    @contextmanager
    def _alone_with(self, key: ContentKey) -> Iterator[None]:
        with self._guard:
            lock = self._locks[key]
        with lock:
            yield


@contextmanager
def _held(leases: Leases, name: str) -> Iterator[None]:
    """Keep a lease until the block ends."""
    done = threading.Event()

    def renew() -> None:
        with suppress(JournalError):  # whoever needs the journal next will say so
            while not done.wait(_LEASE / 3):
                leases.lease(name, _LEASE)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        leases.release(name)


def inline_file(transport: BoundTransport, planned: PlannedMessage) -> Upload | None:
    """Return the file that is sent with a message: the payload has its reference."""
    file = planned.upload
    if file is None or not transport.sends_inline:
        return None
    return file if refers_to(planned.payload, file.reference) else None


def require_planned(transport: BoundTransport, file: Upload) -> None:
    """Compare a file that will be sent inline with what was planned.

    Raises InputChanged; for a file that is not on this disk, what `require_intact` raises.
    """
    require_unchanged(file)
    if InputFile.opened_by(file.open) is None:
        transport.require_intact(file)


def require_unchanged(file: Upload) -> None:
    """Raise InputChanged if a file on this disk has changed since it was planned."""
    known = InputFile.opened_by(file.open)
    if known is not None and not known.is_unchanged():
        raise changed(known.path)


def _content_key(transport: BoundTransport, file: Upload, message: Message) -> ContentKey:
    """Return the key of a content. Recipients see the type and the extension, so they count."""
    suffix = PurePath(file.filename).suffix.lower()
    kind = f"\n{message.type}" if transport.upload_takes_message else ""
    given = f"{file.sha256}\n{file.mime_type}\n{suffix}{kind}"
    return transport.account_key, hashlib.sha256(given.encode(errors="replace")).hexdigest()


def _upload_checked(transport: BoundTransport, file: Upload, message: Message) -> MediaId:
    """Upload the file that was checked. Raises InputChanged if it has changed since."""
    require_unchanged(file)
    try:
        return transport.upload(file, message)
    except DeliveryError:
        require_unchanged(file)  # it may have been replaced meanwhile
        raise


def _expired(media: MediaId) -> bool:
    return media.expires_at is not None and media.expires_at - _MARGIN < datetime.now(UTC)
