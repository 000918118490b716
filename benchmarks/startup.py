"""How long commands take that do little, as ratios to another command line in Python.

    python benchmarks/startup.py

Each case is a whole process, cases take turns, and what counts is the processor's time: starting
waits for nothing else, and other processes change that least. The other is Apprise, which sends
notifications, too; it is installed in an environment of its own. `plan` and `history` are of a
journal with a few messages.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import journal, peers, sending

ROUNDS = 15
FEW = 20  # messages
GOALS = {
    "dispatcher --version": 0.8,
    "dispatcher validate": 1.4,
    "dispatcher plan": 1.5,
    "dispatcher history": 1.5,
}
PEER = "apprise --version"


def commands() -> dict[str, list[str]]:
    """Ours, and what to compare them with; in a folder with the files that they name."""
    ours = str(Path(sys.executable).with_name("dispatcher"))
    few = ["--journal", "sqlite:///few.db"]
    apprise = str(peers.installed("sending", *sending.PEERS) / "apprise")
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "dispatcher --version": [ours, "--version"],
        "dispatcher validate": [ours, "validate", "one.toml"],
        "dispatcher plan": [ours, "plan", "one.toml", *few],
        "dispatcher history": [ours, "history", *few],
        PEER: [apprise, "--version"],
    }


def cpu_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    cases = commands()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "one.toml").write_text(journal.MANIFEST)
        journal.fill(Path(folder, "few.db"), 0, FEW)
        kept = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
        environment = {**kept, "HOME": folder}

        def seconds(command: list[str]) -> float:
            before = cpu_seconds()
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
            return cpu_seconds() - before

        for command in cases.values():  # Python compiles what was edited, once
            seconds(command)
        rounds = [{name: seconds(cases[name]) for name in cases} for _ in range(ROUNDS)]
    times = {name: [each[name] for each in rounds] for name in cases}
    least = {name: min(each) for name, each in times.items()}
    usual = {name: statistics.median(each) for name, each in times.items()}
    print(f"{'':22}     least    median")
    for name in cases:
        line = f"{name:22} {least[name] * 1000:6.0f} ms {usual[name] * 1000:6.0f} ms"
        if name in GOALS:
            ratios = [each[name] / each[PEER] for each in (least, usual)]
            line += f"   {ratios[0]:.2f}x, {ratios[1]:.2f}x of {PEER}  (goal {GOALS[name]}x)"
        print(line)


if __name__ == "__main__":
    main()
