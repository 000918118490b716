"""Files → media ids: each distinct content is uploaded once and reused until it expires."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeAlias

from dispatcher.errors import DeliveryError, NotSent, OutcomeUnknown, Refused, pass_on_interruption
from dispatcher.hookspecs import Transport
from dispatcher.models import MediaId, Upload

# An id that is about to expire could be gone before the message arrives.
_MARGIN = timedelta(minutes=15)


# An account, and the sha256 of a content.
Place: TypeAlias = tuple[str, str]


class MediaStore(Protocol):
    """Where media ids are kept between runs: the journal."""

    def media_id(self, account: str, sha256: str) -> MediaId | None: ...
    def remember_upload(self, account: str, sha256: str, media: MediaId) -> None: ...
    def forget_upload(self, account: str, sha256: str) -> None: ...


class Media(NamedTuple):
    """The gateway's id of a content. `reused`: it was uploaded by an earlier run."""

    id: str
    reused: bool


class Uploads:
    """Uploads on demand; of several threads that need one content, one uploads, the rest wait."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._locks: defaultdict[Place, threading.Lock] = defaultdict(threading.Lock)
        self._here: dict[Place, MediaId] = {}
        self._fresh: set[Place] = set()

    def media(self, transport: Transport, file: Upload) -> Media:
        """The gateway's id of the file's content. Raises what `Transport.upload` raises.

        An unknown outcome is none here: at worst an orphan is left that expires.
        """
        place = (account(transport), file.sha256)
        with self._alone_with(place):
            known = self._here.get(place) or self._store.media_id(*place)
            if known is None or _expired(known):
                known = _upload(transport, file)
                self._store.remember_upload(*place, known)
                self._fresh.add(place)
            self._here[place] = known
            return Media(known.id, place not in self._fresh)

    def forget(self, transport: Transport, file: Upload, media: Media) -> None:
        """The gateway may not know this id any longer: have the content uploaded once more."""
        place = (account(transport), file.sha256)
        with self._alone_with(place):
            if place in self._here and self._here[place].id == media.id:
                del self._here[place]
                self._store.forget_upload(*place)

    @contextmanager
    def _alone_with(self, place: Place) -> Iterator[None]:
        with self._guard:
            lock = self._locks[place]
        with lock:
            yield


def account(transport: Transport) -> str:
    """Whose media these are: ids of one account mean nothing to another.

    A transport says so with an attribute `account`; without it, all its settings count as one.
    """
    return f"{transport.name}:{getattr(transport, 'account', '')}"


def filled_in(value: Any, reference: str, media_id: str) -> Any:
    """The payload with the media id in the place of the file's reference."""
    if isinstance(value, dict):
        return {key: filled_in(item, reference, media_id) for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, reference, media_id) for item in value]
    return media_id if value == reference else value


def _upload(transport: Transport, file: Upload) -> MediaId:
    """Call a transport; whatever it raises besides its own words, no message left."""
    try:
        media = transport.upload(file)
    except OutcomeUnknown as error:
        raise NotSent(error.text, code=error.code) from error
    except DeliveryError:
        raise
    except BaseException as error:
        pass_on_interruption(error)
        text = f"the transport failed: {type(error).__name__}"
        raise Refused(text, code="transport_error") from error
    if not isinstance(media, MediaId):
        raise Refused("the transport returned no media id", code="transport_error")
    return media


def _expired(media: MediaId) -> bool:
    return media.expires_at is not None and media.expires_at - _MARGIN < datetime.now(UTC)
