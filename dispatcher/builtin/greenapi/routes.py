"""Where the gateway takes messages and files, and what its answers mean.

Source: docs/greenapi-v1.md, "Request" and "Error codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.http.responses import STATUS_FIRST, ErrorMap, Route

if TYPE_CHECKING:
    from dispatcher.builtin.greenapi.settings import GreenApiSettings

ERROR_MAP = ErrorMap(
    code=("errors", 0, "code"),
    words=(("errors", 0, "details"), ("errors", 0, "title")),  # English, Russian
    by_code={
        **dict.fromkeys((1, 1011, 1020, 1021, 1022, 1023, 1030, 1031, 1032, 7200), Refused),
        **dict.fromkeys((1040, 1041, 1062, 1071), AccountRefused),
        1060: NotSent,
        **dict.fromkeys((1010, 1024, 1042), OutcomeUnknown),
    },
    status_first=STATUS_FIRST,
    throttled=(82,),  # the quota is used up
)


def messages(settings: GreenApiSettings) -> Route:
    """`POST /v1/messages` (docs/greenapi-v1.md, "Request")."""
    return _route(settings, "base_url", "messages", repeatable=False)


def media(settings: GreenApiSettings) -> Route:
    """`POST /v1/media`; a file stored twice is an orphan that expires."""
    return _route(settings, "media_url", "media", repeatable=True)


def _route(settings: GreenApiSettings, setting: str, kind: str, *, repeatable: bool) -> Route:
    return Route(
        url=f"{getattr(settings, setting)}/v1/{kind}",
        setting=setting,
        identifier=(kind, 0, "id"),
        error_map=ERROR_MAP,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        repeatable=repeatable,
        token=settings.token_origin,
    )
