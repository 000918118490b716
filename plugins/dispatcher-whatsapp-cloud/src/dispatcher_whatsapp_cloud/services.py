"""The gateways that take Meta's requests, each by what it wants otherwise.

Sources: Meta, "Cloud API" and "On-Premises API" ("Messages", "Media"); the documents of 360dialog,
Turn.io and Kapso. Green API v1, which is of this shape as well, is built in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, TypeAlias

from dispatcher.http.responses import ErrorMap, Path
from dispatcher_whatsapp_cloud import answers


@dataclass(frozen=True)
class Service:
    """A gateway. Below `base_url` and `path` it has `/messages` and `/media`.

    `header`, `scheme`: who we are: "Authorization: Bearer <token>".
    `messaging_product`: whether requests name it. `form`: a file is uploaded in a form, else as it
    is. `plus`: numbers begin with `+`. `preview_in_text`: where `preview_url` stands, else beside
    `text`. `provider`: whether a link may name credentials. `media_id`: where an upload's answer
    has its id. `lifetime`: of an uploaded file.
    """

    base_url: str | None
    path: str
    error_map: ErrorMap
    header: str = "Authorization"
    scheme: str = "Bearer "
    messaging_product: bool = True
    form: bool = True
    plus: bool = True
    preview_in_text: bool = True
    provider: bool = False
    media_id: Path = ("id",)
    lifetime: timedelta = timedelta(days=30)


META = Service("https://graph.facebook.com", "/{version}/{number}", answers.CLOUD)
# No document says for how long such a server keeps a file; Turn.io, which runs them, has 7 days.
ON_PREMISES = Service(
    None,
    "/v1",
    answers.ON_PREMISES,
    messaging_product=False,
    form=False,
    plus=False,
    preview_in_text=False,
    provider=True,
    media_id=("media", 0, "id"),
    lifetime=timedelta(days=7),
)

Name: TypeAlias = Literal[
    "meta", "kapso", "360dialog", "on-premises", "360dialog-on-premises", "turn"
]
SERVICES: Mapping[Name, Service] = {
    "meta": META,
    "kapso": replace(
        META,
        base_url="https://api.kapso.ai",
        path="/meta/whatsapp/{version}/{number}",
        header="X-API-Key",
        scheme="",
    ),
    "360dialog": replace(
        META,
        base_url="https://waba-v2.360dialog.io",
        path="",
        header="D360-API-KEY",
        scheme="",
        error_map=answers.CLOUD_360,
    ),
    "on-premises": ON_PREMISES,
    "360dialog-on-premises": replace(
        ON_PREMISES,
        base_url="https://waba.360dialog.io",
        header="D360-API-KEY",
        scheme="",
        error_map=answers.ON_PREMISES_360,
    ),
    "turn": replace(ON_PREMISES, base_url="https://whatsapp.turn.io"),
}
