"""The transport `greenapi-instance`: WhatsApp messages through an instance of Green API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dispatcher import Attachment, Message, Problem, Transport, hookimpl
from dispatcher.http.whatsapp import file_warnings
from dispatcher_greenapi_instance.transport import GreenApiInstance

__all__ = ["GreenApiInstance", "dispatcher_transports", "dispatcher_validate_message"]


@hookimpl
def dispatcher_transports() -> Iterable[type[Transport]]:
    """Return the transport `greenapi-instance`."""
    return [GreenApiInstance]


@hookimpl
def dispatcher_validate_message(
    message: Message, attachment: Attachment | None
) -> Iterator[Problem]:
    """Warn about what the recipient will not see as intended.

    The payload does not say as which kind a file is sent, so that the message is checked.
    """
    if message.transport == GreenApiInstance.name and message.media is not None:
        key = "source" if message.media.source is not None else "link"
        for problem in file_warnings(message.type, attachment):
            yield problem.model_copy(update={"where": f"{message.type}.{key}"})
