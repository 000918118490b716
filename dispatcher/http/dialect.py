"""How a gateway says what became of a request: where its answers have what, and what that means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

from dispatcher.errors import AccountRefused, DeliveryError, NotSent, OutcomeUnknown, Refused
from dispatcher.http.answers import Answer

Outcome: TypeAlias = type[DeliveryError]
Path: TypeAlias = tuple[str | int, ...]  # of keys and positions in a JSON body

# What is not here is unknown: whatever broke in the gateway may have done so too late. So are the
# redirects that may mean "done, look there": 303 and 304 (RFC 9110, 15.4.4 and 15.4.5), 300, and
# those that RFC 9110 gives no meaning, which are to be read as 300 (section 15).
BY_STATUS: Mapping[int, Outcome] = {
    **dict.fromkeys((301, 302, 307, 308), Refused),
    **dict.fromkeys((404, 405, 413, 414, 415, 422), Refused),
    429: NotSent,
    **dict.fromkeys((401, 403), AccountRefused),
}
# A success is one only with an id, whatever else the answer says.
SUCCESS = tuple(range(200, 300))
# For gateways of which it is not known that an error's number can be trusted.
STATUS_FIRST = (*SUCCESS, *range(500, 600), 429, 401, 403)
HINTS: Mapping[int, str] = {
    **dict.fromkeys(range(200, 300), "the answer has no id"),
    **dict.fromkeys(range(300, 400), "redirects are not followed, check {setting}"),
    **dict.fromkeys((401, 403), "check {token}"),
    **dict.fromkeys((404, 405), "check {setting}"),
}


class Verdict(NamedTuple):
    """How an attempt ended, other than well."""

    outcome: Outcome
    code: str | None
    text: str
    retry_after: float | None = None
    throttled: bool = False


@dataclass(frozen=True)
class Dialect:
    """The tables of one gateway; everything has a default that is safe.

    `code`, `words`: where an error has its number and its sentences. An outcome is looked up by the
    number in `by_code`, then by what the body says in `by_phrase` (in lower case), then in
    `by_status`; what is nowhere is `OutcomeUnknown`. With the statuses in `status_first`, neither
    number nor words count. `throttled`: numbers and phrases, besides status 429, with which the
    whole account is to wait; they are `NotSent`, too. `hints`: by status, unless the number
    decided; `{setting}` becomes the name of the setting with the address, `{token}` where the token
    was read.

    A table that is given replaces the default: `by_status={**BY_STATUS, 503: NotSent}`.
    """

    code: Path = ("error", "code")
    words: Sequence[Path] = (("error", "message"),)
    by_code: Mapping[int, Outcome] = field(default_factory=dict)
    by_phrase: Mapping[str, Outcome] = field(default_factory=dict)
    by_status: Mapping[int, Outcome] = field(default_factory=lambda: BY_STATUS)
    status_first: Sequence[int] = SUCCESS
    throttled: Sequence[int | str] = ()
    hints: Mapping[int, str] = field(default_factory=lambda: HINTS)

    def verdict(self, answer: Answer, setting: str, token: str = "the token") -> Verdict:
        """What an answer without the id of something accepted means."""
        code, words = self.error_code(answer), self._words(answer)
        told = code in self.by_code and answer.status not in self.status_first
        advice = "" if told else self.hints.get(answer.status, "")
        hint = advice.format(setting=setting, token=token)
        if "{token}" not in advice:  # what such a status means is in the advice
            words = words or self.said(answer)
        return Verdict(
            self.outcome(answer),
            f"http {answer.status}" if code is None else str(code),
            ": ".join(filter(None, (hint, words))),
            answer.retry_after,
            answer.status == 429 or code in self.throttled or self.phrase(answer) in self.throttled,
        )

    def outcome(self, answer: Answer) -> Outcome:
        """What became of the request; override it where tables do not tell."""
        if answer.status in self.status_first:
            return self.by_status.get(answer.status, OutcomeUnknown)
        code, phrase = self.error_code(answer), self.phrase(answer)
        if code in self.throttled or phrase in self.throttled:
            return NotSent
        by_code = self.by_code.get(code) if code is not None else None
        by_phrase = self.by_phrase.get(phrase) if phrase is not None else None
        return by_code or by_phrase or self.by_status.get(answer.status, OutcomeUnknown)

    def error_code(self, answer: Answer) -> int | None:
        """The error's number, also in digits of a string; True and 82.0 are none."""
        code = answer.at(self.code)
        if type(code) is int and abs(code) < 10**9:
            return code
        if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code):
            return int(code)
        return None

    def phrase(self, answer: Answer) -> str | None:
        """The first of `by_phrase` and `throttled` that the body has, wherever that is."""
        known = [*self.by_phrase, *(each for each in self.throttled if isinstance(each, str))]
        body = answer.body.decode(errors="replace").lower() if known else ""
        return next((phrase for phrase in known if phrase in body), None)

    def said(self, answer: Answer) -> str:
        """The error's sentences, else the status."""
        return self._words(answer) or f"the gateway answered {_named(answer.status)}"

    def _words(self, answer: Answer) -> str:
        words: list[Any] = [answer.at(path) for path in self.words]
        return " / ".join(word for word in words if isinstance(word, str) and word.strip())


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
