"""Where the gateway takes messages and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dispatcher.builtin.greenapi.settings import GreenApiSettings


class Route(NamedTuple):
    """Where requests of one kind go, and what their answers look like.

    `setting`: the setting that holds the address. `answer`: the list in the answer that holds the
    new id. `repeatable`: doing it twice does no harm, so an unknown outcome may be tried again.
    Timeouts are seconds.
    """

    url: str
    host: str
    setting: str
    answer: str
    repeatable: bool
    connect_timeout: float
    read_timeout: float


def messages(settings: GreenApiSettings) -> Route:
    """`POST /v1/messages` (greenapi-v1-messages, "Запрос")."""
    return _route(settings, "base_url", "messages", repeatable=False)


def media(settings: GreenApiSettings) -> Route:
    """`POST /v1/media`; a file stored twice is an orphan that expires."""
    return _route(settings, "media_url", "media", repeatable=True)


def _route(settings: GreenApiSettings, setting: str, answer: str, *, repeatable: bool) -> Route:
    root: str = getattr(settings, setting)
    return Route(
        url=f"{root}/v1/{answer}",
        host=urlsplit(root).netloc,
        setting=setting,
        answer=answer,
        repeatable=repeatable,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
    )
