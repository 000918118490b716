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
    """Say what the payload does not show: what the recipient will not see as intended, as it has
    no kind of file, and a preview that is both wanted and not."""
    if message.transport != GreenApiInstance.name:
        return
    if message.media is not None:
        key = "source" if message.media.source is not None else "link"
        for problem in file_warnings(message.type, attachment):
            yield problem.model_copy(update={"where": f"{message.type}.{key}"})
    wanted = getattr(message.content, "linkPreview", None)
    if wanted is not None and message.preview_url not in (None, wanted):
        yield Problem(message="preview_url says the opposite", where="text.linkPreview")
