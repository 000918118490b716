"""One target: an Apprise service, made so that it sends a message once, as it was planned."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from dispatcher import ConfigError
from dispatcher_apprise.outcomes import Watch, watching

# Services whose every byte shows in Python's audit events: see `outcomes`.
_TRACEABLE = ("requests", "smtplib")


class Attached(NamedTuple):
    """A file that goes with a message."""

    path: Path
    name: str
    mime_type: str


class Service:
    """An Apprise URL. Used by one thread at a time: its services are not made for more."""

    def __init__(self, name: str, url: str) -> None:
        from apprise import Apprise

        with watching():  # its log would show the URL
            made: Any = Apprise.instantiate(url, asset=_asset())
        if made is None:
            raise ConfigError(f'the URL of target "{name}" is none that Apprise knows')
        # These may be asked for in a URL. Copies, redirected posts and failures that count as
        # successes are what a journal cannot bear.
        made.retry, made.redirects, made.optional = 0, False, False
        self._made = made
        self._lock = threading.Lock()

    def send(self, body: str, files: Sequence[Attached]) -> tuple[bool, Watch]:
        """Send once; what Apprise says of it, and what was seen."""
        from apprise import Apprise, AppriseAttachment, NotifyFormat
        from apprise.attachment.file import AttachFile

        attachments, made = AppriseAttachment(), cast("Any", AttachFile)  # it has no types
        for file in files:
            attachments.add(made(str(file.path), name=file.name, mimetype=file.mime_type))
        caller = Apprise(asset=_asset())
        caller.add(self._made)
        with self._lock, watching() as watch:
            answer = caller.notify(
                body=body, body_format=NotifyFormat.TEXT, attach=attachments if files else None
            )
        return bool(answer), watch

    @property
    def traceable(self) -> bool:
        """Whether what leaves can be seen."""
        module = vars(sys.modules[type(self._made).__module__])
        return any(name in module for name in _TRACEABLE)

    @property
    def takes_files(self) -> bool:
        """Whether files can go with a message."""
        return bool(self._made.attachment_support)

    @property
    def longest(self) -> int:
        """Characters that a text may have."""
        return int(self._made.body_maxlen)

    @property
    def patience(self) -> float:
        """Seconds that one request takes at the most, unless an answer trickles."""
        return float(sum(self._made.request_timeout))


@cache
def _asset() -> Any:
    """No thread of Apprise's own, nothing on disk, and no change to what was planned."""
    from apprise import AppriseAsset, PersistentStoreMode

    return AppriseAsset(
        async_mode=False,
        service_timeout=0,
        storage_mode=PersistentStoreMode.MEMORY,
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        allow_templates=False,
        pgp_autogen=False,
        pem_autogen=False,
    )
