"""The faults that are wanted most often, each set by one switch."""

from typing import Any, Final, NamedTuple

from dispatcher.sandbox.faults import parse_rules


class Common(NamedTuple):
    """A fault as a switch: `rule` as `PUT /api/faults` takes it."""

    name: str
    label: str
    effect: str
    rule: dict[str, Any]


COMMON: Final = (
    Common(
        "limit",
        "Too many requests",
        "Answers 429 and asks to wait for a second; nothing is accepted.",
        {"fault": "status", "status": 429, "code": 82, "retry_after": 1},
    ),
    Common("slow", "Slow", "Answers after three seconds.", {"fault": "delay", "delay": 3}),
    Common(
        "reset",
        "Reset after accepting",
        "Accepts the message, then breaks the connection: nobody knows whether it arrived.",
        {"fault": "reset_after"},
    ),
)


def full(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule with its defaults, as `GET /api/faults` shows it."""
    return vars(parse_rules([rule])[0])
