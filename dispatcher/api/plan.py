"""A plan: what `send` would do, and every problem of the manifests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from dispatcher import git_history
from dispatcher.api.configured_journal import ConfiguredJournal
from dispatcher.errors import (
    ConfigError,
    JournalError,
    ManifestError,
    MessagesMoved,
    TooManyMessages,
)
from dispatcher.models import LocatedProblem
from dispatcher.planning import PlannedMessage, Planner, Records
from dispatcher.planning.overview import Overview, overview_of
from dispatcher.planning.selection import SelectionOptions

if TYPE_CHECKING:
    from dispatcher.api.plan_file import SavedPlan

Resend: TypeAlias = Literal["changed", "unknown", "moved"]


class PlanRequest(NamedTuple):
    """What a plan was asked for: see `Dispatcher.plan`."""

    paths: tuple[Path, ...] = ()
    run: str | None = None
    selection: SelectionOptions = SelectionOptions()


class Plan:
    """What `send` would do: the messages of manifests, and what is wrong with them.

    `problems` are those of all files, warnings included; with an error among them nothing can be
    sent. `len` is the number of messages. Iterating yields each message with its current status in
    the journal, its payload and its upload; it may be repeated. It raises ManifestError if there
    are errors, and InputChanged once a file is not as it was checked.

    `request` is what it was asked for, unless it is of a program's messages. `saved` is the plan
    that was reviewed, if nothing else may be sent.
    """

    def __init__(
        self,
        configured_journal: ConfiguredJournal,
        make: Callable[[], Planner],
        *,
        compare: bool = False,
        journal: Records | None = None,
        request: PlanRequest | None = None,
        saved: SavedPlan | None = None,
    ) -> None:
        self._configured_journal, self._make = configured_journal, make
        self.request, self.saved = request, saved
        self.planner = make()
        try:
            with configured_journal.records(journal, wanted=compare) as records:
                self.problems: list[LocatedProblem] = list(self.planner.check(records))
                if records is not None:
                    self.problems += self._doubtful_former_names(records)
        except JournalError:  # problems of the files are shown first
            self.problems = list(self.planner.check())
            if not self.errors:
                raise

    def __len__(self) -> int:
        return self.planner.checked

    def __iter__(self) -> Iterator[PlannedMessage]:
        self.require_good()
        return self._configured_journal.compared(self.planner)

    @property
    def run(self) -> str:
        """Return the name of the run, the first part of every key."""
        return self.planner.run

    @property
    def errors(self) -> list[LocatedProblem]:
        """Return the problems because of which nothing can be sent."""
        return [each for each in self.problems if each.is_error]

    @property
    def without_message(self) -> list[str]:
        """Return the recipients that were named (`to`) but get none of the messages."""
        return self.planner.without_message

    def require_good(self) -> None:
        """Raise ManifestError if there are errors, ConfigError if no message has a chosen name, or
        PlanOutdated if one had it when the plan was reviewed."""
        if self.errors:
            raise ManifestError(self.problems)
        try:
            self.planner.require_selected()
        except ConfigError as error:
            raise (self.saved.outdated(error.sentences) if self.saved else error) from None

    def _doubtful_former_names(self, records: Records) -> Iterator[LocatedProblem]:
        """Yield a problem for each former name that the journal does not have.

        The messages that claim it would all be sent, which is right only if they never were.
        """
        overview = self.planner.overview
        claims = [
            (name, claim)
            for name, claim in self.planner.defined.claims()
            if overview is not None and claim.by not in overview.found
        ]
        known = records.known_names([name for name, _ in claims]) if claims else None
        if known is not None:
            yield from self.planner.defined.doubtful(claims, known, git_history.ever_had)

    @property
    def overview(self) -> Overview:
        """Return what there is to send, as of the first call. Raises what iterating raises."""
        if self.planner.overview is None:
            self.require_good()
            self.planner.overview = overview_of(self)
        return self.planner.overview

    def require_allowed(self, resend: Collection[Resend] = (), most: int | None = None) -> None:
        """Raise MessagesMoved or TooManyMessages if a plan without errors must not be sent."""
        overview = self.overview
        if overview.moved and "moved" not in resend:
            problems = self.planner.defined.moved_problems(overview.moved, overview.was)
            raise MessagesMoved(list(problems))
        count = overview.to_send(resend)
        if most is not None and count > most:
            raise TooManyMessages(
                f"{count} messages would leave, and at most {most} may (--max, or max below "
                "[delivery]); nothing was sent"
            )

    def renewed(self, journal: Records) -> Plan:
        """Return a plan of the same manifests as they are now, compared with a journal."""
        return Plan(
            self._configured_journal,
            self._make,
            journal=journal,
            request=self.request,
            saved=self.saved,
        )
