"""A transport's pure methods, as planning calls them: timed, and blamed for what they raise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeAlias

from dispatcher.errors import PluginError, pass_on_interruption
from dispatcher.hookspecs import Transport
from dispatcher.models import Attachment, Link, Message, Payload, Problem, encode
from dispatcher.registry import answers
from dispatcher.registry.checks import describe
from dispatcher.registry.clock import Clock

# The names of a transport and of its method → the clock for it.
GetClock: TypeAlias = Callable[[str, str], Clock]


class TransportCalls:
    """`build` and `check` of one transport. Whatever it raises, or wrongly answers, is a
    `PluginError` with its name."""

    def __init__(self, transport: Transport, clock: GetClock) -> None:
        self._transport, self._name = transport, transport.name
        self._clocks = {method: clock(self._name, method) for method in ("build", "check")}

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The JSON body for a message."""
        payload: Payload = self._ask("build", answers.payload_answer, message, attachment)
        return payload

    def check(self, payload: Payload, attachment: Attachment | None) -> list[Problem]:
        """What the gateway would not take."""
        problems: list[Problem] = self._ask("check", answers.check_answer, payload, attachment)
        plugin = self._clocks["check"].plugin
        return [
            problem.model_copy(update={"message": plugin.signed(problem.message)})
            for problem in problems
        ]

    def digest(self, payload: Payload, attachment: Attachment | None) -> str:
        """What tells a payload from every other one; of a file, its content counts."""
        try:
            content = encode(payload)
        except (TypeError, ValueError) as error:
            cause = f"{type(error).__name__}: {error}"
            raise PluginError(f'the payload for "{self._name}" is not JSON: {cause}') from error
        if isinstance(attachment, Link) and attachment.identity is not None:
            content = content.replace(attachment.url.encode(), attachment.identity.encode())
        return hashlib.sha256(content).hexdigest()

    def _ask(self, method: str, read: answers.Read, *arguments: object) -> Any:
        try:
            with self._clocks[method]:
                return read(getattr(self._transport, method)(*arguments))
        except BaseException as error:
            pass_on_interruption(error)
            where = f'transport "{self._name}" failed in {method}'
            raise PluginError(f"{where}: {describe(error)}") from error
