"""pytest fixtures: the local Green API, a scripted server, the command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from dispatcher.sandbox.process import SandboxProcess
from dispatcher.testing.gateway import ScriptedGateway

Run: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"

_PATIENCE = 60.0  # seconds
_RUNNING = pytest.StashKey[SandboxProcess]()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SandboxProcess:
    """A local Green API with no messages and no faults, to which `dispatcher` sends in this test.

    It is a process that is started once for all tests. The environment names it, so that nothing a
    test starts can reach the real gateway.
    """
    running = _running(request.config)
    running.clear()
    for name in ("GREENAPI_BASE_URL", "GREENAPI_MEDIA_URL"):
        monkeypatch.setenv(name, running.url)
    monkeypatch.delenv("GREENAPI_TOKEN_FILE", raising=False)
    monkeypatch.setenv("GREENAPI_TOKEN", "sandbox")
    return running


def _running(config: pytest.Config) -> SandboxProcess:
    if _RUNNING not in config.stash:
        started = SandboxProcess().__enter__()
        config.stash[_RUNNING] = started
        config.add_cleanup(lambda: started.__exit__(None, None, None))
    return config.stash[_RUNNING]


@pytest.fixture
def scripted_gateway() -> Iterator[ScriptedGateway]:
    """A server on loopback that answers 200 and an empty body until `script` says otherwise."""
    with ScriptedGateway() as gateway:
        yield gateway


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the real command in `tmp_path`: `run("send", "--json", GREENAPI_RATE="50/s")`.

    Keywords are variables, added to the test's environment. Rates are of this test alone. Returns
    the output and the exit code; no exit code raises.
    """

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dispatcher", *arguments],
            cwd=tmp_path,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / ".state"), **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE,
            check=False,
        )

    return run
