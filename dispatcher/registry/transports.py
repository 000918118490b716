"""A transport's pure methods, as planning calls them: timed, and blamed for what they raise."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from dispatcher.errors import PluginError, pass_on_interruption
from dispatcher.hookspecs import Transport
from dispatcher.models import Attachment, Message, Problem, decode
from dispatcher.models.base import detached
from dispatcher.registry import answers
from dispatcher.registry.checks import describe
from dispatcher.registry.clock import Clock
from dispatcher.registry.recipient import RECIPIENT_FIELDS

# The names of a transport and of its method → the clock for it.
GetClock: TypeAlias = Callable[[str, str], Clock]


class TransportCalls:
    """`build` and `check` of one transport. Whatever it raises, or wrongly answers, is a
    `PluginError` with its name.

    `recipient_fields`: the names of what says to whom its payloads go.
    """

    def __init__(self, transport: Transport, clock: GetClock) -> None:
        self._transport, self._name = transport, transport.name
        self._clocks = {method: clock(self._name, method) for method in ("build", "check")}
        self._builtin = self._clocks["build"].plugin.builtin
        self.recipient_fields: Collection[str] = frozenset(
            getattr(type(transport), "recipient_fields", RECIPIENT_FIELDS)
        )

    def build(self, message: Message, attachment: Attachment | None) -> bytes:
        """The JSON body for a message, sealed."""
        if not self._builtin:
            message, attachment = detached(message), detached(attachment)
        built: bytes = self._ask("build", answers.payload_answer, message, attachment)
        return built

    def check(self, sealed: bytes, attachment: Attachment | None) -> list[Problem]:
        """What the gateway would not take."""
        if not self._builtin:
            attachment = detached(attachment)
        payload = decode(sealed)
        problems: list[Problem] = self._ask("check", answers.check_answer, payload, attachment)
        return problems

    def _ask(self, method: str, read: answers.Read, *arguments: object) -> Any:
        try:
            with self._clocks[method]:
                return read(getattr(self._transport, method)(*arguments))
        except BaseException as error:
            pass_on_interruption(error)
            where = f'transport "{self._name}" failed in {method}'
            raise PluginError(f"{where}: {describe(error)}") from error
