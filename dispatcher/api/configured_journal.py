"""The journal that a Dispatcher uses: the configured one, opened when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dispatcher import duplicate_names
from dispatcher.config import Config
from dispatcher.errors import JournalMissing, JournalOfPeople, JournalOfTrials, ManifestError
from dispatcher.models import LocatedProblem
from dispatcher.planning import NoRecords, PlannedMessage, Planner, Records
from dispatcher.redaction import Secrets

if TYPE_CHECKING:
    from dispatcher.journal import Journal, JournalReader, KnownGateway

# A warning, which stops nothing: a sentence, or a problem with its place in a file.
Warn: TypeAlias = Callable[[str | LocatedProblem], object]


class ConfiguredJournal:
    """Opens the journal at `url`, or without one, the configuration's.

    `warn` gets the journal's warnings, and `secrets` the password of its URL.
    """

    def __init__(self, config: Config, warn: Warn, secrets: Secrets, url: str | None) -> None:
        self._config, self._warn, self._secrets = config, warn, secrets
        self._url = url
        for each in (url, config.settings.journal):
            secrets.add_password(each or "")

    @property
    def url(self) -> str:
        """Return the journal's URL. Raises ConfigError if there can be none."""
        if self._url is None:  # only if it is needed, as it may raise
            self._url = self._config.journal
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        self._secrets.add_password(url)
        self._url = url

    @contextmanager
    def reading(self, *, quiet: bool = False) -> Iterator[JournalReader | None]:
        """Open the journal for reading, even during a run; give None if there is none yet.

        With `quiet`, its warnings are not shown. Raises JournalError.
        """
        from dispatcher.journal import read_journal

        with read_journal(self.url) as journal:
            if journal is not None and not quiet:
                self.warn_of(journal)
            yield journal

    @contextmanager
    def writing(self, run: str, wait: float = 0.0) -> Iterator[Journal]:
        """Hold the journal, like a run of this name; it waits up to `wait` seconds for another run.

        Raises JournalError, JournalLocked.
        """
        from dispatcher.journal import open_journal

        with open_journal(self.url, wait, run) as journal:
            yield journal

    @contextmanager
    def records(self, journal: Records | None, *, wanted: bool) -> Iterator[Records | None]:
        """Give what a plan is compared with: `journal`, or, if `wanted`, the configured one."""
        if journal is not None or not wanted:
            yield journal
            return
        with self.reading(quiet=True) as opened:  # it warns when the messages are compared
            yield opened or NoRecords()

    def compared(self, planner: Planner) -> Iterator[PlannedMessage]:
        """Yield a plan's messages, compared with the journal as it is now."""
        with self.reading() as journal:
            if journal:
                self.require_own_names(planner, journal)
            yield from planner.plan(journal, ask_again=False)

    def require_own_names(self, planner: Planner, journal: Journal | JournalReader) -> None:
        """Raise ManifestError for manifests that share a name with others sent before."""
        known = journal.manifest_paths(planner.paths)
        problems = list(duplicate_names.problems(planner.paths, known, self._config.folder))
        if problems:
            raise ManifestError(problems)

    def require_begun(
        self, folder: Path, manifests: Iterable[Path], transports: Collection[str]
    ) -> None:
        """Raise JournalMissing if no journal has a message yet, and say where another one is; or
        if it knows these transports from trials only.

        That is looked for in the folder and beside the files of the manifests.
        """
        from dispatcher.journal import journal_name

        name = journal_name(self.url)
        fact = f"there is no journal {name} yet"
        with self.reading(quiet=True) as journal:
            if journal is not None:
                if journal.known_names(()) is not None:
                    _require_real(name, journal.known_gateways(), transports)
                    return
                fact = f"the journal {name} is empty"
        near = self._config.journal_near((folder, *(path.absolute().parent for path in manifests)))
        raise JournalMissing(
            f"{fact}: nobody knows what was sent before",
            "to begin one: --yes, in Python new_journal=True",
            *(
                [f"there is one elsewhere; if it is this one: --journal {near}"]
                if near and near != self.url
                else []
            ),
        )

    def require_for_trials(self, journal: Journal, transports: Collection[str]) -> None:
        """Raise JournalOfPeople if the journal knows one of these transports from gateways beyond
        this machine: what is sent on this machine now would count as sent to people."""
        from dispatcher.journal import journal_name

        for each in journal.known_gateways():
            if each.transport in transports and not each.local:
                raise JournalOfPeople(
                    f"the journal {journal_name(self.url)} knows what was sent to {each.address}: "
                    "what goes to a gateway on this machine would count as sent to people",
                    "another journal for trials: a profile, --journal URL or send --sandbox",
                    "if it is meant: --yes, in Python new_journal=True",
                )

    def warn_of(self, journal: Journal | JournalReader) -> None:
        """Show the warnings of a journal that was opened."""
        for warning in journal.warnings:
            self._warn(warning)


def _require_real(name: str, gateways: Sequence[KnownGateway], transports: Collection[str]) -> None:
    """Raise JournalOfTrials if all gateways that a journal knows, of all transports or of one of
    these, are on this machine."""
    for known in (gateways, *([g for g in gateways if g.transport == each] for each in transports)):
        if known and all(each.local for each in known):
            first = known[0].address or known[0].transport
            raise JournalOfTrials(
                f"the journal {name} knows only what was sent to a gateway on this machine "
                f"({first}): it would count as sent to people",
                "if that is meant: --yes, in Python new_journal=True",
                "another journal: --journal URL; for trials, a profile has its own",
            )
