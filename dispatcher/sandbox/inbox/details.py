"""About one message: what each of the gateway's checks said of it, and how to post it again."""

from collections.abc import Callable, Iterator, Mapping
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dispatcher.bubbles.formatting import size
from dispatcher.sandbox.contract import LONGEST_TEXT, type_of
from dispatcher.sandbox.media import Media


class Check(NamedTuple):
    """A check, and what it said; `good` unless something has changed since."""

    name: str
    said: str
    good: bool = True


def checks(payload: Mapping[str, Any], get_media: Callable[[str], Media | None]) -> list[Check]:
    """All checks that concern this message."""
    kind = type_of(payload)
    return [
        Check("Token", "a Bearer token that is valid here"),
        _recipient(payload),
        Check("Type", kind if "type" in payload else f"{kind}, as none is named"),
        *(_text(payload) if kind == "text" else _media(payload[kind], get_media)),
    ]


def _recipient(payload: Mapping[str, Any]) -> Check:
    what = "digits-hyphen-digits: a group" if "-" in payload["to"] else "digits: a person"
    agrees = ", and recipient_type agrees" if "recipient_type" in payload else ""
    return Check("Recipient", what + agrees)


def _text(payload: Mapping[str, Any]) -> Iterator[Check]:
    length = len(payload["text"]["body"])
    yield Check("Text", f"{length} of {LONGEST_TEXT} characters, none of them a control character")
    if "preview_url" in payload:
        yield Check("Preview", "of a link is asked for" if payload["preview_url"] else "is off")


def _media(content: Mapping[str, Any], get_media: Callable[[str], Media | None]) -> Iterator[Check]:
    if "link" in content:
        yield Check("Link", f"an address at {urlsplit(content['link']).hostname}; not fetched here")
    else:
        yield _file(get_media(content["id"]))
    if "provider" in content:
        yield Check("Provider", f"{content['provider']['name']}; any name is known here")
    for name in ("caption", "filename"):
        if name in content:
            yield Check(name.capitalize(), f"{len(content[name])} characters, allowed here")


def _file(media: Media | None) -> Check:
    if media is None:
        return Check("File", "was uploaded then; has expired or was removed since", good=False)
    return Check("File", f"was uploaded: {media.content_type}, {size(media.size)}")


def curl(url: str, body: str) -> str:
    """A command that posts a message again, for a shell in which GREENAPI_TOKEN is set.

    The gateway keeps no token, so the command cannot name it.
    """
    return " \\\n  ".join(
        [
            f"curl {quote(f'{url}/v1/messages')}",
            '-H "Authorization: Bearer $GREENAPI_TOKEN"',
            "-H 'Content-Type: application/json'",
            f"--data-raw {quote(body)}",
        ]
    )
