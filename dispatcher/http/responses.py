"""Tables that say where a gateway's response holds its data and what it means.

Pure, and safe on any bytes. For connections that break see `connection_errors`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from math import inf, isfinite
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from dispatcher.errors import AccountRefused, DeliveryError, NotSent, OutcomeUnknown, Refused
from dispatcher.redaction import HIDDEN

__all__ = [
    "BY_STATUS",
    "HIDDEN",
    "HINTS",
    "STATUS_FIRST",
    "SUCCESS",
    "Classification",
    "ErrorMap",
    "Outcome",
    "Path",
    "Response",
    "Route",
]

Outcome: TypeAlias = type[DeliveryError]
Path: TypeAlias = tuple[str | int, ...]  # keys and positions in a JSON body

# A status that is not here is unknown: whatever broke in the gateway may have done so after it had
# accepted. So are the redirects that may mean "done, look there": 303 and 304 (RFC 9110, 15.4.4 and
# 15.4.5), 300, and those that RFC 9110 does not define, which are to be read as 300 (section 15).
# A gateway may forbid (403) one recipient, so the others go on.
BY_STATUS: Mapping[int, Outcome] = {
    **dict.fromkeys((301, 302, 307, 308), Refused),
    **dict.fromkeys((400, 403, 404, 405, 413, 414, 415, 422), Refused),
    401: AccountRefused,
    429: NotSent,
}
# A success counts only with an id, whatever else the response says.
SUCCESS = range(200, 300)
# For gateways whose error numbers are not known to be reliable.
STATUS_FIRST = (*SUCCESS, *range(500, 600), 429, 401, 403)
HINTS: Mapping[int, str] = {
    **dict.fromkeys(range(200, 300), "the answer has no id"),
    **dict.fromkeys(range(300, 400), "redirects are not followed, check {setting}"),
    401: "check {token}",
    **dict.fromkeys((404, 405), "check {setting}"),
}
MAX_RESPONSE = 1024 * 1024  # bytes of a body that are read, unless more are asked for
_LONGEST_ID = 2000  # characters; a URL may be one


class Response(NamedTuple):
    """A response. `broken` is why the body could not be read; `body` is then empty."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: Exception | None = None

    def accepted_id(self, path: Path) -> str | None:
        """Return the id at `path` in the body of a success, or None if there is none."""
        if not 200 <= self.status < 300:
            return None
        identifier = self.at(path)
        if type(identifier) is int and identifier > 0:
            identifier = str(identifier)
        if not isinstance(identifier, str) or len(identifier) > _LONGEST_ID:
            return None
        return identifier if identifier.strip() and identifier.isprintable() else None

    def at(self, path: Path) -> Any:
        """Return what the JSON body has at a path of keys and positions, or None."""
        try:
            return reduce(_inside, path, json.loads(self.body))
        except (ValueError, LookupError, RecursionError):
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait from now, never negative; None if not given or not understood.

        RFC 9110, 10.2.3. A date is by the gateway's clock, as the date of its response is.
        """
        value = self.headers.get("Retry-After", "").strip()
        number = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value)
        seconds = float(value) if number else self._seconds_until(value)
        return max(0.0, seconds) if isfinite(seconds) else None

    @property
    def date(self) -> datetime | None:
        """When the gateway made it, by its own clock; None if it does not say."""
        return _moment(self.headers.get("Date", ""))

    def _seconds_until(self, date: str) -> float:
        then, now = _moment(date), self.date
        return (then - (now or datetime.now(UTC))).total_seconds() if then else inf


def _seconds(value: Any) -> float | None:
    """Return a number of seconds that a body has, also as a text, or None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _inside(found: Any, step: str | int) -> Any:
    kind: type[Any] = dict if isinstance(step, str) else list
    if isinstance(found, kind):
        return found[step]
    raise LookupError


def _moment(date: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # planning need not pay for it

    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Classification(NamedTuple):
    """How an attempt failed."""

    outcome: Outcome
    code: str | None
    text: str
    retry_after: float | None = None
    throttled: bool = False


@dataclass(frozen=True)
class ErrorMap:
    """The tables of one gateway; every default is safe.

    `code` and `words` are where an error has its number and its sentences. An outcome is looked up
    by the number in `by_code`, then by what the body contains in `by_phrase` (in lower case), then
    in `by_status`; what is in no table is `OutcomeUnknown`. For the statuses in `status_first`,
    neither number nor phrase counts. `throttled` lists numbers and phrases that, like status 429,
    make the whole account wait; they are `NotSent`, too. `hints` are shown by status, unless the
    number decided; `{setting}` becomes the name of the setting with the address, `{token}` where
    the token was read. `retry_after` is where the body says how many seconds to wait; if the header
    Retry-After does, too, the longer wait counts.

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
    retry_after: Path | None = None

    def classify(
        self, response: Response, setting: str, token: str = "the token"
    ) -> Classification:
        """Return what a response without the id of an accepted message means.

        `setting` is the setting with the address, `token` where the token was read, both for
        people.
        """
        code, words = self.error_code(response), self._words(response)
        told = code in self.by_code and response.status not in self.status_first
        advice = "" if told else self.hints.get(response.status, "")
        hint = advice.format(setting=setting, token=token)
        if "{token}" not in advice:  # the advice says what such a status means
            words = words or self.said(response)
        return Classification(
            self.outcome(response),
            f"http {response.status}" if code is None else str(code),
            ": ".join(filter(None, (hint, words))),
            self._wait(response),
            response.status == 429
            or code in self.throttled
            or self.phrase(response) in self.throttled,
        )

    def outcome(self, response: Response) -> Outcome:
        """Return what became of the request; override it where tables are not enough."""
        if response.status in self.status_first:
            return self.by_status.get(response.status, OutcomeUnknown)
        code, phrase = self.error_code(response), self.phrase(response)
        if code in self.throttled or phrase in self.throttled:
            return NotSent
        by_code = self.by_code.get(code) if code is not None else None
        by_phrase = self.by_phrase.get(phrase) if phrase is not None else None
        return by_code or by_phrase or self.by_status.get(response.status, OutcomeUnknown)

    def error_code(self, response: Response) -> int | None:
        """Return the error's number, also from digits in a string; None for True or 82.0."""
        code = response.at(self.code)
        if type(code) is int and abs(code) < 10**9:
            return code
        if isinstance(code, str) and re.fullmatch(r"[0-9]{1,9}", code):
            return int(code)
        return None

    def phrase(self, response: Response) -> str | None:
        """Return the first of `by_phrase` and `throttled` that is anywhere in the body, or None."""
        known = [*self.by_phrase, *(each for each in self.throttled if isinstance(each, str))]
        body = response.body.decode(errors="replace").lower() if known else ""
        return next((phrase for phrase in known if phrase in body), None)

    def said(self, response: Response) -> str:
        """Return the error's sentences, or if there are none, the status."""
        return self._words(response) or f"the gateway answered {_named(response.status)}"

    def _wait(self, response: Response) -> float | None:
        inside = response.at(self.retry_after) if self.retry_after else None
        waits = (response.retry_after, _seconds(inside))
        return max((wait for wait in waits if wait is not None), default=None)

    def _words(self, response: Response) -> str:
        words: list[Any] = [response.at(path) for path in self.words]
        return " / ".join(word for word in words if isinstance(word, str) and word.strip())


def _named(status: int) -> str:
    from http import HTTPStatus  # as above

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


class Route(NamedTuple):
    """Where requests of one kind go, and what the responses look like.

    `setting` is the setting that holds the address. `identifier` is where a success has the new id.
    `repeatable` means that repeating does no harm, so that an unknown outcome may be tried again.
    Timeouts are seconds, as in `HttpSettings`. `token` says, for people, where the token was read.
    The path may contain the token itself or `HIDDEN`.
    """

    url: str
    setting: str
    identifier: Path
    error_map: ErrorMap
    connect_timeout: float = 5
    read_timeout: float = 30
    repeatable: bool = False
    token: str = "the token"

    @property
    def host(self) -> str:
        """The host, with the port if it is not the default."""
        return urlsplit(self.url).netloc

    def unless_repeatable(self, outcome: Outcome) -> Outcome:
        """Return the outcome, but `NotSent` for `OutcomeUnknown` where repeating does no harm."""
        return NotSent if self.repeatable and outcome is OutcomeUnknown else outcome
