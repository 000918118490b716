"""The transport `greenapi-instance`: WhatsApp messages through an instance of Green API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dispatcher import Attachment, Message, Problem, Transport, hookimpl
from dispatcher.http.whatsapp import file_warnings
from dispatcher_greenapi_instance.transport import GreenApiInstance

__all__ = ["GreenApiInstance", "dispatcher_transports", "dispatcher_validate_message"]


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Offer the transport `greenapi-instance`."""
    return [GreenApiInstance]


@hookimpl
def dispatcher_validate_message(
    message: Message, attachment: Attachment | None
) -> Iterator[Problem]:
    """What the recipient will not see as it is meant: a payload does not say what it is sent as."""
    if message.transport == GreenApiInstance.name and message.media is not None:
        key = "source" if message.media.source is not None else "link"
        for problem in file_warnings(message.type, attachment):
            yield problem.model_copy(update={"where": f"{message.type}.{key}"})
