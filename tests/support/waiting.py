"""How long tests wait for what has to come, and how."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

# Whether the crash tests take their long time; see crash/conftest.py.
LONG = os.environ.get("CRASH") == "long"
PATIENCE = 900.0 if LONG else 60.0  # seconds


def a_second() -> float:
    """What a program may take that should take no more than a second, on this machine, now."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Return as soon as a condition holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def opened_files(process: subprocess.Popen[str]) -> set[str]:
    """The files that a process has open now; needs /proc."""
    found = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            found.add(os.readlink(link))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found
