"""A transport's pure methods, as planning calls them: timed, and blamed for what they raise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeAlias

from dispatcher.addresses import phone_address
from dispatcher.errors import AddressError, PluginError, pass_on_interruption
from dispatcher.hookspecs import Transport
from dispatcher.models import Address, Attachment, Link, Message, Payload, Problem, encode
from dispatcher.registry import answers
from dispatcher.registry.checks import describe
from dispatcher.registry.clock import Clock

# The names of a transport and of its method → the clock for it.
GetClock: TypeAlias = Callable[[str, str], Clock]


class TransportCalls:
    """`address`, `build` and `check` of one transport. Whatever it raises, or wrongly answers, is a
    `PluginError` with its name. `has_addresses`: of its own, not phone numbers and groups."""

    def __init__(self, transport: Transport, clock: GetClock) -> None:
        self._transport, self._name = transport, transport.name
        own = ("address",) if getattr(transport, "address", None) is not None else ()
        self._clocks = {method: clock(self._name, method) for method in ("build", "check", *own)}
        self.has_addresses = bool(own)

    def address(self, written: str, country: str | None) -> Address:
        """Where a message goes that has this written as its recipient. Raises AddressError.

        A transport without a method of its own has phone numbers and groups.
        """
        if not self.has_addresses:
            return phone_address(written, country)
        address: Address = self._ask("address", answers.address_answer, written, country)
        return address

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        """The JSON body for a message."""
        payload: Payload = self._ask("build", answers.payload_answer, message, attachment)
        return payload

    def check(self, payload: Payload, attachment: Attachment | None) -> list[Problem]:
        """What the gateway would not take."""
        problems: list[Problem] = self._ask("check", answers.check_answer, payload, attachment)
        return problems

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
            if isinstance(error, AddressError) and method == "address":
                raise
            where = f'transport "{self._name}" failed in {method}'
            raise PluginError(f"{where}: {describe(error)}") from error
