"""Which of the planned messages are meant: some of them, some recipients, or copies for a trial."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nsmallest
from itertools import groupby
from typing import Self, TypeAlias, TypedDict

from dispatcher.errors import AddressError, ConfigError
from dispatcher.manifest.definitions import LoadedMessage
from dispatcher.manifest.former_names import MessageName
from dispatcher.models import Address, Message
from dispatcher.names import canonical_name, did_you_mean

# As in `dispatcher.manifest.expansion`: a transport's name, what was written, and the country.
ReadAddress: TypeAlias = Callable[[str, str, str | None], Address]
# Some recipients of each message.
Sample: TypeAlias = Mapping[MessageName, frozenset[str]]


class SelectionOptions(TypedDict, total=False):
    """What a user may say: see `Selection`. One text stands for a list of one."""

    only: Iterable[str]
    to: Iterable[str]
    limit: int | None
    sample: int | None
    trial: str | None


@dataclass(frozen=True)
class Selection:
    """What the user says of the messages that are meant; of which nothing is said, all are.

    `only`: ids, or manifest/id. `to`: recipients, as people write them. `limit`: so many recipients
    of each message, the first ones; `sample`: so many, always the same ones. `trial`: who gets
    their messages in their place. `country`: where all these numbers are dialled that have no
    country code. Raises ConfigError.
    """

    only: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    limit: int | None = None
    sample: int | None = None
    trial: str | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        for option, number in (("--limit", self.limit), ("--sample", self.sample)):
            if number is not None and number < 1:
                raise ConfigError(f"{option} {number}: it takes at least one recipient")
        if self.limit is not None and self.sample is not None:
            raise ConfigError("--limit and --sample both say how many recipients; give only one")

    @classmethod
    def of(
        cls,
        country: str | None,
        *,
        only: Iterable[str] = (),
        to: Iterable[str] = (),
        limit: int | None = None,
        sample: int | None = None,
        trial: str | None = None,
    ) -> Self | None:
        """Make one of `SelectionOptions`; None: all messages are meant. Raises ConfigError."""
        selection = cls(_several(only), _several(to), limit, sample, trial, country)
        return selection if selection != cls(country=country) else None

    @property
    def sample_size(self) -> int | None:
        """How many recipients of each message a sample has; None: all of them.

        A trial has one, unless its recipients are chosen in another way.
        """
        if self.trial is None or self.to or self.limit is not None:
            return self.sample
        return self.sample or 1


class Chooser:
    """Chooses messages of a plan, which it is given in their order, and once.

    `sample`: as `sample_of` found it. `read_address` is the transports'.
    """

    def __init__(
        self, selection: Selection, read_address: ReadAddress, sample: Sample | None = None
    ) -> None:
        self._selection, self._sample = selection, sample
        self._read_address = read_address
        self._only = frozenset(map(canonical_name, selection.only))
        self._counts: Counter[MessageName] = Counter()
        self._found: set[str] = set()
        self._recipients: dict[str, dict[str, str]] = {}  # by transport: as written, and as read
        self._refused: dict[str, AddressError] = {}  # by a transport at least, as written
        self._trial: dict[str, Address] = {}

    def marked(self, loaded: LoadedMessage) -> LoadedMessage:
        """Return a message as it is to be planned, marked if it is not meant.

        In a trial, one that is meant goes to whoever tries it. Raises ConfigError.
        """
        message = loaded.message
        if not (self._matches(message) and self._is_among_few(message)):
            return loaded._replace(chosen=False)
        if self._selection.trial is None:
            return loaded
        address = self._trial_address(self._selection.trial, message.transport)
        return loaded._replace(message=message.model_copy(update=address._asdict()))

    def sample_of(self, messages: Iterable[Message], size: int) -> Sample:
        """Return so many recipients of each message, the same ones whatever else is in a list."""
        matching = filter(self._matches, messages)
        return {
            name: frozenset(nsmallest(size, (each.to for each in to_all), partial(_rank, name)))
            for name, to_all in groupby(matching, _name)
        }

    def unmatched(self, names: Sequence[MessageName]) -> Iterator[str]:
        """Say what the user named that is not there, among messages of these names."""
        ids = dict.fromkeys(each.id for each in names)
        known = [*ids, *map(str, names)]
        for name in self._selection.only:
            if canonical_name(name) not in known:
                near = did_you_mean(canonical_name(name), known)
                yield f"--only {name}: there is no such message{near}"
        for written in self._selection.to:
            if written in self._refused and not self._read(written):
                yield f"--to {written}: {self._refused[written]}"

    @property
    def without_message(self) -> list[str]:
        """The recipients whom the user named and to whom no message goes."""
        return [each for each in self._selection.to if self._found.isdisjoint(self._read(each))]

    def _read(self, written: str) -> set[str]:
        """What the transports made of a recipient, those that took it."""
        return {read[written] for read in self._recipients.values() if written in read}

    def _matches(self, message: Message) -> bool:
        """Whether the message and its recipient are among those whom the user named."""
        if self._only and self._only.isdisjoint((message.id, str(_name(message)))):
            return False
        if not self._selection.to:
            return True
        found = message.to in self._recipients_of(message.transport).values()
        if found:
            self._found.add(message.to)
        return found

    def _is_among_few(self, message: Message) -> bool:
        """Whether the message is one of the sample, or within the limit."""
        name, limit = _name(message), self._selection.limit
        if self._sample is not None:
            return message.to in self._sample.get(name, ())
        self._counts[name] += 1
        return limit is None or self._counts[name] <= limit

    def _recipients_of(self, transport: str) -> dict[str, str]:
        """Whom the user named, as far as a transport takes it."""
        if transport not in self._recipients:
            read = self._recipients[transport] = {}
            for written in self._selection.to:
                try:
                    address = self._read_address(transport, written, self._selection.country)
                    read[written] = address.to
                except AddressError as error:
                    self._refused[written] = error
        return self._recipients[transport]

    def _trial_address(self, written: str, transport: str) -> Address:
        if transport not in self._trial:
            try:
                address = self._read_address(transport, written, self._selection.country)
            except AddressError as error:
                raise ConfigError(f"--trial {written}: {error}") from None
            if address.recipient_type == "group":
                raise ConfigError(f"--trial {written}: a trial goes to one person, not to a group")
            self._trial[transport] = address
        return self._trial[transport]


def stands_for(message: Message) -> str | None:
    """Return the recipient for whom a copy was made that goes to whoever tries it; else None."""
    recipient = message.key.split("/", 4)[-1]
    return recipient if recipient != message.to else None


def _several(texts: Iterable[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _name(message: Message) -> MessageName:
    return MessageName(message.manifest, message.id)


def _rank(name: MessageName, to: str) -> bytes:
    """Where a recipient stands in an order that looks like chance, and is always the same."""
    return hashlib.sha256(f"{name}/{to}".encode(errors="surrogatepass")).digest()
