"""A mailing that crashes, and the ledger in which everything that became of it is compared."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from dispatcher.sandbox.process import SandboxProcess
from tests.support.forking import Process, start
from tests.support.project import Project, Result

NewMailing: TypeAlias = "Callable[..., Mailing]"  # see the fixture

CHILDREN = Path(__file__).with_name("children")
MESSAGES = ("first", "second")
FINAL = {"sent", "unknown"}
# How a run may report what the journal calls so: what was sent before is skipped.
_TOLD = {"sent": {"sent", "skipped"}, "unknown": {"unknown"}}
_FAST = {"GREENAPI_RATE": "100000/s"}  # else it would take as long as the account's rate


class Key(NamedTuple):
    """What is to arrive once: a message of the manifest, for a recipient."""

    message: str
    to: str


@dataclass(frozen=True)
class Verdict:
    """What became of a mailing. A good one has nothing in the first three.

    `twice`: the gateway accepted it more than once. `lost`: after the last run the journal does
    not call it sent or unknown, or it calls sent what never arrived, or no longer what a run had
    reported as sent. `unreported`: the last run did not report it as the journal has it.
    """

    twice: set[Key]
    lost: set[Key]
    unreported: set[Key]
    unknown: int

    @property
    def good(self) -> bool:
        return not (self.twice or self.lost or self.unreported)


@dataclass
class Mailing:
    """Two messages each to many recipients.

    `script`: a script of children/ and its arguments, which runs the command in its own way.
    `head`: the beginning of the manifest.
    `reported`: what any of its runs, killed ones too, had reported as sent.
    """

    project: Project
    gateway: SandboxProcess
    recipients: int
    workers: int = 8
    script: tuple[str, ...] = ()
    head: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    reported: set[Key] = field(default_factory=set)
    _started: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.project.config(f"[delivery]\nworkers = {self.workers}\n")
        self.project.write("manifests/to.csv", "\n".join(["to", *self._recipients()]))
        entry = '[[messages]]\nid = "{0}"\nrecipients = "to.csv"\ntext.body = "{0}"'
        entries = "\n".join(entry.format(id) for id in MESSAGES)
        self.project.manifest(f"{self.head}{entries}")

    @property
    def total(self) -> int:
        return len(MESSAGES) * self.recipients

    def start(self, *options: str) -> Process:
        """Start a run."""
        name, *arguments = self.script or ("plain",)
        process = start(
            [CHILDREN / f"{name}.py", *arguments, "send", "--json", *options],
            cwd=self.project.folder,
            env={**os.environ, **self.project.environment, **_FAST, **self.environment},
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what still runs, which would send into the next test's gateway."""
        for process in self._started:
            with process:
                process.kill()

    def read_sent(self, process: Process) -> Iterator[Key]:
        """What a run reports as sent, as it does so; a line that the end cut in two is none."""
        for line in process.stdout:
            event = json.loads(line) if line.endswith("\n") else {}
            if event.get("status") == "sent":
                key = Key(event["message"], event["to"])
                self.reported.add(key)
                yield key

    def read_some(self, process: Process, count: int) -> None:
        """Wait until a run has reported so many as sent, or has ended."""
        for number, _ in enumerate(self.read_sent(process), 1):
            if number >= count:
                return

    def read_rest(self, process: Process) -> str:
        """Wait for a run's end; what it wrote on standard error."""
        for _ in self.read_sent(process):
            pass
        with process:
            return process.stderr.read()

    def kill(self, process: Process) -> bool:
        """Kill a run with -9; False: it had ended before."""
        process.kill()
        errors = self.read_rest(process)
        assert process.returncode in (0, 5, -9), errors
        return process.returncode == -9

    def accepted(self) -> Counter[Key]:
        """How often the gateway accepted what."""
        payloads = (message["payload"] for message in self.gateway.messages())
        return Counter(Key(payload["text"]["body"], payload["to"]) for payload in payloads)

    def journal(self) -> dict[Key, str]:
        """What the journal calls everything."""
        lines = self.project.call("history", "--json").lines
        return {Key(line["message"], line["to"]): line["status"] for line in lines}

    def verdict(self, *options: str) -> Verdict:
        """Run once more, undisturbed, and compare the gateway, the journal and the reports."""
        return self._compared(self.project.call("send", "--json", *options, env=_FAST))

    def ends_well(self) -> int:
        """Run once more: nothing is lost, unreported or there twice. Out: how many are unknown."""
        verdict = self.verdict()
        assert verdict.good, verdict
        return verdict.unknown

    def _compared(self, last: Result) -> Verdict:
        accepted, journal = self.accepted(), self.journal()
        told = {Key(line["message"], line["to"]): line["status"] for line in last.events("result")}
        sent = {key for key, status in journal.items() if status == "sent"}
        final = {key for key, status in journal.items() if status in FINAL}
        as_told = {key for key in final if told.get(key) in _TOLD[journal[key]]}
        everything = {Key(id, to) for id in MESSAGES for to in self._recipients()}
        return Verdict(
            twice={key for key, count in accepted.items() if count > 1},
            lost=(everything | set(accepted)) - final
            | (sent - set(accepted))
            | (self.reported - sent),
            unreported=everything - as_told,
            unknown=len(final - sent),
        )

    def _recipients(self) -> Iterator[str]:
        return (str(79_000_000_000 + number) for number in range(self.recipients))
