"""One target: an Apprise service that sends a message once, as it was planned."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from dispatcher import ConfigError
from dispatcher_apprise.outcomes import Watch, watching

# Services for which every byte shows in Python's audit events: see `outcomes`.
_TRACEABLE = ("requests", "smtplib")


class Attached(NamedTuple):
    """A file that is sent with a message."""

    path: Path
    name: str
    mime_type: str


class Service:
    """An Apprise URL. One thread at a time uses it: Apprise's services are not made for more."""

    def __init__(self, name: str, url: str) -> None:
        from apprise import Apprise

        with watching():  # its log would show the URL
            made: Any = Apprise.instantiate(url, asset=_asset())
        if made is None:
            raise ConfigError(f'the URL of target "{name}" is none that Apprise knows')
        # A URL may ask for these. Copies, redirected posts and failures that count as successes
        # would make the journal wrong.
        made.retry, made.redirects, made.optional = 0, False, False
        self._made = made
        self._lock = threading.Lock()

    def send(self, body: str, files: Sequence[Attached]) -> tuple[bool, Watch]:
        """Send once; return whether Apprise reports success, and what was observed."""
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
        """Whether everything that is sent can be observed."""
        module = vars(sys.modules[type(self._made).__module__])
        return any(name in module for name in _TRACEABLE)

    @property
    def takes_files(self) -> bool:
        """Whether files can be sent with a message."""
        return bool(self._made.attachment_support)

    @property
    def longest(self) -> int:
        """The most characters that a text may have."""
        return int(self._made.body_maxlen)

    @property
    def patience(self) -> float:
        """The most seconds that one request takes, unless the response arrives byte by byte."""
        return float(sum(self._made.request_timeout))


@cache
def _asset() -> Any:
    """Return settings with no threads of Apprise's, nothing on disk, and no change to the text."""
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
