"""Which messages have moved: their recipients have the same words already, as another message that
is gone, or that is not for them any more, or has other words now.

So it does not matter how a message lost its name: it was renamed, its manifest was split, ids were
numbered anew, some recipients were given to another message, or a raised revision was taken back.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from dispatcher.keys import parsed
from dispatcher.manifest.former_names import DefinedNames, MessageName
from dispatcher.models import Delivered, Message
from dispatcher.names import canonical_name

# What the journal knows to be delivered, by the digests of some messages and their recipients.
FindDelivered: TypeAlias = Callable[[Sequence[str], Sequence[str]], Iterable[Delivered]]


class Copies:
    """The copies that people have of messages, and whether a message stands for each of them.

    `messages` gives all messages that are planned, selected or not, each with its digest. It is
    called once, and only where there are copies of which names alone do not tell.
    """

    def __init__(
        self, defined: DefinedNames, messages: Callable[[], Iterable[tuple[Message, str]]]
    ) -> None:
        self._defined, self._messages = defined, messages

    def found(
        self, messages: Iterable[tuple[Message, str]], delivered: FindDelivered
    ) -> Mapping[str, list[Delivered]]:
        """What recipients of these messages, each with its digest, have of the same words, by the
        message's key; of messages that are planned elsewhere, nothing."""
        asked = [each for each in messages if not self._defined.is_own(_name(each[0]))]
        digests = list(dict.fromkeys(digest for _, digest in asked))
        # Where a payload does not name its recipient, all of a list have one digest.
        alike = len(digests) < len(asked)
        recipients = list(dict.fromkeys(message.to for message, _ in asked)) if alike else ()
        found = list(delivered(digests, recipients)) if asked else ()
        if not found:  # as for almost all batches
            return {}
        by_content: dict[tuple[str, str], list[Message]] = {}
        for message, digest in asked:
            by_content.setdefault((digest, message.to), []).append(message)
        copies: dict[str, list[Delivered]] = {}
        for copy in found:
            for message in by_content.get((copy.digest, copy.recipient), ()):
                if self._is_copy(message, copy):
                    copies.setdefault(message.key, []).append(copy)
        return copies

    def _is_copy(self, message: Message, copy: Delivered) -> bool:
        run = message.key.partition("/")[0]
        if (copy.run, copy.transport) != (run, message.transport):
            return False
        if self._is_of(message, copy):
            return _revision(copy.key) > _revision(message.key)
        return not self._defined.is_elsewhere(_name(copy))

    def is_the_same(self, message: Message, former_keys: Sequence[str], copy: Delivered) -> bool:
        """Whether a copy that another run has made is this message, by a name that it had before or
        that no message has here: the other run has other manifests."""
        if copy.key in former_keys:
            return True
        own = self._defined.is_own(_name(message))
        return not own and self._defined.is_gone(_name(copy)) and self._is_copy(message, copy)

    def moved_from(self, message: Message, copies: Iterable[Delivered]) -> str | None:
        """The key of the copy that is this message's: no other message stands for it."""
        for copy in copies:
            if self._is_of(message, copy) or not self._has_message_for(copy):
                return copy.key
        return None

    def _is_of(self, message: Message, copy: Delivered) -> bool:
        """Whether a copy is one of this message, maybe under a former name."""
        name = _name(message)
        return _name(copy) in (name, *self._defined.former(name))

    def _has_message_for(self, copy: Delivered) -> bool:
        name = _name(copy)
        if self._defined.is_gone(name):
            return False
        fingerprint = _fingerprint(name, copy.recipient, copy.digest)
        index = bisect_left(self._sorted, fingerprint)
        return index < len(self._sorted) and self._sorted[index] == fingerprint

    @cached_property
    def _sorted(self) -> array[int]:
        """The messages under all their names; there may be a million."""
        return array("q", sorted(self._fingerprints()))

    def _fingerprints(self) -> Iterator[int]:
        for message, digest in self._messages():
            name = _name(message)
            for each in (name, *self._defined.former(name)):
                yield _fingerprint(each, message.to, digest)


def _name(message: Message | Delivered) -> MessageName:
    if isinstance(message, Message):
        return MessageName(message.manifest, message.id)
    return MessageName(canonical_name(message.manifest), canonical_name(message.message))


def _fingerprint(name: MessageName, to: str, digest: str) -> int:
    """In eight bytes; in this process."""
    return hash((name, to, digest))


def _revision(key: str) -> int:
    found = parsed(key)
    return int(found.revision) if found else 0
