"""Several runs of `dispatcher send` on one plan and one journal, as ratios to one run.

    python benchmarks/runs.py

The journal is a PostgreSQL database of its own, made on the server of DISPATCHER_TEST_POSTGRES and
dropped afterwards; each run has a folder for its state, as if it was on a machine of its own. The
gateway takes 50 ms for each message, so that this machine is not the limit. The pace is what it
sees, from the first post to the last: first as fast as the runs can, then at a rate that they
share, of which they are to use nearly all, and never to exceed it by more than the burst in any
second. Cases take turns; the median of each counts.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg  # noqa: TID253 - a benchmark's start-up is nobody's wait

from benchmarks import gateway
from benchmarks.gateway import Gateway, Pace
from benchmarks.mailing import Mailing, mailing

SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
RUNS = (1, 2, 4)
ROUNDS, WORKERS, DELAY = 3, 8, 0.05
MESSAGES, MESSAGES_AT_RATE = 2000, 240
RATE = 40  # a second
BURST = RATE // 10


@contextmanager
def database() -> Iterator[str]:
    """A new database, and its URL."""
    server = os.environ.get("DISPATCHER_TEST_POSTGRES", SERVER)
    name = f"dispatcher_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def pace(mails: Mailing, gate: Gateway, runs: int, rate: str) -> Pace:
    """The pace of so many runs that send the mailing together."""
    with tempfile.TemporaryDirectory() as states, database() as journal:
        processes = [
            mails.start(
                gate.url,
                WORKERS,
                journal,
                GREENAPI_RATE=rate,
                XDG_STATE_HOME=os.path.join(states, str(number)),
            )
            for number in range(runs)
        ]
        codes = [process.wait() for process in processes]
    assert not any(codes), codes
    return gate.pace(mails.count)  # nothing twice, nothing lost


def measured(count: int, gate: Gateway, rate: str) -> dict[int, list[Pace]]:
    """The paces of one run, and of several, in turns."""
    with mailing(count) as mails:
        rounds = [{runs: pace(mails, gate, runs, rate) for runs in RUNS} for _ in range(ROUNDS)]
    return {runs: [each[runs] for each in rounds] for runs in RUNS}


def rate_of(paces: list[Pace]) -> float:
    return statistics.median(each.rate for each in paces)


def main() -> None:
    with gateway.running(DELAY) as gate:
        free = measured(MESSAGES, gate, "1000000/s")
        paced = measured(MESSAGES_AT_RATE, gate, f"{RATE}/s")
    print(f"{WORKERS} workers a run, {DELAY * 1000:.0f} ms an answer")
    for runs, paces in free.items():
        ratio = rate_of(paces) / rate_of(free[1])
        goal = "  (goal 1.6x)" if runs > 1 else ""
        print(f"{runs} run(s)           {rate_of(paces):6.0f}/s   {ratio:.2f}x{goal}")
    for runs, paces in paced.items():
        ratio, used = rate_of(paces) / rate_of(paced[1]), rate_of(paces) / RATE
        most = max(each.most for each in paces)
        goal = "  (goals 0.95x, 0.90)" if runs > 1 else "  (goal 0.90)"
        print(
            f"{runs} run(s) at {RATE}/s   {rate_of(paces):6.1f}/s   {ratio:.2f}x   {used:.2f} of "
            f"the rate{goal}, at most {most} in a second (goal {RATE + BURST})"
        )


if __name__ == "__main__":
    main()
