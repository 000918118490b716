"""A folder in which the real command runs, with this plugin alone."""

from __future__ import annotations

import os

import pytest

from dispatcher.testing import run, sandbox

__all__ = ["run", "sandbox"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("DISPATCHER_", "GREENAPI_")):
            monkeypatch.delenv(name)
