"""Sends a plan: holds the journal for a run, and gives the results as they come."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import warnings
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, get_args

from dispatcher import duplicate_names
from dispatcher.api.configured_journal import ConfiguredJournal, Warn
from dispatcher.api.configured_transports import ConfiguredTransports
from dispatcher.api.plan import Plan, Resend
from dispatcher.config import Config
from dispatcher.errors import ConfigError, DispatcherError, PluginMissing, RunStopped
from dispatcher.models import Message, Outcome, Status
from dispatcher.names import canonical_name
from dispatcher.printing import without_secrets
from dispatcher.registry import PluginInfo, Registry

if TYPE_CHECKING:
    from dispatcher.api.plan_file import Circumstances, PlanContents
    from dispatcher.delivery import Delivery, Summary
    from dispatcher.hookspecs import Engine
    from dispatcher.journal import Journal, JournalReader, KnownGateway

# Explains a wait; any thread may call it.
Notice: TypeAlias = Callable[[str], None]


class Result(NamedTuple):
    """What became of one message of a plan in this run."""

    message: Message
    outcome: Outcome


class Sending:
    """A plan that is about to be sent, and the journal that is held for it."""

    def __init__(
        self, plan: Plan, journal: Journal, delivery: Delivery, engine: Engine, owner: PluginInfo
    ) -> None:
        self.plan, self.delivery = plan, delivery
        self._journal, self._engine, self._owner = journal, engine, owner

    def run(self) -> Summary:
        """Send, once. Raises the DispatcherError that ends the run before any message was tried;
        later, the summary says it."""
        planned = self.plan.planner.plan(self._journal, last=True)
        return self.delivery.run(planned, self._engine, len(self.plan), self._owner)


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


class Sender:
    """Sends plans with a Dispatcher's configuration. Several threads may use it at once.

    `folder` is where a journal is looked for if there is none yet; `warn` gets warnings.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        transports: ConfiguredTransports,
        journal: ConfiguredJournal,
        warn: Warn,
        folder: Path,
    ) -> None:
        self._config, self._registry = config, registry
        self._transports, self._journal = transports, journal
        self._warn, self._folder = warn, folder
        self._runs: dict[threading.Thread, Delivery] = {}  # of `results`, in progress

    def stop(self) -> None:
        """Begin no further message; those in flight end."""
        for delivery in self._runs.copy().values():
            delivery.stop()

    def join(self) -> None:
        """Wait for the end of the runs whose `results` were not all taken."""
        for run in self._runs.copy():
            run.join()

    def results(
        self,
        plan: Plan,
        resend: Collection[Resend],
        wait: float,
        most: int | None,
        notice: Notice,
        *,
        new_journal: bool,
    ) -> Generator[Result, None, None]:
        """Yield the results of a run that another thread carries out: see `Dispatcher.send`."""
        told = queue.SimpleQueue[Result | None]()
        failed: list[BaseException] = []
        held = ExitStack()
        sending = held.enter_context(
            self.begin(
                plan,
                lambda *each: told.put(Result(*each)),
                resend,
                wait,
                most,
                notice,
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
    def begin(
        self,
        plan: Plan,
        finished: Callable[[Message, Outcome], object],
        resend: Collection[Resend],
        wait: float,
        most: int | None,
        notice: Notice,
        *,
        renew: bool = False,
        kept: bool = True,
        new_journal: bool = False,
    ) -> Iterator[Sending]:
        """Hold the journal for a run, which `Sending.run` carries out in the calling thread.

        One thread calls `finished` with every outcome; any thread may call `notice` to explain a
        wait. With `renew`, the plan is made anew once the journal is held, as files may have
        changed while waiting for another run. `kept` tells whether the journal outlives the run.
        The rest is as for `Dispatcher.send`.
        """
        from dispatcher.delivery import Delivery, RateLimiter
        from dispatcher.delivery.rate_file import shared_rate_limiter
        from dispatcher.journal import open_journal

        if odd := set(resend).difference(get_args(Resend)):
            raise ValueError(f"resend is a collection of {get_args(Resend)}, not of {odd}")
        if plan.saved is not None and resend:
            raise ConfigError("--resend does not go with --plan: that is sent as it was reviewed")
        engine = configured_engine(self._config, self._registry)
        plan.require_good()
        local = self._require_credentials()
        create = local or new_journal
        names = {each.name for each in self._transports.used}
        if not create:
            self._journal.require_begun(self._folder, plan.planner.paths.values(), names)
        with open_journal(self._journal.url, wait, plan.run, kept=kept, create=create) as journal:
            self._journal.warn_of(journal)
            if local and not new_journal:
                self._journal.require_for_trials(journal, names)
            if renew:
                plan = plan.renewed(journal)
                plan.require_good()
                self._require_credentials()
            plan = self._reconciled(plan, journal)
            plan.require_good()
            planner = plan.planner
            self._journal.require_own_names(planner, journal)
            self._require_as_reviewed(plan, journal)
            plan.require_allowed(resend, most or self._config.settings.delivery.max)
            paths = duplicate_names.relative_paths(planner.paths, self._config.folder)
            journal.note_manifest_paths(paths)
            journal.note_gateways(self._gateways(plan.overview.transports))
            with journal.shared_state() as shared, shared_rate_limiter(shared) as rates:
                delivery = Delivery(
                    journal,
                    self._transports.get,
                    self._config.settings.delivery,
                    RateLimiter(rates),
                    partial(self._finished, finished),
                    resend,
                    notice,
                    planner.inputs,
                    self._registry.timer,
                    shared,
                    planner.is_copy,
                )
                owner = self._registry.owner("engine", engine.name)
                yield Sending(plan, journal, delivery, engine, owner)

    def _gateways(self, names: Collection[str]) -> list[KnownGateway]:
        """Return the gateways of these transports."""
        from dispatcher.journal import KnownGateway

        return [
            KnownGateway(each.name, without_secrets(each.gateway or ""), each.local)
            for each in self._transports.used_by(names)
        ]

    def _require_credentials(self) -> bool:
        """Require those of all transports in use; return whether all gateways are here."""
        with self._transports.outside_a_run() as transports:
            for each in transports:
                each.require_credentials()
            return all(each.local for each in transports)

    def _reconciled(self, plan: Plan, journal: Journal) -> Plan:
        """Return the plan, or a new one if gateways say what became of unknown messages."""
        from dispatcher.delivery.reconciliation import reconcile

        may_tell = any(each.can_reconcile for each in self._transports.used)
        if not may_tell or not plan.overview.counts[Status.UNKNOWN]:
            return plan
        planned, timer = plan.planner.plan(journal), self._registry.timer
        told = reconcile(planned, journal, self._transports.get, timer)
        return plan.renewed(journal) if told else plan

    def _require_as_reviewed(self, plan: Plan, journal: Journal) -> None:
        """Raise PlanOutdated if a plan was reviewed, and is another one by now."""
        if plan.saved is None:
            return
        from dispatcher.api.plan_file import PlanContents

        contents = PlanContents(plan.saved.contents.salt)
        contents.add_all(plan.planner.plan(journal))
        made_from = self.circumstances(plan, contents, journal)
        plan.saved.require_same(made_from, contents)

    def _accounts(self, names: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield the ids of the accounts of these transports, where they are known."""
        for each in self._transports.used_by(names):
            with suppress(DispatcherError):  # there is no token
                account = hashlib.sha256(each.account.encode(errors="replace"))
                yield each.name, account.hexdigest()[:16]

    def circumstances(
        self, plan: Plan, contents: PlanContents, journal: Journal | JournalReader | None
    ) -> Circumstances:
        """Return what a plan was made from, besides its messages."""
        from dispatcher.api.plan_file import Circumstances, file_hash, relative

        folder = self._config.folder
        return Circumstances(
            profile=self._config.profile,
            configuration=file_hash(self._config.file),
            gateways={
                each.name: each.gateway and without_secrets(each.gateway)
                for each in self._transports.used_by(contents.transports)
            },
            accounts=dict(self._accounts(contents.transports)),
            journal=journal and journal.id(),
            plugins={
                each.name: each.origin
                for each in self._registry.plugins
                if not each.builtin and each.status == "active"
            },
            inputs={
                canonical_name(relative(path, folder)): sha256
                for path, sha256 in sorted(plan.planner.inputs.hashes().items())
            },
        )

    def _finished(
        self, told: Callable[[Message, Outcome], object], message: Message, outcome: Outcome
    ) -> None:
        told(message, outcome)
        for warning in self._registry.message_finished(message, outcome):
            self._warn(str(warning))


def configured_engine(config: Config, registry: Registry) -> Engine:
    """Return the engine that the configuration names. Raises ConfigError if there is none."""
    try:
        return registry.engine(config.settings.delivery.engine)
    except PluginMissing as error:
        raise config.error(("delivery", "engine"), str(error)) from None
