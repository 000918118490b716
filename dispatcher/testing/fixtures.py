"""pytest fixtures: the local Green API, and a server that does what a script says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispatcher.sandbox.process import SandboxProcess
from dispatcher.testing.gateway import ScriptedGateway

_RUNNING = pytest.StashKey[SandboxProcess]()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SandboxProcess:
    """A local Green API with no messages and no faults, to which `dispatcher` sends in this test.

    It is a process of its own that is started once for all tests. The environment names it, so
    that nothing a test starts can reach the real gateway.
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
