"""What a test needs of the machine."""

import os

import pytest


def require(found: object, what: str) -> None:
    """Skip the test where something is missing; in CI (`CI=true`) that is a failure."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}, which CI must have", pytrace=False)
    pytest.skip(f"needs {what}")
