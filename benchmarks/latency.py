"""A durable `dispatcher send` with 32 workers to a gateway that takes 50 ms for each message.

    python benchmarks/latency.py

The pace that the gateway sees, from the first post to the last, as a ratio to the ceiling: 32
workers that never do anything but wait for it make 640/s. Then the same on a disk that takes 10 ms
for each fdatasync more, which a shim simulates (`slow.c`, built with cc). Cases take turns; the
median of each counts.
"""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

from benchmarks import gateway
from benchmarks.mailing import mailing, sync_milliseconds

WORKERS, DELAY, MESSAGES = 32, 0.05, 3200
ROUNDS = 5
SOURCE = Path(__file__).with_name("slow.c")


def main() -> None:
    ceiling = WORKERS / DELAY
    with mailing(MESSAGES) as mails, gateway.running(DELAY) as gate:
        shim = mails.folder / "slow.so"
        build = ["cc", "-shared", "-fPIC", "-O2", "-o", str(shim), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True)
        goals = {"this disk": 0.93, "10 ms more": 0.93}
        cases = {"this disk": {}, "10 ms more": {"LD_PRELOAD": str(shim), "SLOW_US": "10000"}}
        rates: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, environment in cases.items():
                mails.send(gate.url, WORKERS, **environment)
                rates[name].append(gate.pace(MESSAGES).rate)
        sync = sync_milliseconds(mails.folder)
    print(f"ceiling     {ceiling:4.0f}/s   (fdatasync {sync:.2f} ms)")
    for name, goal in goals.items():
        rate = statistics.median(rates[name])
        print(f"{name:10}  {rate:4.0f}/s   {rate / ceiling:.2f}x  (goal {goal}x)")


if __name__ == "__main__":
    main()
