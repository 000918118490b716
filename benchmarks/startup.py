"""How long commands take that do little, as ratios to other command lines in Python.

    python benchmarks/startup.py

Each case is a whole process, cases take turns, and what counts is the processor's time: starting
waits for nothing else, and other processes change that least. The others are `llm`, which has
plugins by pluggy as well, and `sqlfluff`, which checks files; ours are not to be slower than the
slower of the two. They are installed in an environment of their own; where they cannot be, only
ours are measured.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import peers

ROUNDS = 15
PEERS = {"llm": "0.36", "sqlfluff": "4.5.0"}
MANIFEST = """manifest = 1

[[messages]]
id = "hello"
to = "79001234567"
text.body = "Hello!"
"""


def commands() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Ours, and those to compare with, if they can be installed."""
    ours = str(Path(sys.executable).with_name("dispatcher"))
    mine = {
        "dispatcher --version": [ours, "--version"],
        "dispatcher validate": [ours, "validate", "hello.toml"],
        "dispatcher plan": [ours, "plan", "hello.toml"],
    }
    try:
        packages = [f"{name}=={version}" for name, version in PEERS.items()]
        folder = peers.installed("startup", *packages)
    except subprocess.CalledProcessError:
        print("llm and sqlfluff cannot be installed: there is nothing to compare with")
        return mine, {}
    return mine, {f"{name} --version": [str(folder / name), "--version"] for name in PEERS}


def cpu_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    ours, others = commands()
    cases = {"python -c pass": [sys.executable, "-c", "pass"], **ours, **others}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "hello.toml").write_text(MANIFEST)
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
    slowest = max((usual[name], name) for name in others)[1] if others else None
    print(f"{'':22}     least    median")
    for name in cases:
        line = f"{name:22} {least[name] * 1000:6.0f} ms {usual[name] * 1000:6.0f} ms"
        if slowest and name in ours:
            ratios = [each[name] / each[slowest] for each in (least, usual)]
            line += f"   {ratios[0]:.2f}x, {ratios[1]:.2f}x of {slowest}"
            line += "" if name == "dispatcher plan" else "  (goal 1.0x)"
        print(line)


if __name__ == "__main__":
    main()
