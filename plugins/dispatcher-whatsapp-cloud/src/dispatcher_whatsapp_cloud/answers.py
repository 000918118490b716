"""What the answers of Meta's API mean, in the cloud and on one's own premises.

Sources: Meta, "Cloud API: Error codes", "Throughput"; Turn.io, "Errors" (of the On-Premises API);
360dialog, "API error message list".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dispatcher import AccountRefused, NotSent, OutcomeUnknown, Refused
from dispatcher.http.answers import Answer
from dispatcher.http.dialect import STATUS_FIRST, Dialect, Outcome, Verdict

PAIR = 131056  # too many messages to one person
NOT_NOW = 131049  # Meta would rather not deliver to this person at present

_CODES: Mapping[int, Outcome] = {
    **dict.fromkeys((4, 80007, 130429, PAIR, NOT_NOW), NotSent),
    # Token, permission, account, payment, registration; 131048: the limit of spam.
    **dict.fromkeys((0, 3, 10, *range(200, 300), 190, 368), AccountRefused),
    **dict.fromkeys((131005, 131031, 131042, 131045, 131048, 133016), AccountRefused),
    # The request, the recipient, the 24 hours since they wrote, the file.
    **dict.fromkeys((33, 100, 131008, 131009, *range(132000, 133000)), Refused),
    **dict.fromkeys((130472, 131021, 131026, 131047, 131050, 131051), Refused),
    **dict.fromkeys((131052, 131053), Refused),
    **dict.fromkeys((1, 2, 131000, 131016, 131057, 133004, 135000), OutcomeUnknown),
}


@dataclass(frozen=True)
class MetaDialect(Dialect):
    """`waits`: seconds until the next attempt, with codes that concern one person alone."""

    waits: Mapping[int, float] = field(default_factory=dict)

    def verdict(self, answer: Answer, setting: str) -> Verdict:
        """As the tables say; a limit of one person holds nobody else back."""
        verdict = super().verdict(answer, setting)
        code = self.error_code(answer)
        if code is None or code not in self.waits:
            return verdict
        wait = max(self.waits[code], verdict.retry_after or 0.0)
        return verdict._replace(retry_after=wait, throttled=False)


# Meta asks to go by the code: its documents disagree about the status that comes with one.
CLOUD = MetaDialect(
    code=("error", "code"),
    words=(("error", "message"), ("error", "error_data", "details")),
    by_code=_CODES,
    status_first=(),
    throttled=(4, 80007, 130429),
    waits={PAIR: 6.0, NOT_NOW: 24 * 3600.0},  # "Throughput": to one person a message in 6 seconds
)
# What may have been half done (1000, 1014, 1016) is in no table, and so unknown.
ON_PREMISES = Dialect(
    code=("errors", 0, "code"),
    words=(("errors", 0, "title"), ("errors", 0, "details")),
    by_code={
        **dict.fromkeys((1001, 1002, 1003, 1006, 1008, 1009, 1010, 1012, 1013), Refused),
        **dict.fromkeys((470, *range(2000, 2004)), Refused),
        **dict.fromkeys((402, 471, 1005, 1007), AccountRefused),
        1015: NotSent,
    },
    status_first=STATUS_FIRST,
    throttled=(1015,),
)

_TOO_FAST = "exceeded the limit of"  # with status 400, says 360dialog's list
_WORDS = (("meta", "developer_message"), ("meta", "developerMessage"))
CLOUD_360 = replace(
    CLOUD,
    words=(*CLOUD.words, *_WORDS),
    by_phrase={_TOO_FAST: NotSent},
    throttled=(*CLOUD.throttled, _TOO_FAST),
)
ON_PREMISES_360 = replace(
    ON_PREMISES,
    words=(*ON_PREMISES.words, *_WORDS),
    by_phrase={_TOO_FAST: NotSent},
    throttled=(*ON_PREMISES.throttled, _TOO_FAST),
)
