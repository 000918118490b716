"""A list of 1,000,000 recipients: microseconds of CPU for each of them, and MiB at the peak.

    python -m benchmarks.volume [RECIPIENTS]

The real commands, each in a process of its own: `validate`, `plan --json` before anything was sent,
and `send` with nothing left to do, as everybody has the message. What was sent is put into the
journal directly, as sending would have. It takes seven minutes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECIPIENTS = 1_000_000
GOALS = {"validate": (25, 65), "plan": (65, 110)}  # microseconds, MiB
MANIFEST = """manifest = 1
[[messages]]
id = "ready"
recipients = "people.csv"
text.body = "Hello {{ name }}, your order is ready: come by until Sunday."
"""
SENT = (
    "INSERT INTO messages (key, run, manifest, message, recipient, transport, digest, status, "
    "attempts, receipt, changed_at, owner) "
    "VALUES (?, 'default', 'mailing', 'ready', ?, 'greenapi', ?, 'sent', 1, ?, ?, ?)"
)
AT, OWNER = "2026-11-22T12:00:00.000+00:00", "0" * 32


def people(count: int) -> Iterator[str]:
    yield "to,name\n"
    for number in range(count):
        yield f"7900{number * 7919 % 10_000_000:07},Name{number}\n"  # in no order


def write_journal(path: Path, manifest: Path) -> None:
    """Have all messages of the manifest in a new journal, as sent."""
    from dispatcher.api import Dispatcher
    from dispatcher.journal import open_journal

    url = f"sqlite:///{path}"
    with open_journal(url):
        pass
    with (
        Dispatcher.open(third_party=False, journal=url) as dispatcher,
        sqlite3.connect(path) as connection,
    ):
        messages = ((each.message, each.digest) for each in dispatcher.planner([manifest]).plan())
        connection.executemany(
            SENT,
            (
                (message.key, message.to, digest, f"wamid.{number:020}", AT, OWNER)
                for number, (message, digest) in enumerate(messages)
            ),
        )
    connection.close()


def measured(folder: Path, *arguments: str) -> tuple[float, float, Any]:
    """Run a command of the dispatcher: return its seconds of CPU, its MiB at the peak, and what it
    printed last."""
    command = [sys.executable, "-m", "dispatcher", *arguments]
    variables = {"GREENAPI_TOKEN": "token", "GREENAPI_BASE_URL": "http://127.0.0.1:9"}
    with (folder / "out").open("w+") as out:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | variables, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
        out.seek(0)
        last = deque(out, maxlen=1)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, last and json.loads(last[0])


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as name:
        folder = Path(name)
        (folder / "dispatcher.toml").touch()
        manifest, journal = folder / "mailing.toml", folder / "journal.db"
        manifest.write_text(MANIFEST)
        with (folder / "people.csv").open("w") as file:
            file.writelines(people(count))
        # In a process of its own: to a system, the peak of a process is never below its parent's.
        sent = multiprocessing.Process(target=write_journal, args=(journal, manifest))
        sent.start()
        sent.join()
        cases = {
            "validate": ["--json"],
            "plan": ["--json", "--journal", "sqlite:///none.db"],
            "send": ["--json", "--journal", f"sqlite:///{journal}"],
        }
        for case, options in cases.items():
            seconds, memory, summary = measured(folder, case, *options, manifest.name)
            if case == "plan":
                assert summary["new"] == count, summary
            elif case == "send":
                assert summary["skipped"] == count, summary
            goal = "  (goals: {} us, {} MiB)".format(*GOALS[case]) if case in GOALS else ""
            each = seconds / count * 1e6
            print(f"{case:9} {each:6.1f} us a recipient, {memory:4.0f} MiB{goal}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else RECIPIENTS)
