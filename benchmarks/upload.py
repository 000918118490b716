"""`dispatcher send` of a file of 37 MB: its memory, and its pace as a ratio to curl's.

    python -m benchmarks.upload

The memory is the most that the process has had, less what it has with a file of 1 KB. The pace is
what the gateway sees of the file, from the head of its request to the last byte; curl posts the
same file from the disk, too. We also compare its digest with that of the plan while it is sent;
what the digest alone takes is printed as well. Cases take turns; the median of each counts.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import gateway
from benchmarks.gateway import Gateway
from benchmarks.mailing import Mailing

SIZES = {"small": 1_000, "large": 37_000_000}  # bytes, thousands of them
ROUNDS = 9
GOALS = 5, 0.9  # MB more, times curl's pace
DOCUMENT = '[[messages]]\nid = "file"\nto = "79001234567"\ndocument.source = "{}"\n'


def file(folder: Path, size: int) -> Path:
    """A document of this size, in a folder of its own.

    Never in memory as a whole: to a system, the peak of a process is never below its parent's.
    """
    folder.mkdir()
    path = folder / "prices.pdf"
    with path.open("wb") as stream:
        for each in range(size // 1000):
            stream.write((b"" if each else b"%PDF-1.7\n").ljust(1000, b"%"))
    return path


def sha256_seconds(path: Path) -> float:
    """What the digest alone takes of a file that is in the system's memory."""
    digest, start = hashlib.sha256(), time.process_time()
    with path.open("rb") as stream:
        while piece := stream.read(65_536):
            digest.update(piece)
    return time.process_time() - start


def megabytes(mails: Mailing, gate: Gateway) -> float:
    """Send the file; return the most memory that this took."""
    process = mails.start(gate.url, 1, mails.new_journal())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return usage.ru_maxrss * 1024 / 1e6


def curl(path: Path, gate: Gateway) -> None:
    """Post a file as it is read, without the wait for a "100 Continue" that never comes."""
    subprocess.run(
        ["curl", "-sS", "-X", "POST", "-H", "Expect:", "-T", path, f"{gate.url}/v1/media"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    memory: dict[str, list[float]] = {name: [] for name in SIZES}
    seconds: dict[str, list[float]] = {"dispatcher": [], "curl": [], "sha256": []}
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as name, gateway.running() as gate:
        files = {each: file(Path(name, each), size) for each, size in SIZES.items()}
        mailings = {
            each: Mailing(path.parent, 1, DOCUMENT.format(path.name))
            for each, path in files.items()
        }
        for _ in range(ROUNDS):
            for each, mails in mailings.items():
                memory[each].append(megabytes(mails, gate))
                posted, _message = gate.posts(2)
            seconds["dispatcher"].append(posted.complete - posted.begun)
            curl(files["large"], gate)
            (posted,) = gate.posts(1)
            seconds["curl"].append(posted.complete - posted.begun)
            seconds["sha256"].append(sha256_seconds(files["large"]))
    small, large = (statistics.median(memory[each]) for each in SIZES)
    rates = {each: SIZES["large"] / statistics.median(took) / 1e6 for each, took in seconds.items()}
    ratio = rates["dispatcher"] / rates["curl"]
    print(
        f"memory     {small:6.1f} MB, {large:.1f} MB: {large - small:+.1f} MB  (goal +{GOALS[0]})"
    )
    print(f"curl       {rates['curl']:6.0f} MB/s")
    print(f"dispatcher {rates['dispatcher']:6.0f} MB/s  {ratio:.2f}x  (goal {GOALS[1]}x)")
    print(f"sha256     {rates['sha256']:6.0f} MB/s, in one core, where nothing is sent")


if __name__ == "__main__":
    main()
