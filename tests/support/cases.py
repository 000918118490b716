"""Tests that are tables."""

from typing import Any

import pytest


def cases(names: str, *rows: Any, ids: Any = None) -> pytest.MarkDecorator:
    """Run the test for each row: a value for each of the names, which are like "text, problem"."""
    return pytest.mark.parametrize(names, rows, ids=ids)
