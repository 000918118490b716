"""`dispatcher history`: what the journal knows."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO, get_args

import click

from dispatcher.api import Dispatcher
from dispatcher.cli.options import filter_options, journal_option, json_option, since_option
from dispatcher.cli.output import (
    OutputError,
    Part,
    coloured,
    counted,
    local_time,
    print_json,
    print_line,
)
from dispatcher.cli.session import moment, session_options
from dispatcher.errors import ExitCode
from dispatcher.journal import Event, HistoryRow, journal_name
from dispatcher.models import DeliveryState, Status
from dispatcher.visible import visible

Write = Callable[[HistoryRow], object]

_STATUSES = (Status.SENT, Status.FAILED, Status.UNKNOWN, Status.SENDING)  # as they are counted


@click.command("history")
@filter_options
@click.option(
    "--status",
    type=click.Choice(["sent", "failed", "unknown", "sending"]),
    help="Only what is in this state; unknown: nobody knows whether it arrived.",
)
@click.option(
    "--delivery",
    type=click.Choice(get_args(DeliveryState)),
    help="Only what the gateway said this of last: see statuses.",
)
@since_option
@click.option("--attempts", "with_events", is_flag=True, help="Show every attempt of each.")
@click.option(
    "--export",
    "export",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all of it to a file, FILE.csv or FILE.jsonl, instead.",
)
@journal_option
@json_option
@session_options
def command(
    dispatcher: Dispatcher,
    as_json: bool,
    with_events: bool,
    since: str | None,
    delivery: str | None,
    export: Path | None,
    **filters: str | None,
) -> int:
    """Show the messages that were tried, the oldest change first.

    A line has the moment of the last change, the status, with what the gateway said later (see
    statuses) in brackets, the message's key (run / manifest / message id / revision / recipient),
    and the gateway's id or what went wrong. `settle` takes these keys.

    Exit code 3: there is no such message.
    """
    timezone = dispatcher.config.settings.timezone
    begin = moment(since, timezone)
    filters["recipient"] = dispatcher.transports.recipient(filters["recipient"])
    found: Counter[str] = Counter()
    with dispatcher.reading() as opened, _writer(export, as_json, timezone) as write:
        there = opened is not None
        chosen: dict[str, Any] = {
            "with_events": with_events,
            "since": begin,
            "delivery": delivery,
            **filters,
        }
        for row in opened.history(**chosen) if opened else ():
            found[row.status] += 1
            write(row)
    if export and found:
        print_line(f"{counted(found.total(), 'message')} in {export}", err=True)
    elif found and not as_json:
        counts = (f"{found[status]} {status}" for status in _STATUSES if found[status])
        print_line(", ".join(counts), err=True)
    if not found:
        none = f"there is no journal {journal_name(dispatcher.journal)} yet"
        print_line("the journal knows no such message" if there else none, err=True)
    return ExitCode.DONE if found else ExitCode.NOTHING


@contextmanager
def _writer(export: Path | None, as_json: bool, timezone: str | None) -> Iterator[Write]:
    """Give a function that writes a row; the times that people read are in `timezone`."""
    if export is None:
        yield _print_json if as_json else partial(_print_text, timezone)
        return
    formats = {".csv": _csv_writer, ".jsonl": _jsonl_writer}
    if export.suffix not in formats:
        raise click.BadParameter(f"{export} must end in .csv or .jsonl", param_hint="--export")
    try:
        with export.open("w", encoding="utf-8", newline="") as file:
            yield formats[export.suffix](file)
    except OSError as error:
        raise OutputError(f"cannot write {export}: {(error.strerror or '').lower()}") from None


def _jsonl_writer(file: TextIO) -> Write:
    return lambda row: file.write(json.dumps(_fields(row), ensure_ascii=False) + "\n")


def _csv_writer(file: TextIO) -> Write:
    """Return a function that writes one row per message or event; an error fills two columns, and
    what the gateway said later three."""
    sheet = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
    sheet.writeheader()

    def write(row: HistoryRow) -> None:
        fields = _fields(row)
        for event in fields.pop("events", None) or [{}]:
            line = {**fields, **event}
            error = line["error"] or {}
            line |= {"error_code": error.get("code"), "error": error.get("text")}
            delivery = line["delivery"] or {}
            line |= {
                "delivery": delivery.get("status"),
                "delivery_at": delivery.get("at"),
                "delivery_reason": delivery.get("reason"),
            }
            sheet.writerow({name: _cell(value) for name, value in line.items()})

    return write


_COLUMNS = (
    "key run manifest message to transport status attempts attempt at id error_code error "
    "changed_at not_before delivery delivery_at delivery_reason"
).split()


def _cell(value: object) -> object:
    """Return a value so that a spreadsheet shows it as text, even if it begins like a formula.

    An apostrophe before it, the usual remedy, makes it text (OWASP, "CSV Injection"); also after a
    semicolon, which separates cells where people write 1,5. A number is no formula.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return _FORMULA.sub(r"\g<0>'", visible(value))


# The wide signs are those of East Asian keyboards.
_FORMULA = re.compile(r"(?:^|;)\s*(?=[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def _fields(row: HistoryRow) -> dict[str, Any]:
    fields = row._asdict()
    fields |= _details(row)
    fields["to"] = fields.pop("recipient")
    events = fields.pop("events")
    if events:
        fields["events"] = [event._asdict() | _details(event) for event in events]
    return fields


def _details(row: HistoryRow | Event) -> dict[str, Any]:
    return {
        "error": row.error.model_dump() if row.error else None,
        "delivery": row.delivery._asdict() if row.delivery else None,
    }


def _print_json(row: HistoryRow) -> None:
    print_json("message", **_fields(row))


def _print_text(timezone: str | None, row: HistoryRow) -> None:
    at = local_time(row.changed_at, timezone)
    print_line(f"{at}  ", _status(row), f" {row.key}  {_detail(row)}")
    for event in row.events:
        start = f"  {local_time(event.at, timezone)}  attempt {event.attempt} "
        print_line(start, _status(event), f" {_detail(event)}")


def _status(row: HistoryRow | Event) -> Part:
    said = f"{row.status} ({row.delivery.status})" if row.delivery else row.status
    return coloured(row.status, f"{said:7}")


def _detail(row: HistoryRow | Event) -> str:
    error = row.error.sentence if row.error else None
    reason = row.delivery.reason if row.delivery else None
    return "  ".join(filter(None, [row.id, error, reason]))
