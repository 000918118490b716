"""The rules by which the gateway misbehaves, and which one applies (DESIGN, "The sandbox")."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from dispatcher.sandbox.bell import Bell

MESSAGES: Final = "/v1/messages"
FAULTS: Final = (
    "status",
    "refuse",
    "reset_before",
    "reset_after",
    "stall",
    "not_json",
    "no_id",
    "html",
    "redirect",
    "delay",
)
BODILESS: Final = (204, 205, 304)
LONGEST_DELAY: Final = 3600


class BadRule(ValueError):
    """A rule that cannot be: its place in the list, the field (None: all of it) and the reason."""

    def __init__(self, index: int | None, field: str | None, reason: str) -> None:
        place = "the rules" if index is None else f"rule {index}"
        super().__init__(": ".join(part for part in (place, field, reason) if part))
        self.index = index
        self.field = field


@dataclass
class Rule:
    """One fault to inject; `times` counts down to 0, None is without end."""

    fault: str
    path: str = MESSAGES
    to: str | None = None
    times: int | None = None
    probability: float = 1.0
    status: int = 500
    code: int = 1010
    retry_after: float | str | None = None
    delay: float = 0

    def concerns(self, path: str) -> bool:
        return self.times != 0 and path.startswith(self.path)


class Faults:
    """The list of rules; the first that matches applies."""

    def __init__(
        self, chance: Callable[[], float] = random.random, bell: Bell | None = None
    ) -> None:
        self._chance = chance
        self._bell = bell or Bell()
        self._rules: list[Rule] = []

    def replace(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._bell.ring()

    def view(self) -> list[dict[str, Any]]:
        """The rules as they were put, every default filled in, `times` being what is left."""
        return [asdict(rule) for rule in self._rules]

    def need_recipient(self, path: str) -> bool:
        """Whether the body must be read to know which rule applies; only messages are addressed."""
        if path != MESSAGES:
            return False
        return any(rule.to is not None and rule.concerns(path) for rule in self._rules)

    def take(self, path: str, to: str | None) -> Rule | None:
        """The rule that applies to this request, counted down, or None."""
        for rule in self._rules:
            if rule.concerns(path) and rule.to in (None, to) and self._chance() < rule.probability:
                if rule.times is not None:
                    rule.times -= 1
                    self._bell.ring()
                return rule
        return None


def parse_rules(rules: object) -> list[Rule]:
    """The rules of a decoded `PUT /api/faults` body; BadRule for the first thing that is wrong."""
    if not isinstance(rules, list):
        raise BadRule(None, None, "must be a list of objects")
    return [_parse_rule(index, rule) for index, rule in enumerate(rules)]


def _parse_rule(index: int, rule: object) -> Rule:
    if not isinstance(rule, dict):
        raise BadRule(index, None, "must be an object")
    for field, value in rule.items():
        if field not in CHECKS:
            raise BadRule(index, field, f"unknown; a rule has {', '.join(CHECKS)}")
        fits, meaning = CHECKS[field]
        if not fits(value):
            raise BadRule(index, field, f"must be {meaning}")
    if "fault" not in rule:
        raise BadRule(index, "fault", "is missing")
    defaults: Mapping[str, Any] = DEFAULTS.get(rule["fault"], {})
    return Rule(**{**defaults, **rule})


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value) and value >= 0)


def _is_header_value(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and value != ""


DEFAULTS: Final[Mapping[str, dict[str, int]]] = {
    "html": {"status": 502},
    "redirect": {"status": 307},
}

CHECKS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "path": (lambda it: isinstance(it, str) and it.startswith("/"), "the start of a path"),
    "to": (lambda it: it is None or isinstance(it, str), "a recipient or null"),
    "fault": (lambda it: it in FAULTS, f"one of {', '.join(FAULTS)}"),
    "times": (lambda it: it is None or _is_whole(it), "a whole number, 0 or more, or null"),
    "probability": (lambda it: _is_number(it) and it <= 1, "a number from 0 to 1"),
    "status": (
        lambda it: _is_whole(it) and 200 <= it <= 599 and it not in BODILESS,
        "an HTTP status from 200 to 599 that has a body",
    ),
    "code": (_is_whole, "a whole number, 0 or more"),
    "retry_after": (
        lambda it: it is None or _is_number(it) or _is_header_value(it),
        "seconds, a printable string or null",
    ),
    "delay": (lambda it: _is_number(it) and it <= LONGEST_DELAY, f"seconds, 0 to {LONGEST_DELAY}"),
}
