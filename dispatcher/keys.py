"""The key of a message, `run/manifest/id/revision/recipient`: a message is sent once per key.

`manifest.expansion` gives every message its key.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from dispatcher.names import invisible, why_invalid

_PARTS = 5
_REVISION = re.compile("[1-9][0-9]*")


class Key(NamedTuple):
    """The parts of a key."""

    run: str
    manifest: str
    id: str
    revision: str
    recipient: str

    def __str__(self) -> str:
        return beginning(self.run, self.manifest, self.id, self.revision) + self.recipient


def beginning(run: str, manifest: str, id: str, revision: int | str) -> str:
    """Make a key, up to its recipient: most messages have many."""
    return f"{run}/{manifest}/{id}/{revision}/"


def parsed(key: str) -> Key | None:
    """Return the parts of a key, or None if the text is no key."""
    parts = key.split("/", _PARTS - 1)  # the last part is the recipient, which may contain a /
    if len(parts) != _PARTS or not parts[-1] or _REVISION.fullmatch(parts[3]) is None:
        return None
    found = Key(*parts)
    named = not any(map(why_invalid, (found.run, found.manifest, found.id)))
    return found if named and not invisible(found.recipient) else None


def spellings(key: str) -> Iterator[str]:
    """Yield the key itself, then its other spellings: each of its names composed or decomposed.

    A dispatcher that did not normalise names may have recorded any of them.
    """
    yield key
    if key.isascii():
        return
    forms = (
        dict.fromkeys(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))
        for part in key.split("/", _PARTS - 1)
    )
    yield from (other for parts in product(*forms) if (other := "/".join(parts)) != key)
