"""Where an instance takes messages and files, and what its answers mean.

Sources: Green API, "SendMessage", "SendFileByUrl", "UploadFile", "Common errors" and "Reaching the
limits on the Developer plan".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dispatcher import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.http.answers import Answer
from dispatcher.http.dialect import BY_STATUS, HINTS, STATUS_FIRST, Dialect, Verdict
from dispatcher.http.masking import HIDDEN
from dispatcher.http.routes import Route

if TYPE_CHECKING:
    from dispatcher_greenapi_instance.settings import InstanceSettings

QUOTA = 466  # the HTTP status of a quota that is used up


@dataclass(frozen=True)
class InstanceDialect(Dialect):
    """An instance's errors have words and a status, but no code of their own."""

    def verdict(self, answer: Answer, setting: str) -> Verdict:
        """A quota is one of a calendar month: until that ends the account is to wait."""
        verdict = super().verdict(answer, setting)
        if answer.status != QUOTA:
            return verdict
        return verdict._replace(retry_after=_until_next_month(datetime.now(UTC)), throttled=True)


def _until_next_month(now: datetime) -> float:
    midnight = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    later = midnight + timedelta(days=31)
    return (later.replace(day=1) - now).total_seconds()


DIALECT = InstanceDialect(
    words=(
        ("message",),
        ("reason",),
        ("invokeStatus", "description"),
        ("correspondentsStatus", "description"),
    ),
    # 499: the gateway saw us hang up, and 502 is to be repeated, says "Common errors"; but either
    # may have accepted.
    by_status={**BY_STATUS, 400: Refused, 499: OutcomeUnknown, QUOTA: NotSent},
    status_first=(*STATUS_FIRST, 499, QUOTA),
    by_phrase={"starting process": NotSent, "not authorized": AccountRefused},
    throttled=("starting process",),
    hints={**HINTS, 401: "check the token", 403: "check id_instance"},
)


def send_message(settings: InstanceSettings) -> Route:
    """`POST {base_url}/waInstance{id}/sendMessage/{token}` ("SendMessage")."""
    return _route(settings, "base_url", "sendMessage", "idMessage")


def send_file(settings: InstanceSettings) -> Route:
    """`POST {base_url}/waInstance{id}/sendFileByUrl/{token}` ("SendFileByUrl")."""
    return _route(settings, "base_url", "sendFileByUrl", "idMessage")


def upload_file(settings: InstanceSettings) -> Route:
    """`POST {media_url}/waInstance{id}/uploadFile/{token}` ("UploadFile"): any repeat expires."""
    return _route(settings, "media_url", "uploadFile", "urlFile", repeatable=True)


def _route(
    settings: InstanceSettings, setting: str, method: str, field: str, *, repeatable: bool = False
) -> Route:
    address = getattr(settings, setting)
    return Route(
        url=f"{address}/waInstance{settings.id_instance}/{method}/{HIDDEN}",
        setting=setting,
        identifier=(field,),
        dialect=DIALECT,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        repeatable=repeatable,
        token=settings.token_origin,
    )
