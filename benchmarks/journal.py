"""How large a journal in a file becomes, and whether a run starts and plans as fast with it.

    python benchmarks/journal.py

Size: bytes for each of 100,000 messages that were sent. Start-up: opening the journal for a run and
looking up the one message of its plan, with 1,000,000 messages in it, as a ratio to an empty one.
Planning: 10,000 new messages compared with this journal, also under other names (whether a message
has moved), as a ratio to the same without that question (`moved_from = []`).
The rows are put there directly, as sending would have; each measurement is made in a process of its
own. Cases take turns; the median of each counts.
"""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dispatcher.journal import open_journal

SIZED, MANY = 100_000, 1_000_000
ROUNDS, PLAN_ROUNDS = 25, 9
MESSAGE = (
    "INSERT INTO messages (key, run, manifest, message, recipient, transport, digest, status, "
    "attempts, receipt, changed_at, owner) "
    "VALUES (?, 'default', 'mailing', ?, ?, 'greenapi', ?, 'sent', 1, ?, ?, ?)"
)
# The other event of a message, "sent", is noted by the journal itself.
EVENT = "INSERT INTO events (key, at, status, attempt) VALUES (?, ?, 'sending', 1)"
AT, OWNER = "2026-11-22T12:00:00.000+00:00", "0" * 32
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
PLAN = """
import sys, time
from dispatcher.api import Dispatcher
with Dispatcher.open(third_party=False, journal=sys.argv[1]) as dispatcher:
    start = time.process_time()
    plan = dispatcher.plan(sys.argv[2], compare=True)
    statuses = {each.status for each in plan}
    seconds = time.process_time() - start
assert statuses == {"new"} and len(plan) == PLANNED, (statuses, len(plan))
print(seconds)
"""
PLANNED = 10_000
MAILING = (
    'manifest = 1\n{}[[messages]]\nid = "new"\nrecipients = "to.csv"\n'
    'text.body = "Hello, {{{{ name }}}}!"\n'
)
MANIFEST = 'manifest = 1\n[[messages]]\nid = "new"\nto = "79001234567"\ntext.body = "Hello!"\n'


def message_rows(first: int, last: int) -> Iterator[tuple[str, ...]]:
    for number in range(first, last):
        name, to = f"message-{number}", f"7900{number:07}"
        yield f"default/mailing/{name}/1/{to}", name, to, digest(number), receipt(number), AT, OWNER


def event_rows(first: int, last: int) -> Iterator[tuple[str, str]]:
    for key, *_ in message_rows(first, last):
        yield key, AT


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


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


def plan_seconds(journal: Path, manifest: str) -> float:
    code = PLAN.replace("PLANNED", str(PLANNED))
    command = [sys.executable, "-c", code, f"sqlite:///{journal}", manifest]
    return float(subprocess.check_output(command, cwd=journal.parent))


def write_mailings(folder: Path) -> None:
    rows = (f"7901{number:07},N{number}" for number in range(PLANNED))
    (folder / "to.csv").write_text("\n".join(["to,name", *rows]))
    (folder / "guarded.toml").write_text(MAILING.format(""))
    (folder / "own.toml").write_text(MAILING.format("moved_from = []\n"))


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
        write_mailings(Path(folder))
        plans = [
            [plan_seconds(full, name) for name in ("own.toml", "guarded.toml")]
            for _ in range(PLAN_ROUNDS)
        ]
    own, guarded = (statistics.median(each) for each in zip(*plans, strict=True))
    without, with_many = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(
        f"size              {size / 1e6:6.1f} MB for {SIZED:,} messages, {size / SIZED:.0f} B each"
    )
    print(f"empty             {without * 1000:6.2f} ms to start")
    ratio = with_many / without
    print(f"{MANY:,} messages {with_many * 1000:7.2f} ms to start  {ratio:.2f}x  (goal 1.2x)")
    print(f"plan of {PLANNED:,}    {own * 1000:7.0f} ms of CPU, names not compared")
    print(
        f"                  {guarded * 1000:7.0f} ms            {guarded / own:.2f}x  (goal 1.05x)"
    )


if __name__ == "__main__":
    main()
