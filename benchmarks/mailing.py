"""Mailings for the benchmarks, and the real command that sends one with a journal on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clients import recipient, text

_MESSAGE = """
[[messages]]
id = "message-{number}"
to = "{to}"
text.body = "{body}"
"""


class Mailing:
    """So many messages of a manifest, which is put into `folder`."""

    def __init__(self, folder: Path, count: int, messages: str) -> None:
        self.folder, self.count = folder, count
        self.manifest = folder / "mailing.toml"
        self.manifest.write_text(f"manifest = 1\n{messages}")
        self._runs = 0

    def send(self, gateway: str, workers: int, **environment: str) -> None:
        """Send all of it to the gateway at a URL, with a new journal."""
        run = self.start(gateway, workers, self.new_journal(), **environment)
        if run.wait() != 0:
            raise RuntimeError(f"dispatcher send ended with {run.returncode}")

    def new_journal(self) -> str:
        """The URL of a journal that is not there yet."""
        self._runs += 1
        return f"sqlite:///{self.folder}/journal-{self._runs}.db"

    def start(
        self, gateway: str, workers: int, journal: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start to send it to the gateway at a URL."""
        (self.folder / "dispatcher.toml").write_text(f"[delivery]\nworkers = {workers}\n")
        command = [sys.executable, "-m", "dispatcher", "send", "--journal", journal]
        variables = {
            "GREENAPI_BASE_URL": gateway,
            "GREENAPI_MEDIA_URL": gateway,
            "GREENAPI_TOKEN": "token",
            "GREENAPI_RATE": "1000000/s",
            "XDG_STATE_HOME": str(self.folder),
            **environment,
        }
        return subprocess.Popen(
            [*command, str(self.manifest)],
            cwd=self.folder,
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def mailing(count: int) -> Iterator[Mailing]:
    """So many texts, each to somebody else, in a folder that is gone afterwards."""
    messages = (
        _MESSAGE.format(number=number, to=recipient(number), body=text(number))
        for number in range(count)
    )
    with tempfile.TemporaryDirectory(prefix="dispatcher-") as folder:
        yield Mailing(Path(folder), count, "".join(messages))


def sync_milliseconds(folder: Path) -> float:
    """How long the disk takes to have 4 KiB more, the median of a hundred times."""
    times = []
    with (folder / "sync").open("wb") as stream:
        for _ in range(100):
            stream.write(bytes(4096))
            stream.flush()
            start = time.perf_counter()
            os.fdatasync(stream.fileno())
            times.append(time.perf_counter() - start)
    return sorted(times)[50] * 1000
