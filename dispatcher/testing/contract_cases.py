"""The declarations of a test class for its contract, and the cases that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest


def declared(contract: object, name: str) -> Any:
    """Return what a test class declares; fail the test if that was forgotten."""
    try:
        return getattr(contract, name)
    except AttributeError:
        of = type(contract).__name__
        pytest.fail(f"{of} does not say `{name}`; what does not exist is () or None", pytrace=False)


def cases(contract: object, name: str, title: Callable[[Any], str] | None = None) -> Iterable[Any]:
    """Return a test's cases, one for each item of a list or pair of a table; skip an empty one."""
    found = declared(contract, name)
    listed = found.items() if isinstance(found, Mapping) else found
    if not listed:
        return [skipped(f"nothing to test: {name} is empty", name)]
    return [
        pytest.param(each, id=f"{name}-{number}{title(each) if title else ''}")
        for number, each in enumerate(listed, 1)
    ]


def skipped(reason: str, name: str) -> Any:
    """Return a case that shows as skipped."""
    return pytest.param(None, id=f"{name}-none", marks=pytest.mark.skip(reason=reason))
