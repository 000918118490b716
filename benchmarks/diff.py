"""`dispatcher diff` for one list, as a ratio to `dispatcher plan` of the same, and its memory.

    python benchmarks/diff.py [PEOPLE]

The text of the list is another one in the commit, one recipient in ten is new, and one in ten is
gone. Each command is a process of its own, and the two take turns. The time is that of the
processor, the memory the most that the process has had. Both are also run with a tenth of the
people, so that it is seen what each of them takes; any plan remembers who is on a list, to find
those who are on it twice.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PEOPLE = 100_000
ROUNDS = 3
GOAL = 2.2  # times the plan
MANIFEST = """manifest = 1
[[messages]]
id = "sale"
recipients = "people.csv"
text.body = "Dear {{{{ name }}}}, {season} prices are here: come by until Sunday."
"""


class Cost(NamedTuple):
    """Seconds of the processor, and megabytes."""

    seconds: float
    megabytes: float


def write(folder: Path, season: str, numbers: range) -> None:
    """One of the two states."""
    rows = "".join(f"7900{number:07},Customer {number}\n" for number in numbers)
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "manifests" / "people.csv").write_text(f"to,name\n{rows}")
    (folder / "manifests" / "sale.toml").write_text(MANIFEST.format(season=season))


def repository(folder: Path, people: int) -> None:
    """Commit one state, and leave the other in the working tree."""
    write(folder, "spring", range(people))
    author = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run(["git", *author, *arguments], cwd=folder, check=True)
    write(folder, "summer", range(people // 10, people + people // 10))


def cost(folder: Path, *arguments: str) -> Cost:
    """What a command costs, without what it starts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dispatcher", *arguments, "--no-plugins"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, arguments
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as small:
        folder = Path(name)
        repository(folder, people)
        repository(Path(small), people // 10)
        rounds = [(cost(folder, "plan"), cost(folder, "diff", "HEAD")) for _ in range(ROUNDS)]
        few = cost(Path(small), "plan"), cost(Path(small), "diff", "HEAD")
    ratio = statistics.median(diff.seconds / plan.seconds for plan, diff in rounds)
    print(f"{people:,} recipients")
    for name, many, small_one in zip(("plan", "diff"), rounds[0], few, strict=True):
        each = (many.megabytes - small_one.megabytes) * 1024 * 1024 / (people - people // 10)
        print(f"{name} {many.seconds:6.1f} s {many.megabytes:5.0f} MB {each:5.0f} bytes a person")
    print(f"ratio {ratio:.2f}x  (goal {GOAL}x)")


if __name__ == "__main__":
    main()
