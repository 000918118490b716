"""What the author of a contract said, and the tests' cases that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest


def said(contract: object, name: str) -> Any:
    """What an author said; whoever asks fails if that is nothing."""
    try:
        return getattr(contract, name)
    except AttributeError:
        of = type(contract).__name__
        pytest.fail(f"{of} does not say `{name}`; what does not exist is () or None", pytrace=False)


def cases(contract: object, name: str, title: Callable[[Any], str] = str) -> Iterable[Any]:
    """A test's cases for a list or a table (then: pairs); for an empty one, a case to skip."""
    found = said(contract, name)
    listed = found.items() if isinstance(found, Mapping) else found
    if not listed:
        return [skipped(f"nothing to test: {name} is empty", name)]
    return [
        pytest.param(each, id=f"{name}-{number}{title(each)}")
        for number, each in enumerate(listed, 1)
    ]


def skipped(reason: str, name: str) -> Any:
    """A case that shows as skipped."""
    return pytest.param(None, id=f"{name}-none", marks=pytest.mark.skip(reason=reason))


def untitled(case: object) -> str:
    """For cases whose text is no name."""
    return ""
