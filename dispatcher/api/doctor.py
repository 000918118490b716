"""Examines all that sending depends on besides the manifests: what is as it should be, what is not,
and what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from dispatcher.addresses import without_country_code
from dispatcher.api import Dispatcher, Plan, schemas
from dispatcher.config import shown
from dispatcher.errors import DispatcherError
from dispatcher.models import Status
from dispatcher.printing import without_secrets
from dispatcher.state_folder import state_file
from dispatcher.timezones import why_no_system_zone

Level: TypeAlias = Literal["ok", "warn", "FAIL"]
OpenDispatcher: TypeAlias = Callable[[], Dispatcher]

_LITTLE_SPACE = 100_000_000  # bytes; a million messages take seven times as much
_NO_SPACE = 5_000_000
_OLD_BACKUP = timedelta(days=7)
_WRONG_CLOCK = timedelta(minutes=1)


class Finding(NamedTuple):
    """What was found of one subject, and what to do, if anything."""

    level: Level
    subject: str
    sentence: str
    remedy: str | None = None


def examine(open_dispatcher: OpenDispatcher, *, online: bool = False) -> Iterator[Finding]:
    """Yield what is found of each subject, in the order in which they depend on each other.

    With `online`, the gateways in use are asked, too; nothing else here uses the network, except a
    journal on a server. No finding shows a secret.
    """
    for each in _examined(open_dispatcher, online=online):
        remedy = each.remedy and without_secrets(each.remedy)
        yield each._replace(sentence=without_secrets(each.sentence), remedy=remedy)


def _examined(open_dispatcher: OpenDispatcher, *, online: bool) -> Iterator[Finding]:
    try:
        dispatcher = open_dispatcher()
    except DispatcherError as error:
        yield Finding("FAIL", "configuration", _one_line(error), "put it right, then look again")
        return
    with dispatcher:
        yield from _configuration(dispatcher)
        yield from _plugins(dispatcher)
        plan = None
        try:
            plan = dispatcher.check()
        except DispatcherError as error:
            yield Finding("FAIL", "manifests", _one_line(error), "put it right, then look again")
        if plan is not None:
            yield from _manifests(plan)
            yield from _schemas(dispatcher, plan)
            yield from _numbers(dispatcher, plan)
            yield from _credentials(dispatcher)
        yield from _journal(dispatcher)
        yield from _state_folder()
        if online:
            yield from _gateways(dispatcher)


def _configuration(dispatcher: Dispatcher) -> Iterator[Finding]:
    config = dispatcher.config
    if config.file is None:
        sentence = f"there is no dispatcher.toml here or above; the folder is {config.folder}"
        yield Finding("warn", "configuration", sentence, "to begin one: dispatcher init")
    else:
        yield Finding("ok", "configuration", f"{config.file}")
    others = ", ".join(config.profiles) or "none"
    name = f"{config.profile}; " if config.profile else "none chosen; "
    yield Finding("ok", "profile", f"{name}there are: {others}")
    zone = config.settings.timezone
    if zone is None and (fault := why_no_system_zone()):
        yield Finding("warn", "time zone", fault, 'set timezone = "Europe/Moscow", say')
    else:
        now = datetime.now().astimezone()
        yield Finding("ok", "time zone", zone or f"the system's, {now.tzname()}")


def _plugins(dispatcher: Dispatcher) -> Iterator[Finding]:
    installed = dispatcher.registry.plugins
    for each in installed:
        if each.status == "broken":
            remedy = f"update it, or leave it out: --without {each.name}"
            yield Finding("FAIL", "plugins", f"{each}: {each.error}", remedy)
        for warning in each.warnings:
            yield Finding("warn", "plugins", f"{each}: {warning}", "look for a newer version")
    active = [each for each in installed if each.status == "active"]
    own = [str(each.origin or each.name) for each in active if not each.builtin]
    sentence = f"{len(active) - len(own)} built in"
    yield Finding("ok", "plugins", ", ".join([sentence, *own]))


def _manifests(plan: Plan) -> Iterator[Finding]:
    if errors := len(plan.errors):
        yield Finding("FAIL", "manifests", f"errors: {errors}", "to see them: dispatcher validate")
    elif warnings := len(plan.problems):
        sentence = f"messages: {len(plan)}, warnings: {warnings}"
        yield Finding("warn", "manifests", sentence, "to see them: dispatcher validate")
    else:
        yield Finding("ok", "manifests", f"messages: {len(plan)}")


def _schemas(dispatcher: Dispatcher, plan: Plan) -> Iterator[Finding]:
    """Compare the schemas that the files name, for editors, with those of the installed plugins."""
    registry, configuration = dispatcher.registry, dispatcher.config.file
    kinds = [
        (schemas.manifest_schema, "dispatcher schema", plan.planner.paths.values()),
        (schemas.configuration_schema, "dispatcher schema --config", filter(None, [configuration])),
    ]
    for make, command, files in kinds:
        named = {schema.resolve(): file for file in files if (schema := schemas.named_by(file))}
        for schema, file in named.items():
            if schemas.holds(schema, make(registry)):
                yield Finding("ok", "schema", f"{shown(schema)} is that of the installed plugins")
                continue
            where = f"{shown(schema)}, which {file} names,"
            is_not = "is not that of the installed plugins" if schema.exists() else "is not there"
            yield Finding("warn", "schema", f"{where} {is_not}", f"{command} > {shown(schema)}")


def _numbers(dispatcher: Dispatcher, plan: Plan) -> Iterator[Finding]:
    """Find numbers that may lack their country code, and so belong to another country.

    Where a country is configured, reading them has settled that.
    """
    if plan.errors or dispatcher.config.settings.country is not None:
        return
    people = {to for each in plan.planner.plan() if (to := each.message.to).isdigit()}
    home, suspects = without_country_code(people)
    if not suspects:
        yield Finding("ok", "numbers", f"people: {len(people)}")
        return
    first, meant = suspects[0]
    few = f"{len(suspects)} of {len(people)} may lack a country code"
    sentence = f"{few}: {first}, where +{meant} may be meant"
    remedy = f'if they are, set country = "{home}"; if not, write them with a +'
    yield Finding("warn", "numbers", sentence, remedy)


def _credentials(dispatcher: Dispatcher) -> Iterator[Finding]:
    with dispatcher.transports.outside_a_run() as transports:
        for each in transports:
            where = f"{each.name} at {each.gateway}" if each.gateway else each.name
            try:
                each.require_credentials()
            except DispatcherError as error:
                remedy = "without them: dispatcher send --sandbox"
                yield Finding("FAIL", "credentials", _one_line(error), remedy)
            else:
                yield Finding("ok", "credentials", where)


def _journal(dispatcher: Dispatcher) -> Iterator[Finding]:
    from dispatcher.journal import backup, journal_file, journal_name

    try:
        url = dispatcher.journal
        name = journal_name(url)
        with dispatcher.reading(quiet=True) as journal:
            if journal is None:
                here = all(each.local for each in dispatcher.transports.used)
                sentence = f"{name}: there is none yet"
                remedy = "if there was one, find it: without it, all is sent again"
                yield Finding(
                    "ok" if here else "warn", "journal", sentence, None if here else remedy
                )
                yield from _space(journal_file(url))
                return
            warnings = list(journal.warnings)
        condition = backup.check(url)
    except DispatcherError as error:
        yield Finding("FAIL", "journal", _one_line(error), "see: dispatcher journal check")
        return
    file = journal_file(url)
    size = f", {file.stat().st_size / 1e6:.1f} MB" if file else ""
    counts = ", ".join(f"{count} {status}" for status, count in condition.counts.items())
    for defect in condition.defects:
        yield Finding("FAIL", "journal", defect, "see: dispatcher journal check")
    for note in [*condition.notes, *warnings]:
        yield Finding("warn", "journal", note)
    last = f", last changed {condition.changed_at:.16}" if condition.changed_at else ""
    yield Finding("ok", "journal", f"{name}{size}: {counts or 'no messages'}{last}")
    if unknown := condition.counts.get(Status.UNKNOWN, 0):
        remedy = "to see them: dispatcher history --status unknown; then dispatcher settle"
        yield Finding("warn", "unknown", f"{unknown} may have arrived or not", remedy)
    yield from _clock(condition.changed_at)
    if file is not None:
        yield from _backup(backup.last_backup(url))
    yield from _space(file)


def _clock(changed_at: str | None) -> Iterator[Finding]:
    """Compare this machine's clock with the journal's last change."""
    now = datetime.now(UTC)
    if changed_at and (last := datetime.fromisoformat(changed_at)) > now + _WRONG_CLOCK:
        here, there = (f"{each:%Y-%m-%d %H:%M} UTC" for each in (now, last))
        sentence = f"it is {here} here, but the journal was changed at {there}"
        yield Finding("FAIL", "clock", sentence, "set the clock right: runs of a day depend on it")
    else:
        yield Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _backup(made_at: datetime | None) -> Iterator[Finding]:
    remedy = "dispatcher journal backup FILE"
    if made_at is None:
        yield Finding("warn", "backup", "none is known on this machine", remedy)
        return
    age = datetime.now(UTC) - made_at
    level: Level = "warn" if age > _OLD_BACKUP else "ok"
    sentence = f"the last one is of {made_at:%Y-%m-%d %H:%M} UTC"
    yield Finding(level, "backup", sentence, remedy if level == "warn" else None)


def _space(file: Path | None) -> Iterator[Finding]:
    """Find how much space the journal has to grow."""
    if file is None:
        return
    folder = next(each for each in file.parents if each.is_dir())
    free = shutil.disk_usage(folder).free
    level: Level = "FAIL" if free < _NO_SPACE else "warn" if free < _LITTLE_SPACE else "ok"
    remedy = None if level == "ok" else "make room: a run stops when the journal cannot be written"
    yield Finding(level, "disk", f"{free / 1e9:,.2f} GB free in {shown(folder)}", remedy)
    if not os.access(folder, os.W_OK):
        yield Finding("FAIL", "journal", f"{shown(folder)} cannot be written", "chmod u+w it")


def _state_folder() -> Iterator[Finding]:
    try:
        folder = state_file("backups.json", make=False).parent
    except DispatcherError as error:
        yield Finding("FAIL", "state", _one_line(error))
        return
    there = "" if folder.is_dir() else ", not yet made"
    yield Finding("ok", "state", f"rates that runs share are in {folder}{there}")


def _gateways(dispatcher: Dispatcher) -> Iterator[Finding]:
    with dispatcher.transports.outside_a_run() as transports:
        for each in transports:
            try:
                answer = each.probe()
            except DispatcherError as error:
                yield Finding("FAIL", "gateway", f"{each.name}: {_one_line(error)}")
                continue
            if answer is None:
                yield Finding("ok", "gateway", f"{each.name} cannot be asked without sending")
                continue
            yield Finding("ok", "gateway", f"{each.name}: {answer.sentence}")
            if answer.at and abs(off := datetime.now(UTC) - answer.at) > _WRONG_CLOCK:
                sentence = f"it differs from that of {each.name} by {abs(off)}".partition(".")[0]
                yield Finding("warn", "clock", sentence, "set this machine's clock right")


def _one_line(error: DispatcherError) -> str:
    first, *more = error.sentences
    return f"{first} (and {len(more)} more)" if more else first
