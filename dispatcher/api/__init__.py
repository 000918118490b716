"""The Python API: manifests, plugins and a journal, as the commands use them, for any program.

The command line does its work through this module.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack, get_args

from dispatcher import names
from dispatcher.api import later_statuses
from dispatcher.api.configured_journal import ConfiguredJournal, Warn
from dispatcher.api.configured_transports import ConfiguredTransports
from dispatcher.api.plan import Plan, PlanRequest, Resend
from dispatcher.api.report import Report
from dispatcher.api.sending import Result, Results, Sender, Sending, configured_engine
from dispatcher.builtin import builtins
from dispatcher.config import Config, absolute_journal, load, shown
from dispatcher.errors import ConfigError
from dispatcher.manifest import Manifests, Options, runs
from dispatcher.manifest import load as load_manifests
from dispatcher.manifest.kinds import Kinds
from dispatcher.models import (
    DeliveryState,
    DeliveryStatus,
    LocatedProblem,
    Payload,
    RecordStatus,
)
from dispatcher.names import canonical_name, did_you_mean
from dispatcher.planning import PlannedMessage, Planner
from dispatcher.planning.selection import Selection, SelectionOptions
from dispatcher.redaction import Secrets
from dispatcher.registry import CallTimer, Registry, build_registry
from dispatcher.timezones import aware
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from dispatcher.api.plan_file import PlanContents, SavedPlan
    from dispatcher.diff import Diff
    from dispatcher.journal import HistoryRow, Journal, JournalReader, NotedStatuses
    from dispatcher.transports import Transport

__all__ = [
    "Dispatcher",
    "Plan",
    "PlannedMessage",
    "Report",
    "Resend",
    "Result",
    "Results",
    "Sending",
]

_logger = logging.getLogger(__name__)


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
        secrets = secrets or Secrets()

        def warn_safely(warning: str | LocatedProblem) -> None:
            # A plugin may have written it.
            warn(secrets.hidden(warning) if isinstance(warning, str) else warning)

        self.transports = ConfiguredTransports(config, registry, warn_safely, secrets, transport)
        self._journal = ConfiguredJournal(config, warn_safely, secrets, journal)
        self.sender = Sender(
            config, registry, self.transports, self._journal, warn_safely, self._folder
        )
        self._reopened: Callable[..., Dispatcher] = type(self).open

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
        named, without = [paths] if isinstance(paths, (str, Path)) else paths, tuple(without)
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
        made = cls(
            loaded,
            registry,
            transport=transport,
            journal=absolute_journal(journal, lambda: folder) if journal else None,
            warn=warn,
            secrets=secrets,
            folder=folder,
        )
        made._reopened = partial(
            cls.open,
            profile=profile,
            transport=transport,
            without=without,
            third_party=third_party,
            secrets=secrets,
            timers=timers,
        )
        return made

    def reopened(self, config: Path) -> Dispatcher:
        """Open another configuration with the same profile, transport and plugins, and no warnings.

        Raises ConfigError, PluginError.
        """
        return self._reopened(config.parent, config=config, warn=lambda warning: None)

    def transport(self, name: str) -> Transport:
        """Return a transport with its settings, for what its plugin's own commands ask a gateway.

        Messages are sent by `send` alone, which remembers them. Raises PluginError, ConfigError.
        """
        self.registry.require_healthy()
        return self.transports.get(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.sender.join()

    def close(self) -> None:
        """Stop sending: no further message begins, and those in flight end.

        The end of a `with` waits for that; `close` does not, so that `warn` may call it. The
        iterator of a `send` yields the remaining results, and then raises RunStopped.
        """
        self.sender.stop()

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
        return self._plan(paths, run, selection, compare=compare)

    def _plan(
        self,
        paths: Iterable[str | Path],
        run: str | None,
        selection: SelectionOptions,
        *,
        compare: bool,
        saved: SavedPlan | None = None,
    ) -> Plan:
        at = datetime.now(UTC)
        request = PlanRequest(tuple(self._folder / path for path in paths), run, selection)
        make = partial(self.planner, paths, run, at=at, run_needed=True, **selection)
        return Plan(self._journal, make, compare=compare, request=request, saved=saved)

    def save_plan(self, plan: Plan, file: str | Path, contents: PlanContents | None = None) -> None:
        """Write a plan, compared with the journal, to a file, so that it can be reviewed.

        `contents` are its messages, if the caller has gone through them. An older plan of that name
        is replaced. Raises ConfigError, MessagesMoved, and what iterating over a plan raises.
        """
        from dispatcher.api import plan_file  # its models take time to make

        if plan.request is None:
            raise ConfigError("only a plan of files can be saved, not one of a program's messages")
        plan.require_allowed()
        if contents is None:
            contents = plan_file.PlanContents()
            contents.add_all(plan)
        with self._journal.reading(quiet=True) as journal:
            circumstances = self.sender.circumstances(plan, contents, journal)
        plan_file.write(
            shown(self._folder / file), self.config.folder, plan.request, circumstances, contents
        )

    def load_plan(self, file: str | Path) -> Plan:
        """Make the plan of a file anew; `send` sends it if it is the same, and otherwise nothing.

        Raises ConfigError, and what `plan` raises.
        """
        from dispatcher.api.plan_file import SavedPlan

        saved = SavedPlan.read(shown(self._folder / file), self.config.folder)
        paths, run, selection = saved.request
        return self._plan(tuple(map(shown, paths)), run, selection, compare=True, saved=saved)

    def check(self, *paths: str | Path) -> Plan:
        """Check manifests as `plan` does, where none of them needs the name of a run."""
        return Plan(self._journal, partial(self.planner, paths))

    def diff(self, rev: str | None = None, paths: Iterable[str | Path] = ()) -> Diff:
        """Compare what the manifests say now with what they said in a commit, offline.

        `rev` names the commit; by default, it is the one where the present branch has left the
        default one. `paths` are as for `plan`. Both are planned with the plugins of today, each
        with its own dispatcher.toml. Raises ConfigError, PluginError, InputChanged.
        """
        from dispatcher.diff import compare

        return compare(self, rev, [self._folder / path for path in paths])

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
            return Planner(manifests, self.registry, self.transports.get)

        return Plan(self._journal, planner)

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
        return Planner(manifests, self.registry, self.transports.get, selected)

    def _options(self) -> Options:
        self.registry.require_healthy()
        configured_engine(self.config, self.registry)
        return Options(
            transport=self.transports.default,
            roots=self.config.roots,
            country=self.config.settings.country,
            kinds=Kinds(self.registry.contents(), self.registry.call_content),
            timezone=self.config.settings.timezone,
        )

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
        TooManyMessages, PlanOutdated, ConfigError, JournalError, JournalLocked, JournalMissing; and
        RunStopped after the last result if messages were left untried, for example because a file
        is no longer as it was checked.
        """
        return Results(
            self.sender.results(plan, resend, wait, most, _logger.info, new_journal=new_journal)
        )

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
        delivery: str | None = None,
        attempts: bool = False,
    ) -> Iterator[HistoryRow]:
        """Yield the messages that were tried, the oldest change first; None matches anything.

        `to` is written as in a manifest. `since` keeps what changed at or after it; a time without
        a zone is in the configuration's `timezone`, or the system's. `delivery` is what the gateway
        said last: "delivered", "read" or "undelivered". With `attempts`, each message has every
        attempt, not only the last one. Raises ConfigError for a status or a delivery that there is
        not, JournalError.
        """
        _require_known("status", status, get_args(RecordStatus))
        _require_known("delivery", delivery, get_args(DeliveryState))
        if since is not None:
            since = aware(since, self.config.settings.timezone)
        recipient = self.transports.recipient(to)
        return self._history(
            with_events=attempts,
            since=since,
            delivery=delivery,
            status=status,
            run=run,
            manifest=manifest,
            message=message,
            recipient=recipient,
        )

    def _history(self, **filters: Any) -> Iterator[HistoryRow]:
        with self.reading() as journal:
            if journal is not None:
                yield from journal.history(**filters)

    def report(
        self,
        run: str | None = None,
        *,
        manifest: str | None = None,
        message: str | None = None,
        since: datetime | None = None,
    ) -> Report:
        """Return what became of the messages of a run, while it sends or later.

        It is the run with the last change unless it is named; the other arguments are those of
        `history`. Nothing that was not tried is in it. Raises JournalError.
        """
        if since is not None:
            since = aware(since, self.config.settings.timezone)
        with self.reading() as journal:
            if journal is None:
                return Report(run or "")
            known = journal.known_runs(manifest=manifest, message=message)
            runs = list(dict.fromkeys(canonical_name(each.name) for each in known))
            name = (runs[0] if runs else "") if run is None else canonical_name(run)
            history = journal.history(since=since, run=name, manifest=manifest, message=message)
            with closing(history) as rows:
                return Report(name, rows, [each for each in runs if each != name])

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

    def statuses(self, body: Payload | None = None) -> list[DeliveryStatus]:
        """Return what the gateway says of messages that it has accepted before.

        `body` is what it posted to a webhook; without one, it is asked. The gateway is that for
        manifests that name none. Raises ConfigError if its transport does not support this,
        PluginError, DeliveryError.
        """
        return later_statuses.said(self.registry, self.transports, body)

    def note_statuses(
        self, statuses: Iterable[DeliveryStatus], *, wait: float = 0.0
    ) -> NotedStatuses:
        """Record what `statuses` has returned, of messages that the journal has.

        It may be recorded in any order and more than once; nothing is ever sent because of it.
        `wait` is how many seconds to wait for a run that holds the journal. Raises JournalError,
        JournalLocked.
        """
        return later_statuses.note(self._journal, self.transports.default, statuses, wait)

    def reading(self, *, quiet: bool = False) -> AbstractContextManager[JournalReader | None]:
        """Open the journal for reading: see `ConfiguredJournal.reading`."""
        return self._journal.reading(quiet=quiet)

    def writing(self, run: str, wait: float = 0.0) -> AbstractContextManager[Journal]:
        """Hold the journal, like a run of this name: see `ConfiguredJournal.writing`."""
        return self._journal.writing(run, wait)

    @property
    def journal(self) -> str:
        """Return the journal's URL. Raises ConfigError if there can be none."""
        return self._journal.url

    @journal.setter
    def journal(self, url: str) -> None:
        self._journal.url = url


def _variable(name: str) -> str | None:
    """Return the environment variable that stands for an option, as for the commands, or None."""
    return os.environ.get(f"DISPATCHER_{name}") or None


def _run_name(run: str) -> str:
    """Return the name that the user gave a run. Raises ConfigError."""
    if reason := names.why_invalid(run):
        raise ConfigError(f"--run {quoted(run)} {reason}")
    return names.canonical_name(run)


def _tables(registry: Registry) -> dict[str, bool]:
    """Return whether each plugin, by name, may have a table of settings."""
    return {
        each.name: each.settings is not None or each.status != "active" for each in registry.plugins
    }


def _require_known(filter: str, value: str | None, known: Iterable[str]) -> None:
    words = list(map(str, known))
    if value is not None and value not in words:
        hint = did_you_mean(value, words) or f"; there are: {', '.join(words)}"
        raise ConfigError(f"no message has the {filter} {quoted(value)}{hint}")
