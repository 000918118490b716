"""Runs the benchmarks, all or those named, and keeps what they print in RESULTS.md.

    python -m benchmarks.results [NAME…]

Nothing else should run on the machine meanwhile. A result that is not measured anew stays.
"""

from __future__ import annotations

import platform
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

NAMES = (
    "startup",
    "planning",
    "volume",
    "diff",
    "journal",
    "history",
    "sending",
    "tls",
    "upload",
    "latency",
    "growth",
    "unknown",
    "runs",
    "sandbox",
)
RESULTS = Path(__file__).with_name("RESULTS.md")
_PACKAGES = ("pydantic", "requests", "urllib3", "pluggy")
_HEAD = (
    "# Results\n\nWhat `make bench` printed, each with the date, the machine and the versions.\n"
)


def machine() -> str:
    """Describe this machine and what the benchmarks run on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    processor = f"{len(models)} x {models[0]}" if models else platform.processor()
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{processor}, {platform.system()} {platform.release()}; {python}, {versions}"


def known() -> dict[str, str]:
    """Return the results that are kept, by the benchmark's name."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    return {
        found["name"]: found[0]
        for found in re.finditer(r"(?ms)^## (?P<name>\w+)\n.*?(?=^## |\Z)", text)
    }


def main() -> None:
    results = known()
    for name in sys.argv[1:] or NAMES:
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        print(f"== {name}", flush=True)
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(printed, flush=True)
        today = datetime.now(UTC).date()
        results[name] = f"## {name}\n\n{today}; {machine()}\n\n```text\n{printed.strip()}\n```\n\n"
        kept = "".join(results[each] for each in NAMES if each in results)
        RESULTS.write_text(f"{_HEAD}\n{kept}".rstrip() + "\n")


if __name__ == "__main__":
    main()
