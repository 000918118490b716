"""A sandbox in a process of its own, and a client for it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from dispatcher.sandbox.process import SandboxProcess
from dispatcher.sandbox.store import Database

from .client import Client


@pytest.fixture(scope="session")
def running() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    """The running sandbox, with nothing of other tests in it but their uploads."""
    running.clear()
    return running


@pytest.fixture
def database() -> Iterator[Database]:
    """A database in memory."""
    with closing(Database()) as database:
        yield database


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[Client]:
    with Client(sandbox.url) as client:
        yield client
