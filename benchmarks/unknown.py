"""How many messages are unknown after `kill -9`, and after a power cut, against the bounds.

    python -m benchmarks.unknown [KILLS [CUTS]]

The crash tests' own mailing, kills and cuts (tests/crash), of runs with 8 workers, at random
moments. Counted is what is unknown once the next run has looked at what the last one left. A kill
leaves at most one message a worker; a power cut, after which nothing tells which claims ahead had
not begun, as many as are claimed. In half of the cuts nothing survives that was not synced.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

from dispatcher.delivery.claims import DEEPEST
from dispatcher.sandbox.process import SandboxProcess
from tests.crash.mailing import Mailing
from tests.crash.powercut import cut_power
from tests.crash.storm import storm
from tests.support.boards import delete_boards
from tests.support.project import Project

KILLS, CUTS = 100, 30
WORKERS = 8
EACH = 80  # messages for each kill, of which a run may come to half
SOURCE = Path(__file__).parents[1] / "tests" / "crash" / "powercut.c"
GOALS = {"kill": WORKERS, "power cut": WORKERS * (1 + DEEPEST)}  # unknown each, at most


@contextmanager
def mailing(sandbox: SandboxProcess, count: int, **environment: str) -> Iterator[Mailing]:
    """So many messages that nobody has been sent yet."""
    sandbox.clear()
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as name:
        folder = Path(name, "project")
        folder.mkdir()
        mails = Mailing(
            Project(folder, sandbox.url), sandbox, count // 2, WORKERS, environment=environment
        )
        try:
            yield mails
        finally:
            mails.close()
            delete_boards(mails.project.journal_file)


def unknown(journal: Path) -> int:
    """How many are unknown now; of a copy, as opening a journal that was left changes it."""
    with tempfile.TemporaryDirectory() as folder:
        for each in (journal, journal.with_name(f"{journal.name}-wal")):
            if each.exists():
                shutil.copy(each, folder)
        with closing(sqlite3.connect(Path(folder, journal.name))) as connection:
            if not connection.execute("PRAGMA table_info(messages)").fetchall():
                return 0  # it was over before there was one
            statement = "SELECT count(*) FROM messages WHERE status = 'unknown'"
            return int(connection.execute(statement).fetchone()[0])


def measured(mails: Mailing, times: int, crash: Callable[[], object] = lambda: None) -> list[int]:
    """Kill so many runs; return how many each of them has left unknown."""
    counts = [0]

    def after_kill() -> None:
        counts.append(unknown(mails.project.journal_file))
        crash()

    storm(mails, times, Random(1), after_kill)
    counts.append(mails.ends_well())
    return [after - before for before, after in pairwise(counts)]


def told(kind: str, found: list[int], count: int) -> str:
    times = len(found) - 1
    mean, goal = sum(found) / times, GOALS[kind]
    return (
        f"{times:4} x {kind:9}  {count:,} messages, {sum(found):4} unknown: {mean:.2f} each, at "
        f"most {max(found)}  (goal {goal}); 0 twice, 0 lost, 0 unreported"
    )


def main(kills: int, cuts: int) -> None:
    with SandboxProcess() as sandbox, tempfile.TemporaryDirectory(prefix="dispatcher-") as name:
        with mailing(sandbox, kills * EACH) as mails:
            print(told("kill", measured(mails, kills), mails.total), flush=True)
        notes, library = Path(name, "notes"), Path(name, "powercut.so")
        notes.mkdir()
        build = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True)
        with mailing(sandbox, cuts * EACH * 2, LD_PRELOAD=str(library)) as mails:
            folder, chance = mails.project.folder, Random(2)
            watch = {"POWERCUT_WATCH": str(folder), "POWERCUT_NOTES": str(notes)}
            mails.environment = {**mails.environment, **watch}

            def cut() -> None:
                survival = chance.choice([0.0, chance.random()])
                cut_power(notes, chance, mails.project.journal_file, survival)

            print(told("power cut", measured(mails, cuts, cut), mails.total))


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*given, *(KILLS, CUTS)[len(given) :])
