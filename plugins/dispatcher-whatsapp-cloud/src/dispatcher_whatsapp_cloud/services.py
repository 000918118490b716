"""The gateways that take Meta's requests, and how they differ.

Sources: Meta, "Cloud API" and "On-Premises API" ("Messages", "Media"); the documents of 360dialog,
Turn.io and Kapso. Green API v1, which has this shape as well, is built in.

Sources of the error maps: Meta, "WhatsApp error codes" (18 June 2026), `error.code`, "Groups API
error codes" (31 October 2025) and "Throughput"; Turn.io, "Errors" (of the On-Premises API),
`errors[].code`; 360dialog, "Error code reference", the words of `meta.developer_message`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, TypeAlias

from dispatcher import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.http.responses import (
    BY_STATUS,
    HINTS,
    STATUS_FIRST,
    Classification,
    ErrorMap,
    Outcome,
    Path,
    Response,
)

PAIR = 131056  # too many messages to one person
NOT_NOW = 131049  # Meta would rather not deliver to this person at present

_CODES: Mapping[int, Outcome] = {
    # "Throttling errors"; 131208: too many operations of a group.
    **dict.fromkeys((4, 80007, 130429, PAIR, NOT_NOW, 131208), NotSent),
    # "Authorization errors": the token, a permission. 33: the business number was deleted.
    **dict.fromkeys((0, 3, 10, 33, 190, *range(200, 300)), AccountRefused),
    # "Integrity errors": the account is blocked. 131048: the limit of spam; 131064: the messaging
    # limit, after templates of the wrong category.
    **dict.fromkeys((368, 131031, 131048, 131064), AccountRefused),
    # Access, the display name, payment, the certificate, registration.
    **dict.fromkeys((131005, 131037, 131042, 131045, 133016), AccountRefused),
    # The request, or the template.
    **dict.fromkeys((100, 131008, 131009, 131063, *range(132000, 133000)), Refused),
    # The recipient: in an experiment or a country that this account may not write to (403), the
    # sender, unreachable, not among the test numbers, 24 hours, opted out, of no use for this
    # type, without a phone number, with another key than was named.
    **dict.fromkeys((130472, 130497, 131021, 131026, 131030, 131047, 131050, 131051), Refused),
    **dict.fromkeys((131062, 137000), Refused),
    # The group: of one member, unknown, suspended (403), without this participant.
    **dict.fromkeys((131020, 131041, 131207, 131212), Refused),
    # The file.
    **dict.fromkeys((131052, 131053), Refused),
    **dict.fromkeys((1, 2, 131000, 131016, 131057, 133004, 135000), OutcomeUnknown),
}


@dataclass(frozen=True)
class MetaErrorMap(ErrorMap):
    """An error map with `waits`: the seconds until the next attempt, for codes about one person."""

    waits: Mapping[int, float] = field(default_factory=dict)

    def classify(
        self, response: Response, setting: str, token: str = "the token"
    ) -> Classification:
        """Return what a response means; a limit for one person does not delay anybody else."""
        classification = super().classify(response, setting, token)
        code = self.error_code(response)
        if code is None or code not in self.waits:
            return classification
        wait = max(self.waits[code], classification.retry_after or 0.0)
        return classification._replace(retry_after=wait, throttled=False)


# A code that is in no table may mean anything.
_STATUSES = {**BY_STATUS, 400: OutcomeUnknown, 403: AccountRefused}
_HINTS = {**HINTS, 403: HINTS[401]}
# Meta asks clients to use the code: its documents disagree about the status that comes with one.
CLOUD_ERRORS = MetaErrorMap(
    code=("error", "code"),
    words=(("error", "message"), ("error", "error_data", "details")),
    by_code=_CODES,
    by_status=_STATUSES,
    status_first=(),
    throttled=(4, 80007, 130429, 131208),
    hints=_HINTS,
    waits={PAIR: 6.0, NOT_NOW: 24 * 3600.0},  # "Throughput": one message in 6 seconds to one person
)
# What may have been partly done (1000, 1014, 1016) is in no table, and so unknown.
ON_PREMISES_ERRORS = ErrorMap(
    code=("errors", 0, "code"),
    words=(("errors", 0, "title"), ("errors", 0, "details")),
    by_code={
        **dict.fromkeys((1001, 1002, 1003, 1006, 1008, 1009, 1010, 1012, 1013), Refused),
        **dict.fromkeys((470, *range(2000, 2004)), Refused),
        **dict.fromkeys((402, 471, 1005, 1007), AccountRefused),
        1015: NotSent,
    },
    by_status=_STATUSES,
    status_first=STATUS_FIRST,
    throttled=(1015,),
    hints=_HINTS,
)

# With status 400, each for all messages; the first is what an older list has.
_TOO_FAST = ("exceeded the limit of", "exceeded the endpoint rate limit")
_PHRASES: Mapping[str, Outcome] = {
    **dict.fromkeys(_TOO_FAST, NotSent),
    "due to lack of payment": AccountRefused,
    "for business api has been disabled": AccountRefused,
}
_WORDS = (("meta", "developer_message"), ("meta", "developerMessage"))
CLOUD_360_ERRORS = replace(
    CLOUD_ERRORS,
    words=(*CLOUD_ERRORS.words, *_WORDS),
    by_phrase=_PHRASES,
    throttled=(*CLOUD_ERRORS.throttled, *_TOO_FAST),
)
ON_PREMISES_360_ERRORS = replace(
    ON_PREMISES_ERRORS,
    words=(*ON_PREMISES_ERRORS.words, *_WORDS),
    by_phrase=_PHRASES,
    throttled=(*ON_PREMISES_ERRORS.throttled, *_TOO_FAST),
)


@dataclass(frozen=True)
class Service:
    """A gateway. Below `base_url` and `path` it has `/messages` and `/media`.

    `header` and `scheme` are for the token: "Authorization: Bearer <token>".
    With `messaging_product`, requests name it. With `form`, a file is uploaded in a form, else as
    it is. With `plus`, numbers begin with `+`. With `preview_in_text`, `preview_url` is in `text`,
    else beside it. With `provider`, a link may name credentials. `media_id` is where the response
    to an upload has its id. `lifetime` is that of an uploaded file. `templates` is below `base_url`
    and lists an account's templates as Meta does; None if the service has another way.
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
    templates: str | None = None


META = Service(
    "https://graph.facebook.com",
    "/{version}/{number}",
    CLOUD_ERRORS,
    templates="/{version}/{account}/message_templates",
)
# No document says for how long such a server keeps a file; Turn.io, which runs them, has 7 days.
ON_PREMISES = Service(
    None,
    "/v1",
    ON_PREMISES_ERRORS,
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
        templates="/meta/whatsapp/{version}/{account}/message_templates",
        header="X-API-Key",
        scheme="",
    ),
    "360dialog": replace(
        META,
        base_url="https://waba-v2.360dialog.io",
        path="",
        templates=None,  # it has /v1/configs/templates, of another shape
        header="D360-API-KEY",
        scheme="",
        error_map=CLOUD_360_ERRORS,
    ),
    "on-premises": ON_PREMISES,
    "360dialog-on-premises": replace(
        ON_PREMISES,
        base_url="https://waba.360dialog.io",
        header="D360-API-KEY",
        scheme="",
        error_map=ON_PREMISES_360_ERRORS,
    ),
    "turn": replace(ON_PREMISES, base_url="https://whatsapp.turn.io"),
}
