"""A message as Apprise gets it: a target, a text, and files."""

from __future__ import annotations

from collections.abc import Iterator

from dispatcher import Attachment, Link, MediaId, Message, Payload, Problem, Upload
from dispatcher_apprise.targets import NAME

NO_TARGET = '"to" is the name of a target of Apprise, like ops'


def build(message: Message, attachment: Attachment | None) -> Payload:
    """`{"to": target, "body": text}`, and with an upload `"attach": [{"file", "name", "type"}]`.

    A link stands in the text, on a line of its own: the recipient's application shows it.
    """
    lines = [getattr(message.content, "body", None) or getattr(message.content, "caption", None)]
    if isinstance(attachment, Link):
        lines.append(attachment.url)
    payload: Payload = {"to": message.to, "body": "\n".join(line for line in lines if line)}
    if isinstance(attachment, Upload):
        name = getattr(message.content, "filename", None) or attachment.filename
        file = {"file": attachment.reference, "name": name, "type": attachment.mime_type}
        payload["attach"] = [file]
    return payload


def check(payload: Payload, attachment: Attachment | None) -> Iterator[Problem]:
    """What holds for every target; never raises."""
    to, body, files = payload.get("to"), payload.get("body"), payload.get("attach", [])
    if not isinstance(to, str) or not NAME.fullmatch(to):
        yield Problem(message=NO_TARGET, where="to")
    if not isinstance(body, str) or not (body.strip() or files):
        yield Problem(message="there is neither a text nor a file to send")
    if not well_formed(files):
        yield Problem(message="the files of the payload cannot be used")
    if isinstance(attachment, MediaId):
        yield Problem(message="Apprise stores no files, so it has no ids; use source or link")
    if isinstance(attachment, Link) and attachment.provider is not None:
        yield Problem(message="Apprise knows no provider; the link must be open to its readers")


def well_formed(files: object) -> bool:
    """Whether it is a list of files as `build` makes it."""
    return isinstance(files, list) and all(
        isinstance(file, dict)
        and all(isinstance(file.get(key), str) for key in ("file", "name", "type"))
        for file in files
    )
