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

# A success is one only with an id; whatever broke in the gateway may have done so too late.
BY_STATUS: Mapping[int, Outcome] = {
    **dict.fromkeys(range(200, 300), OutcomeUnknown),
    **dict.fromkeys(range(500, 600), OutcomeUnknown),
    429: NotSent,
    401: AccountRefused,
    403: AccountRefused,
}
# What is in no table is unknown.
BY_STATUS_WITHOUT_CODE: Mapping[int, Outcome] = {
    **dict.fromkeys(range(300, 400), Refused),
    **dict.fromkeys((404, 405, 413, 414, 415, 422), Refused),
}
HINTS: Mapping[int, str] = {
    **dict.fromkeys(range(200, 300), "the answer has no id"),
    **dict.fromkeys(range(300, 400), "redirects are not followed, check {setting}"),
    **dict.fromkeys((401, 403), "check the token"),
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

    `code`, `words`: where an error has its number and its sentences. An outcome is looked up in
    `by_status`, then by the number in `by_code`, then by what the body says in `by_phrase` (in
    lower case), then in `by_status_without_code`; what is nowhere is `OutcomeUnknown`.
    `throttled`: codes and phrases, besides status 429, with which the whole account is to wait.
    `hints`: by status; `{setting}` becomes the name of the setting with the address.
    """

    code: Path = ("error", "code")
    words: Sequence[Path] = (("error", "message"),)
    by_status: Mapping[int, Outcome] = field(default_factory=lambda: BY_STATUS)
    by_code: Mapping[int, Outcome] = field(default_factory=dict)
    by_phrase: Mapping[str, Outcome] = field(default_factory=dict)
    by_status_without_code: Mapping[int, Outcome] = field(
        default_factory=lambda: BY_STATUS_WITHOUT_CODE
    )
    throttled: Sequence[int | str] = ()
    hints: Mapping[int, str] = field(default_factory=lambda: HINTS)

    def verdict(self, answer: Answer, setting: str) -> Verdict:
        """What an answer without the id of something accepted means."""
        code, said = self.error_code(answer), self.said(answer)
        hint = self.hints.get(answer.status, "").format(setting=setting)
        return Verdict(
            self.outcome(answer),
            f"http {answer.status}" if code is None else str(code),
            f"{hint}: {said}" if hint else said,
            answer.retry_after,
            answer.status == 429 or code in self.throttled or self.phrase(answer) in self.throttled,
        )

    def outcome(self, answer: Answer) -> Outcome:
        """What became of the request; override it where tables do not tell."""
        code, phrase = self.error_code(answer), self.phrase(answer)
        return (
            self.by_status.get(answer.status)
            or (None if code is None else self.by_code.get(code))
            or (None if phrase is None else self.by_phrase[phrase])
            or self.by_status_without_code.get(answer.status, OutcomeUnknown)
        )

    def error_code(self, answer: Answer) -> int | None:
        """The error's number, also in digits of a string; True and 82.0 are none."""
        code = answer.at(self.code)
        if type(code) is int and abs(code) < 10**9:
            return code
        if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code):
            return int(code)
        return None

    def phrase(self, answer: Answer) -> str | None:
        """The first of `by_phrase` that the body has, wherever that is."""
        body = answer.body.decode(errors="replace").lower() if self.by_phrase else ""
        return next((phrase for phrase in self.by_phrase if phrase in body), None)

    def said(self, answer: Answer) -> str:
        """The error's sentences, else the status."""
        words: list[Any] = [answer.at(path) for path in self.words]
        said = " / ".join(word for word in words if isinstance(word, str) and word.strip())
        return said or f"the gateway answered {_named(answer.status)}"


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
