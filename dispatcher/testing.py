"""For tests of your own: `from dispatcher.testing import sandbox` in a conftest.py.

def test_welcome(sandbox):
    subprocess.run(["dispatcher", "send", "manifests/welcome.toml"], check=True)
    [message] = sandbox.wait(1)
    assert message["payload"]["text"]["body"] == "Hello!"
"""

from __future__ import annotations

import pytest

from dispatcher.sandbox.process import SandboxProcess

__all__ = ["SandboxProcess", "sandbox"]

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
