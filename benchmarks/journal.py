"""How large a journal in a file becomes, and whether a run starts as fast with a large one.

    python benchmarks/journal.py

Size: bytes for each of 100,000 messages that were sent. Start-up: opening the journal for a run and
looking up the one message of its plan, with 1,000,000 messages in it, as a ratio to an empty one.
The rows are put there directly, as sending would have; each start is timed in a process of its own
which has loaded its code before. Cases take turns; the median of each counts.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dispatcher.journal import open_journal

SIZED, MANY = 100_000, 1_000_000
ROUNDS = 25
MESSAGE = (
    "INSERT INTO messages (key, run, manifest, message, recipient, transport, digest, status, "
    "attempts, receipt, changed_at, owner) "
    "VALUES (?, 'default', 'mailing', ?, ?, 'greenapi', ?, 'sent', 1, ?, ?, ?)"
)
# The other event of a message, "sent", is noted by the journal itself.
EVENT = "INSERT INTO events (key, at, status, attempt) VALUES (?, ?, 'sending', 1)"
AT, OWNER, DIGEST = "2026-11-22T12:00:00.000+00:00", "0" * 32, "0" * 64
START = """
import sys, time
from dispatcher.api import Dispatcher
from dispatcher.journal import open_journal
for url in ("sqlite:///warm-up.db", sys.argv[1]):
    planner = Dispatcher.open(third_party=False).planner(["one.toml"])
    start = time.perf_counter()
    with open_journal(url) as journal:
        assert [each.status for each in planner.plan(journal)] == ["new"]
        seconds = time.perf_counter() - start
print(seconds)
"""
MANIFEST = 'manifest = 1\n[[messages]]\nid = "new"\nto = "79001234567"\ntext.body = "Hello!"\n'


def message_rows(first: int, last: int) -> Iterator[tuple[str, ...]]:
    for number in range(first, last):
        name, to = f"message-{number}", f"7900{number:07}"
        yield f"default/mailing/{name}/1/{to}", name, to, DIGEST, receipt(number), AT, OWNER


def event_rows(first: int, last: int) -> Iterator[tuple[str, str]]:
    for key, *_ in message_rows(first, last):
        yield key, AT


def receipt(number: int) -> str:
    return f"wamid.3EB0C767D097B{number:07}"


def fill(path: Path, first: int, last: int) -> None:
    """Have these messages in the journal, each with its two events."""
    with open_journal(f"sqlite:///{path}"):
        pass
    connection = sqlite3.connect(path)
    connection.executemany(MESSAGE, message_rows(first, last))
    connection.executemany(EVENT, event_rows(first, last))
    connection.commit()
    connection.close()


def start_seconds(journal: Path) -> float:
    command = [sys.executable, "-c", START, f"sqlite:///{journal}"]
    return float(subprocess.check_output(command, cwd=journal.parent))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as folder:
        Path(folder, "one.toml").write_text(MANIFEST)
        empty, full = Path(folder, "empty.db"), Path(folder, "full.db")
        fill(full, 0, SIZED)
        size = full.stat().st_size
        fill(full, SIZED, MANY)
        fill(empty, 0, 0)
        rounds = [[start_seconds(each) for each in (empty, full)] for _ in range(ROUNDS)]
    without, with_many = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(
        f"size              {size / 1e6:6.1f} MB for {SIZED:,} messages, {size / SIZED:.0f} B each"
    )
    print(f"empty             {without * 1000:6.2f} ms to start")
    ratio = with_many / without
    print(f"{MANY:,} messages {with_many * 1000:7.2f} ms to start  {ratio:.2f}x  (goal 1.2x)")


if __name__ == "__main__":
    main()
