"""A transport's pure methods, as planning calls them: timed, and blamed for what they raise."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dispatcher.addresses import phone_address
from dispatcher.errors import AddressError, PluginError, pass_on_interruption
from dispatcher.hookspecs import Transport
from dispatcher.models import Address, Attachment, Message, Problem, decode
from dispatcher.models.base import detached
from dispatcher.registry import answers
from dispatcher.registry.checks import describe
from dispatcher.registry.clock import GetClock
from dispatcher.registry.recipient import RECIPIENT_FIELDS


class TransportCalls:
    """`address`, `build` and `check` of one transport. Whatever it raises, or wrongly answers, is a
    `PluginError` with its name and its plugin's.

    `has_own_addresses`: it reads recipients itself, not as phone numbers and groups.
    `recipient_fields`: the names of what says to whom its payloads go.
    """

    def __init__(self, transport: Transport, clock: GetClock) -> None:
        self._transport, name = transport, transport.name
        own = ("address",) if getattr(transport, "address", None) is not None else ()
        self._clocks = {method: clock(name, method) for method in ("build", "check", *own)}
        self.has_own_addresses = bool(own)
        self._builtin = self._clocks["build"].plugin.builtin
        self.recipient_fields: Collection[str] = frozenset(
            getattr(type(transport), "recipient_fields", RECIPIENT_FIELDS)
        )

    def address(self, written: str, country: str | None) -> Address:
        """Where a message goes that has this written as its recipient. Raises AddressError.

        A transport without a method of its own has phone numbers and groups.
        """
        if not self.has_own_addresses:
            return phone_address(written, country)
        address: Address = self._ask("address", answers.address_answer, written, country)
        return address

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
        plugin = self._clocks["check"].plugin
        return [
            problem.model_copy(update={"message": plugin.signed(problem.message)})
            for problem in problems
        ]

    def _ask(self, method: str, read: answers.Read, *arguments: object) -> Any:
        clock = self._clocks[method]
        try:
            with clock:
                return read(getattr(self._transport, method)(*arguments))
        except BaseException as error:
            pass_on_interruption(error)
            if isinstance(error, AddressError) and method == "address":
                raise
            cause = describe(error)
            raise PluginError(f"{clock.plugin} failed in {clock.task}: {cause}") from error
