"""A durable `dispatcher send` with one worker, as a ratio to how others post the same texts.

    python benchmarks/sending.py

The real command, its journal on disk; the others keep none. The pace is what the gateway sees, from
the first post to the last, so nobody's start-up counts. The others (Apprise and the gateway's own
SDK) are installed in an environment of their own. Cases take turns; the median of each counts.
A message waits for one fdatasync; TMPDIR=/dev/shm shows what is left where that takes no time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Mapping

from benchmarks import clients, gateway, peers
from benchmarks.gateway import Gateway
from benchmarks.mailing import Mailing, mailing, sync_milliseconds

MESSAGES = 1000
ROUNDS = 7
PEERS = ["requests==2.34.2", "apprise==2.2.0", "whatsapp-api-client-python==0.0.55"]
GOALS = {"requests": 1.2, "apprise": 2.2, "sdk": 1.4}


def peer(python: str, name: str, mailing: Mailing, **environment: str) -> Callable[[str], None]:
    """How a peer posts the mailing's texts to the gateway at a URL."""

    def post(url: str) -> None:
        command = [python, clients.__file__, name, url, str(mailing.count)]
        subprocess.run(command, env=os.environ | environment, check=True)

    return post


def compare(mails: Mailing, gate: Gateway, goals: Mapping[str, float], **environment: str) -> None:
    """Print our pace, and ratios to the pace of the peers that goals name."""
    python = str(peers.installed("sending", *PEERS) / "python")
    cases = {name: peer(python, name, mails, **environment) for name in goals}
    cases["dispatcher"] = lambda url: mails.send(url, workers=1, **environment)
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, post in cases.items():
            post(gate.url)
            rates[name].append(gate.pace(mails.count).rate)
    sync = sync_milliseconds(mails.folder)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    ours = medians["dispatcher"]
    print(f"dispatcher send  {ours:6.0f}/s   (fdatasync {sync:.2f} ms)")
    for name, goal in goals.items():
        theirs = medians[name]
        print(f"{name:15}  {theirs:6.0f}/s   ours is {ours / theirs:.2f}x  (goal {goal}x)")


def main() -> None:
    with mailing(MESSAGES) as mails, gateway.running() as gate:
        compare(mails, gate, GOALS)


if __name__ == "__main__":
    main()
