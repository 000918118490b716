"""Messages roughly as WhatsApp shows them, for the sandbox's inbox and for `preview`.

formatting.py  a text with WhatsApp's marks → HTML; any other text → what a page may contain
bubble.py      a payload → what its bubble shows
search.py      whether a search finds a payload
pages.py       templates/ and static/, for pages with bubbles

Everything but pages.py is pure. WhatsApp publishes no exact rules for its marks, so every page says
that the formatting is approximate.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

Family: TypeAlias = Literal["image", "video", "audio"]
"""The first part of the MIME types of files that a page can show."""


_CHECKED = ConfigDict(defer_build=True)  # plugins make them


@dataclass(frozen=True, config=_CHECKED)
class BubbleFile:
    """The file of a bubble: its `id` at the gateway, or a `link` that the gateway fetches.

    `provider` names the credentials for the link, `name` is what the recipient sees. A file that is
    `shown_as` nothing is shown by its name.
    """

    id: str | None = None
    link: str | None = None
    provider: str | None = None
    name: str | None = None
    shown_as: Family | None = None


@dataclass(frozen=True, config=_CHECKED)
class Bubble:
    """What a chat shows of a message.

    `label` is the kind of content in people's words, `text` has WhatsApp's marks (*bold*), `lines`
    are shown below it, one each, as the options of a poll are, and `buttons` at the end.
    """

    label: str
    text: str = ""
    lines: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    file: BubbleFile | None = None
