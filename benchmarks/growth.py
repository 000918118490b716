"""100,000 messages through `dispatcher send`: whether the last ones cost more than the first.

    python -m benchmarks.growth [MESSAGES]

The real command, with 8 workers, its journal on disk, and a gateway that answers at once; the
messages are those of a list. What a message costs, in time and in that of the processor, is
compared between the first tenth and the last one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

from benchmarks import gateway
from benchmarks.clients import recipient, text
from benchmarks.mailing import Mailing, sync_milliseconds

MESSAGES, WORKERS = 100_000, 8
GOAL = 1.1  # times the first tenth
LOOK = 0.02  # seconds
LIST = f'[[messages]]\nid = "ready"\nrecipients = "people.csv"\ntext.body = "{text(0)}"\n'


class Cost(NamedTuple):
    """Microseconds of a message: by the clock, and of the processor."""

    wall: float
    cpu: float


class Watch:
    """What a process has had of the processor, as it went on; needs /proc."""

    def __init__(self, pid: int) -> None:
        self._stat = Path(f"/proc/{pid}/stat")
        self._tick = os.sysconf("SC_CLK_TCK")
        self._at: list[float] = []
        self._seconds: list[float] = []

    def look(self) -> None:
        user, system = self._stat.read_text().rpartition(")")[2].split()[11:13]
        self._at.append(time.perf_counter())
        self._seconds.append((int(user) + int(system)) / self._tick)

    def seconds(self, at: float) -> float:
        """What it had had at this time."""
        return self._seconds[min(bisect_left(self._at, at), len(self._at) - 1)]


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as name, gateway.running() as gate:
        mails = Mailing(Path(name), count, LIST)
        people = "".join(f"{recipient(number)}\n" for number in range(count))
        (mails.folder / "people.csv").write_text(f"to\n{people}")
        sync = sync_milliseconds(mails.folder)
        process = mails.start(gate.url, WORKERS, mails.new_journal())
        watch = Watch(process.pid)
        while process.poll() is None:
            watch.look()
            time.sleep(LOOK)
        assert process.returncode == 0, process.returncode
        at = [each.complete for each in gate.posts(count)]

    def cost(first: int, last: int) -> Cost:
        begin, end = at[first], at[last]
        cpu = watch.seconds(end) - watch.seconds(begin)
        return Cost((end - begin) / (last - first) * 1e6, cpu / (last - first) * 1e6)

    tenth = count // 10
    costs = [cost(first, first + tenth - 1) for first in range(0, 10 * tenth, tenth)]
    print(f"{count:,} messages, {WORKERS} workers   (fdatasync {sync:.2f} ms)")
    for number, each in enumerate(costs, 1):
        print(f"{number * tenth:9,}  {each.wall:6.0f} us each, {each.cpu:6.0f} us of CPU")
    wall, cpu = (after / before for before, after in zip(costs[0], costs[-1], strict=True))
    print(f"ratio      {wall:6.2f}x         {cpu:6.2f}x  (goal {GOAL}x)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else MESSAGES)
