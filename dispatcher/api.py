"""The Python API: manifests, plugins and a journal, as the commands use them, for any program.

The command line does its work through this module.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self, TypeAlias, Unpack, get_args

from dispatcher import duplicate_names, git_history, names
from dispatcher.addresses import phone_address
from dispatcher.builtin import builtins
from dispatcher.config import Config, absolute_journal, load, shown
from dispatcher.errors import (
    AddressError,
    ConfigError,
    DispatcherError,
    JournalError,
    JournalMissing,
    ManifestError,
    MessagesMoved,
    PluginError,
    PluginMissing,
    RunStopped,
    TooManyMessages,
    pass_on_interruption,
)
from dispatcher.manifest import Manifests, Options, runs
from dispatcher.manifest import load as load_manifests
from dispatcher.models import LocatedProblem, Message, Outcome
from dispatcher.overview import Overview, overview_of
from dispatcher.planning import NoRecords, PlannedMessage, Planner, Records
from dispatcher.redaction import Secrets
from dispatcher.registry import CallTimer, Registry, build_registry
from dispatcher.selection import Selection, SelectionOptions
from dispatcher.timezones import aware
from dispatcher.transports import BoundTransport, Calls, Transport
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from dispatcher.delivery import Delivery, Summary
    from dispatcher.hookspecs import Engine
    from dispatcher.journal import HistoryRow, Journal, JournalReader

_USUAL_TRANSPORT: Final = "greenapi"  # the default

Resend: TypeAlias = Literal["changed", "unknown", "moved"]
# A warning, which stops nothing: a sentence, or a problem with its place in a file.
Warn: TypeAlias = Callable[[str | LocatedProblem], object]

_logger = logging.getLogger(__name__)


class Result(NamedTuple):
    """What became of one message of a plan in this run."""

    message: Message
    outcome: Outcome


class Dispatcher:
    """A repository of manifests with its configuration, plugins and journal.

    Make one with `open`; `with` closes it. Several threads may use one object; an SQLite journal
    still has only one sending run at a time (`JournalLocked`, or `wait`).

    All methods raise `DispatcherError`s, whose text is for people.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        *,
        transport: str | None = None,
        journal: str | None = None,
        warn: Warn = _logger.warning,
        secrets: Secrets | None = None,
        folder: str | Path = ".",
    ) -> None:
        self.config, self.registry = config, registry
        self._folder = Path(folder).absolute()
        self._warn, self._secrets = warn, secrets or Secrets()
        self._transports: dict[str, Transport] = {}
        self._default_transport = transport or config.settings.transport
        self._overrides: dict[str, dict[str, Any]] = {}
        self._runs: dict[threading.Thread, Delivery] = {}  # of `send`, in progress
        self._journal = journal
        for url in (journal, config.settings.journal):
            self._secrets.add_password(url or "")

    @classmethod
    def open(
        cls,
        folder: str | Path = ".",
        *,
        paths: str | Path | Iterable[str | Path] = (),
        config: str | Path | None = None,
        profile: str | None = None,
        transport: str | None = None,
        journal: str | None = None,
        without: Iterable[str] = (),
        third_party: bool = True,
        warn: Warn = _logger.warning,
        secrets: Secrets | None = None,
        timers: list[CallTimer] | None = None,
    ) -> Self:
        """Open the configuration, plugins and journal that the commands would use in this folder.

        dispatcher.toml is looked for upwards from each of `paths`, the manifests to be used, and
        then from the folder, unless `config` names it. `profile` is one of its profiles.
        `transport` is for manifests that name none. `journal` is a URL, instead of the configured
        one. All paths are relative to the folder. Without `journal`, `profile` or `transport`, the
        environment counts: DISPATCHER_JOURNAL, DISPATCHER_PROFILE, DISPATCHER_TRANSPORT.

        Plugins `without` are left out, and all but the built-in ones unless `third_party`. `warn`
        gets warnings; by default they are logged. `secrets` collects the values of credentials, so
        that no output shows them, `timers` the timers of plugins. Raises ConfigError, PluginError.
        """
        journal = journal or _variable("JOURNAL")
        profile, transport = profile or _variable("PROFILE"), transport or _variable("TRANSPORT")
        try:
            folder = Path(folder).absolute()
        except FileNotFoundError:
            raise ConfigError("the working directory was deleted") from None
        # Otherwise a configuration above it would count, and a journal would be made in it.
        if not os.path.isdir(folder):
            raise ConfigError(f"no such folder: {folder}")
        named = [paths] if isinstance(paths, (str, Path)) else paths
        loaded = load(folder, profile=profile, paths=named, file=config)
        registry = build_registry(
            builtins(loaded.roots),
            without=without,
            third_party=third_party,
            settings=loaded.plugin_settings,
            timers=timers,
        )
        if third_party:  # without them, the owner of a table is not known
            loaded.check_plugins(_tables(registry))
        complete = all(plugin.status == "active" for plugin in registry.plugins)
        # So that `dispatcher plugins` works even if a transport cannot be loaded.
        if third_party and complete and loaded.settings.transports:
            loaded.check_transports(registry.transports())
        for plugin in registry.plugins:
            for warning in plugin.warnings:
                warn(f"{plugin}: {warning}")
        return cls(
            loaded,
            registry,
            transport=transport,
            journal=absolute_journal(journal, lambda: folder) if journal else None,
            warn=warn,
            secrets=secrets,
            folder=folder,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for run in self._runs.copy():
            run.join()

    def close(self) -> None:
        """Stop sending: no further message begins, and those in flight end.

        The end of a `with` waits for that; `close` does not, so that `warn` may call it. The
        iterator of a `send` yields the remaining results, and then raises RunStopped.
        """
        for delivery in self._runs.copy().values():
            delivery.stop()

    def override(self, transport: str, **settings: Any) -> None:
        """Set settings of a transport that win over environment and file, until it is made."""
        self._overrides[transport] = settings

    # Plans

    def plan(
        self,
        *paths: str | Path,
        run: str | None = None,
        compare: bool = False,
        **selection: Unpack[SelectionOptions],
    ) -> Plan:
        """Check manifests, offline; return what `send` would do, and every problem of every file.

        `paths` are manifests and folders, relative to the folder that was opened, by default the
        configuration's `manifests`. `run` names the run, for manifests with `repeat`, where the
        name of a day also means its week and month; by default it is the present one. With
        `compare`, the plan is compared with the journal now, which also finds wrong former names.
        Raises PluginError, ConfigError, InputChanged.

        Everything is checked. The plan has all messages, or those chosen by `only` (ids, or
        manifest/id), `to` (recipients, as people write them), `limit` (the number of recipients of
        each message, the first ones) and `sample` (likewise, but spread, and always the same ones).
        With `trial`, that recipient gets the messages of a sample (by default of 1), in a run of
        its own in which nobody counts as served.
        """
        at = datetime.now(UTC)
        make = partial(self.planner, paths, run, at=at, run_needed=True, **selection)
        return Plan(self, make, compare=compare)

    def check(self, *paths: str | Path) -> Plan:
        """Check manifests as `plan` does, where none of them needs the name of a run."""
        return Plan(self, partial(self.planner, paths))

    def plan_messages(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        manifest: str = "messages",
        run: str = runs.DEFAULT,
    ) -> Plan:
        """Check messages from a program: each mapping is what a `[[messages]]` table holds.

        `manifest` is the name in their keys, like a manifest's: a message is sent once for each
        manifest, id, revision, recipient and run. Files are relative to the folder that was opened.
        Raises PluginError, ConfigError.
        """
        tables = list(messages)

        def planner() -> Planner:
            manifests = Manifests(self._options())
            manifests.add_tables(tables, manifest, self._folder, _run_name(run))
            return Planner(manifests, self.registry, self.transport)

        return Plan(self, planner)

    def planner(
        self,
        paths: Iterable[str | Path] = (),
        run: str | None = None,
        *,
        at: datetime | None = None,
        run_needed: bool = False,
        **selection: Unpack[SelectionOptions],
    ) -> Planner:
        """Load manifests as `plan` does, but do not check them: the preview shows broken ones, too.

        Without a name, the run is that of the moment `at`, by default now. With `run_needed`, a
        manifest with `repeat = "run"` is wrong without one.
        """
        selected = Selection.of(self.config.settings.country, **selection)
        trial = selected is not None and selected.trial is not None
        if trial and run is not None:
            raise ConfigError(f"--run {run}: a trial has a run of its own; leave --run out")
        options = self._options()._replace(
            run=None if run is None else _run_name(run),
            at=at or datetime.now(UTC),
            run_needed=run_needed,
            trial=trial,
            home=self.config.manifests,
        )
        # They stay valid if the program changes its working directory.
        chosen = [
            Path(path) if Path(path).is_absolute() else shown(self._folder / path) for path in paths
        ] or [self.config.manifests]
        manifests = load_manifests(chosen, options)
        return Planner(manifests, self.registry, self.transport, selected)

    def _options(self) -> Options:
        self.registry.require_healthy()
        self._require_engine()
        return Options(
            transport=self._default_transport,
            roots=self.config.roots,
            country=self.config.settings.country,
            timezone=self.config.settings.timezone,
        )

    def _require_engine(self) -> Engine:
        try:
            return self.registry.engine(self.config.settings.delivery.engine)
        except PluginMissing as error:
            raise self.config.error(("delivery", "engine"), str(error)) from None

    # Sending

    def send(
        self,
        plan: Plan,
        *,
        resend: Collection[Resend] = (),
        wait: float = 0.0,
        most: int | None = None,
        new_journal: bool = False,
    ) -> Results:
        """Send what was not sent yet; return the results of all messages, as they come.

        Nothing is sent before the first result is requested. Closing the iterator, or leaving the
        loop, stops the run: what is in flight ends first, and is in the journal. `resend` also
        sends what changed since it was sent, what may have arrived already (and then arrives
        twice), or what its recipients have under another name. `wait` is how many seconds to wait
        for another run that holds the journal. If there are more than `most` messages to send, none
        is sent; the default is the configuration's `max`. With `new_journal`, a missing journal is
        made; without it, only for gateways on this machine.

        Raises, before anything is sent, ManifestError for a plan with errors, MessagesMoved,
        TooManyMessages, ConfigError, JournalError, JournalLocked, JournalMissing; and RunStopped
        after the last result if messages were left untried, for example because a file is no longer
        as it was checked.
        """
        return Results(self._results(plan, resend, wait, most, new_journal))

    def _results(
        self,
        plan: Plan,
        resend: Collection[Resend],
        wait: float,
        most: int | None,
        new_journal: bool,
    ) -> Generator[Result, None, None]:
        told = queue.SimpleQueue[Result | None]()
        failed: list[BaseException] = []
        held = ExitStack()
        sending = held.enter_context(
            self.sending(
                plan,
                lambda *each: told.put(Result(*each)),
                resend,
                wait,
                most,
                new_journal=new_journal,
            )
        )

        def carry_out() -> None:
            try:
                with held:  # so that the journal is free once the run has ended
                    sending.run()
            except BaseException as error:
                failed.append(error)
            finally:
                del self._runs[run]
                told.put(None)

        run = threading.Thread(target=carry_out, name="dispatcher-run")
        self._runs[run] = sending.delivery
        run.start()
        ended = False
        try:
            while (result := told.get()) is not None:
                yield result
            ended = True
        finally:
            if not ended:
                sending.delivery.stop()
            run.join()
        if failed:
            raise failed[0]
        summary = sending.delivery.summary
        if summary.stopped or summary.not_tried:
            why = summary.stopped or "the run was stopped"
            raise RunStopped(f"{why}; messages that were not tried: {summary.not_tried}")

    @contextmanager
    def sending(
        self,
        plan: Plan,
        finished: Callable[[Message, Outcome], object],
        resend: Collection[Resend] = (),
        wait: float = 0.0,
        most: int | None = None,
        *,
        notice: Callable[[str], None] = _logger.info,
        renew: bool = False,
        kept: bool = True,
        new_journal: bool = False,
    ) -> Iterator[Sending]:
        """Hold the journal for a run, which `Sending.run` carries out in the calling thread.

        One thread calls `finished` with every outcome; any thread may call `notice` to explain a
        wait. With `renew`, the plan is made anew once the journal is held, as files may have
        changed while waiting for another run. `kept` tells whether the journal outlives the run.
        The rest is as for `send`.
        """
        from dispatcher.delivery import Delivery, RateLimiter
        from dispatcher.delivery.rate_file import shared_rate_limiter
        from dispatcher.journal import open_journal

        if odd := set(resend).difference(get_args(Resend)):
            raise ValueError(f"resend is a collection of {get_args(Resend)}, not of {odd}")
        engine = self._require_engine()
        plan.require_good()
        with self.transports_in_use() as transports:
            for each in transports:
                each.require_credentials()
            create = new_journal or all(each.local for each in transports)
        if not create:
            self._require_journal(plan)
        with open_journal(self.journal, wait, plan.run, kept=kept, create=create) as journal:
            self._tell(journal.warnings)
            if renew:
                plan = plan.renewed(journal)
                plan.require_good()
            planner = plan.planner
            self._require_own_names(planner, journal)
            plan.require_allowed(resend, most or self.config.settings.delivery.max)
            paths = duplicate_names.relative_paths(planner.paths, self.config.folder)
            journal.note_manifest_paths(paths)
            with journal.shared_state() as shared, shared_rate_limiter(shared) as rates:
                delivery = Delivery(
                    journal,
                    self.transport,
                    self.config.settings.delivery,
                    RateLimiter(rates),
                    partial(self._finished, finished),
                    resend,
                    notice,
                    planner.inputs,
                    self.registry.timer,
                    shared,
                    planner.is_copy,
                )
                yield Sending(plan, journal, delivery, engine)

    def _require_journal(self, plan: Plan) -> None:
        from dispatcher.journal import journal_name, read_journal

        with read_journal(self.journal) as journal:
            if journal is not None:
                return
        manifests = (path.absolute().parent for path in plan.planner.paths.values())
        near = self.config.journal_near((self._folder, *manifests))
        raise JournalMissing(
            f"there is no journal {journal_name(self.journal)} yet: nobody knows what was sent "
            "before",
            "to begin one: --yes, in Python new_journal=True",
            *([f"there is one elsewhere; if it is this one: --journal {near}"] if near else []),
        )

    def _finished(
        self, told: Callable[[Message, Outcome], object], message: Message, outcome: Outcome
    ) -> None:
        told(message, outcome)
        self._tell(str(each) for each in self.registry.message_finished(message, outcome))

    # The journal

    def history(
        self,
        *,
        status: str | None = None,
        run: str | None = None,
        manifest: str | None = None,
        message: str | None = None,
        to: str | None = None,
        since: datetime | None = None,
        attempts: bool = False,
    ) -> Iterator[HistoryRow]:
        """Yield the messages that were tried, the oldest change first; None matches anything.

        `to` is written as in a manifest. `since` keeps what changed at or after it; a time without
        a zone is in the configuration's `timezone`, or the system's. With `attempts`, each message
        has every attempt, not only the last one. Raises JournalError.
        """
        if since is not None:
            since = aware(since, self.config.settings.timezone)
        recipient = self.recipient(to)
        with self.reading() as journal:
            if journal is not None:
                yield from journal.history(
                    with_events=attempts,
                    since=since,
                    status=status,
                    run=run,
                    manifest=manifest,
                    message=message,
                    recipient=recipient,
                )

    def settle(self, key: str, *, sent: bool, missing: bool = False) -> bool:
        """Record by hand whether an unknown message arrived.

        If it was `sent`, it is skipped from now on; otherwise the next run sends it. With
        `missing`, the journal, if restored from an earlier state, need not have it. Returns whether
        there was anything to settle. Raises JournalError, JournalLocked.
        """
        with self.reading() as known:
            if known is None:  # do not make a journal only to settle a key in it
                return False
        with self.writing("settle") as journal:
            return journal.settle(key, sent=sent) or (missing and sent and journal.note_sent(key))

    @contextmanager
    def reading(self, *, quiet: bool = False) -> Iterator[JournalReader | None]:
        """Open the journal for reading, even during a run; give None if there is none yet.

        With `quiet`, its warnings are not shown. Raises JournalError.
        """
        from dispatcher.journal import read_journal

        with read_journal(self.journal) as journal:
            if journal is not None and not quiet:
                self._tell(journal.warnings)
            yield journal

    @contextmanager
    def writing(self, run: str) -> Iterator[Journal]:
        """Hold the journal, like a run of this name. Raises JournalError, JournalLocked."""
        from dispatcher.journal import open_journal

        with open_journal(self.journal, run=run) as journal:
            yield journal

    @property
    def journal(self) -> str:
        """Return the journal's URL. Raises ConfigError if there can be none."""
        if self._journal is None:  # only if it is needed, as it may raise
            self._journal = self.config.journal
        return self._journal

    @journal.setter
    def journal(self, url: str) -> None:
        self._secrets.add_password(url)
        self._journal = url

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
                self._require_own_names(planner, journal)
            yield from planner.plan(journal, ask_again=False)

    def _require_own_names(self, planner: Planner, journal: Journal | JournalReader) -> None:
        """Raise ManifestError for manifests that share a name with others sent before."""
        known = journal.manifest_paths(planner.paths)
        problems = list(duplicate_names.problems(planner.paths, known, self.config.folder))
        if problems:
            raise ManifestError(problems)

    def _tell(self, warnings: Iterable[str | LocatedProblem]) -> None:
        for warning in warnings:  # a plugin may have written it
            self._warn(self._secrets.hidden(warning) if isinstance(warning, str) else warning)

    # Transports

    def transport(self, name: str) -> Transport:
        """Return the transport of this name. Raises PluginError or ConfigError."""
        if name not in self._transports:
            kind = self._kind(name)
            self._transports[name] = self._made(kind, self._overrides.get(name, {}))
        return self._transports[name]

    @property
    def gateways(self) -> list[BoundTransport]:
        """Return the transports that plans have needed so far, to read their attributes."""
        calls = Calls(self.registry.timer)
        return [BoundTransport(each, calls) for each in self._transports.values()]

    @contextmanager
    def transports_in_use(self) -> Iterator[list[BoundTransport]]:
        """Give the transports that plans have needed so far, for calls outside a run."""
        from dispatcher.delivery.calls import GuardedCalls

        calls = GuardedCalls(self.registry.timer, halt=lambda why: None)
        try:
            yield [BoundTransport(each, calls) for each in self._transports.values()]
        finally:
            calls.close()

    def recipient(self, written: str | None, *, quiet: bool = False) -> str | None:
        """Return a recipient, written as in a manifest, as the journal has it.

        What neither the default transport accepts, nor those that use phone numbers, is returned
        unchanged: it may be another transport's.
        """
        if written is None:
            return None
        country = self.config.settings.country
        with suppress(DispatcherError):
            transport = self.transport(self._default_transport)
            bound = BoundTransport(transport, Calls(self.registry.timer))
            return bound.address(written, country).to
        try:
            return phone_address(written, country).to
        except AddressError as error:
            if not quiet:
                self._warn(str(error))
            return written

    def _kind(self, name: str) -> type[Transport]:
        try:
            return self.registry.transport(name)
        except PluginMissing as error:
            if name != self._default_transport or name == _USUAL_TRANSPORT:
                raise
            # The name comes from the caller or the configuration, not from a manifest.
            if name != self.config.settings.transport:
                raise ConfigError(f"--transport: {error}") from None
            raise self.config.error(("transport",), str(error)) from None

    def _made(self, kind: Any, overrides: dict[str, Any]) -> Transport:
        settings = self.config.transport_settings(kind, **overrides)
        self._secrets.watch(settings)
        try:
            made: Transport = kind(settings)
        except BaseException as error:
            pass_on_interruption(error)
            cause = self._secrets.hidden(f"{type(error).__name__}: {error}")
            raise PluginError(f'transport "{kind.name}" cannot be made: {cause}') from error
        self._secrets.watch(made)
        return made


class Plan:
    """What `send` would do: the messages of manifests, and what is wrong with them.

    `problems` are those of all files, warnings included; with an error among them nothing can be
    sent. `len` is the number of messages. Iterating yields each message with its current status in
    the journal, its payload and its upload; it may be repeated. It raises ManifestError if there
    are errors, and InputChanged once a file is not as it was checked.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        make: Callable[[], Planner],
        *,
        compare: bool = False,
        journal: Records | None = None,
    ) -> None:
        self._dispatcher, self._make = dispatcher, make
        self.planner = make()
        try:
            with dispatcher.records(journal, wanted=compare) as records:
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
        return self._dispatcher.compared(self.planner)

    @property
    def run(self) -> str:
        """Return the name of the run, the first part of every key."""
        return self.planner.run

    @property
    def errors(self) -> list[LocatedProblem]:
        """Return the problems because of which nothing can be sent."""
        return [each for each in self.problems if each.severity == "error"]

    @property
    def without_message(self) -> list[str]:
        """Return the recipients that were named (`to`) but get none of the messages."""
        return self.planner.without_message

    def require_good(self) -> None:
        """Raise ManifestError if there are errors, ConfigError if no message has a chosen name."""
        if self.errors:
            raise ManifestError(self.problems)
        self.planner.require_selected()

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
        return Plan(self._dispatcher, self._make, journal=journal)


class Sending:
    """A plan that is about to be sent, and the journal that is held for it."""

    def __init__(self, plan: Plan, journal: Journal, delivery: Delivery, engine: Engine) -> None:
        self.plan, self.delivery = plan, delivery
        self._journal, self._engine = journal, engine

    def run(self) -> Summary:
        """Send, once. Raises the DispatcherError that ends the run before any message was tried;
        later, the summary says it."""
        planned = self.plan.planner.plan(self._journal)
        return self.delivery.run(planned, self._engine, len(self.plan))


class Results(Iterator[Result]):
    """Yields the results of `Dispatcher.send` as they come. `close` stops the run."""

    def __init__(self, results: Generator[Result, None, None]) -> None:
        self._results, self._begun, self._process = results, False, os.getpid()

    def __next__(self) -> Result:
        self._begun = True
        if os.getpid() != self._process:  # the messages are sent by another thread
            raise RuntimeError("the results are those of the process that sends, not of its fork")
        return next(self._results)

    def close(self) -> None:
        """Begin no further message, and wait for those in flight."""
        self._begun = True
        self._results.close()

    def __del__(self) -> None:
        if not self._begun:
            sentence = "nothing was sent: iterate over what Dispatcher.send returns"
            warnings.warn(sentence, RuntimeWarning, source=self, stacklevel=2)


def _variable(name: str) -> str | None:
    """Return the environment variable that stands for an option, as for the commands, or None."""
    return os.environ.get(f"DISPATCHER_{name}") or None


def _run_name(run: str) -> str:
    """Return the name that the user gave a run. Raises ConfigError."""
    if fault := names.fault(run):
        raise ConfigError(f"--run {quoted(run)} {fault}")
    return names.canonical_name(run)


def _tables(registry: Registry) -> dict[str, bool]:
    """Return whether each plugin, by name, may have a table of settings."""
    return {each.name: each.configurable or each.status != "active" for each in registry.plugins}
