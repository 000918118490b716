"""Real servers on loopback, and a folder in which the real command runs."""

from __future__ import annotations

import os

import pytest

from dispatcher.testing import run, scripted_gateway

__all__ = ["run", "scripted_gateway"]


def pytest_configure(config: pytest.Config) -> None:
    """Apprise imports all of its services, and some import what Python is about to drop."""
    config.addinivalue_line("filterwarnings", "ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("DISPATCHER_", "GREENAPI_", "APPRISE_")):
            monkeypatch.delenv(name)
