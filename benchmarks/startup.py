"""How long commands take that do little, as ratios to other command lines in Python.

    python benchmarks/startup.py

Each case is a whole process, cases take turns, and what counts is the processor's time: starting
waits for nothing else, and other processes change that least. The others are Apprise, which sends
notifications, too, and `llm`, which has plugins by pluggy as well, and `sqlfluff`, which checks
files: of these two the slower one counts. They are installed in environments of their own. `plan`
and `history` are of a journal with a few messages.
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
APPRISE = "apprise --version"
CHECKERS = ("llm --version", "sqlfluff --version")
CHECKER_PACKAGES = ("llm==0.36", "sqlfluff==4.5.0")
# Of Apprise, and of the slower of the two others.
GOALS = {
    "dispatcher --version": (0.8, 1.0),
    "dispatcher validate": (1.4, 1.0),
    "dispatcher plan": (1.5, None),
    "dispatcher history": (1.5, None),
}


def commands() -> dict[str, list[str]]:
    """Ours, and what to compare them with; in a folder with the files that they name."""
    ours = str(Path(sys.executable).with_name("dispatcher"))
    few = ["--journal", "sqlite:///few.db"]
    apprise = str(peers.installed("sending", *sending.PEERS) / "apprise")
    checkers = peers.installed("startup", *CHECKER_PACKAGES)
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "dispatcher --version": [ours, "--version"],
        "dispatcher validate": [ours, "validate", "one.toml"],
        "dispatcher plan": [ours, "plan", "one.toml", *few],
        "dispatcher history": [ours, "history", *few],
        APPRISE: [apprise, "--version"],
        **{name: [str(checkers / name.split()[0]), "--version"] for name in CHECKERS},
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
        print(f"{name:22} {least[name] * 1000:6.0f} ms {usual[name] * 1000:6.0f} ms")
    slower = max(CHECKERS, key=usual.__getitem__)
    for name, goals in GOALS.items():
        for peer, goal in zip((APPRISE, slower), goals, strict=True):
            if goal is not None:
                print(f"{name:22} {usual[name] / usual[peer]:.2f}x of {peer}  (goal {goal}x)")


if __name__ == "__main__":
    main()
