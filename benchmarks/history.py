"""`dispatcher history` and `report` with 1,000,000 messages in the journal: seconds of each.

    python -m benchmarks.history [DAYS]

The journal is that of a thousand daily runs to the same thousand people; of each run, one message
has failed. So each filter leaves a thousand messages: those that failed, of one person, of one run,
and of the last day. The rows are put there directly, as sending would have. Each command is a
process of its own; its time to the first line, and to the end. The median of each counts.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.clients import recipient
from benchmarks.journal import EVENT, OWNER, digest
from dispatcher.journal import open_journal

DAYS, PEOPLE = 1000, 1000
ROUNDS = 5
GOAL = 0.5  # seconds
FIRST_DAY = datetime(2024, 1, 1, 9, tzinfo=UTC)
MESSAGE = (
    "INSERT INTO messages (key, run, manifest, message, recipient, transport, digest, status, "
    "attempts, receipt, error_text, changed_at, owner) "
    "VALUES (?, ?, 'daily', 'news', ?, 'greenapi', ?, ?, 1, ?, ?, ?, ?)"
)


class Took(NamedTuple):
    """Seconds to the first line that a command prints, and to its end."""

    first: float
    whole: float


def run_of(day: int) -> str:
    return (FIRST_DAY + timedelta(days=day)).date().isoformat()


def rows(day: int) -> Iterator[tuple[str | None, ...]]:
    """The messages of a day, a second apart."""
    run = run_of(day)
    for number in range(PEOPLE):
        to = recipient(number)
        at = FIRST_DAY + timedelta(days=day, seconds=number)
        failed = number == day % PEOPLE
        yield (
            f"{run}/daily/news/1/{to}",
            run,
            to,
            digest(day * PEOPLE + number),
            "failed" if failed else "sent",
            None if failed else f"wamid.{day * PEOPLE + number:020}",
            "the number is not in WhatsApp" if failed else None,
            at.isoformat(timespec="milliseconds"),
            OWNER,
        )


def fill(path: Path, days: int) -> None:
    with open_journal(f"sqlite:///{path}"):
        pass
    connection = sqlite3.connect(path)
    for day in range(days):
        connection.executemany(EVENT, ((row[0], row[7]) for row in rows(day)))
        connection.executemany(MESSAGE, rows(day))
    connection.commit()
    connection.close()


def took(journal: Path, *arguments: str) -> Took:
    command = [sys.executable, "-m", "dispatcher", *arguments, "--journal", f"sqlite:///{journal}"]
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=journal.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        assert process.stdout.readline(), command
        first = time.perf_counter() - start
        while process.stdout.read(1_000_000):
            pass
        code = process.wait()
    whole = time.perf_counter() - start
    assert code == 0, (command, code)
    return Took(first, whole)


def main(days: int) -> None:
    filters = {
        "--status": "failed",
        "--to": recipient(7),
        "--run": run_of(days // 2),
        "--since": run_of(days - 1),
    }
    cases = {f"history {name}": ["history", name, value] for name, value in filters.items()}
    cases |= {"report": ["report"], "report RUN": ["report", filters["--run"]]}
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as name:
        journal = Path(name, "journal.db")
        fill(journal, days)
        times: dict[str, list[Took]] = {case: [] for case in cases}
        for _ in range(ROUNDS):
            for case, arguments in cases.items():
                times[case].append(took(journal, *arguments))
        everything = took(journal, "history")
    print(f"{days * PEOPLE:,} messages      first line    whole")
    goal = f"(goal {GOAL} s to the first line)"
    print(f"history            {everything.first:8.2f} s {everything.whole:8.2f} s  {goal}")
    for case, each in times.items():
        first, whole = (statistics.median(kind) for kind in zip(*each, strict=True))
        goal = f"  (goal {GOAL} s)" if case.startswith("history") else ""
        print(f"{case:18} {first:8.2f} s {whole:8.2f} s{goal}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else DAYS)
