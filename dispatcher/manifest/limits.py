"""The limits of a template: how long it may be, and how much work one rendering may do."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from functools import wraps
from math import isfinite
from typing import Any

from dispatcher.errors import DispatcherError

MAX_LENGTH = 100_000  # characters of the result
MAX_TEMPLATE = 30_000  # characters of a template that is more than `{{ name }}`
MAX_NODES = 5_000  # names, values and operators of such a template
MAX_WORK = 300_000  # characters and items processed, and steps, in one rendering
MAX_NUMBER = 2**64

NOT_FINITE = "a number is infinite, or not a number at all"

_CONTAINERS = (list, tuple, dict, KeysView, ValuesView, ItemsView)


class RenderError(DispatcherError):
    """A template cannot be compiled or rendered; `line` counts from 1 within the string."""

    def __init__(self, text: str, line: int = 1) -> None:
        super().__init__(text)
        self.line = line


class Exhausted(RenderError):
    """A rendering did more than it is allowed to."""


class WorkBudget:
    """The work that one rendering may still do: each value is charged by its size."""

    def __init__(self) -> None:
        self._left = 0

    def reset(self, amount: int) -> None:
        """Begin another rendering."""
        self._left = amount

    def spend(self, amount: int) -> None:
        """Spend a part of the budget. Raises Exhausted when nothing is left."""
        self._left -= amount
        if self._left < 0:
            raise Exhausted("the template takes too long; let it do less, or with less data")

    def charge(self, value: Any) -> Any:
        """Spend the size of a value and all that it holds; return the value."""
        rest = [value]
        while rest:
            value_or_part = rest.pop()
            self.spend(1)
            if isinstance(value_or_part, str):
                self.spend(len(value_or_part))
            elif isinstance(value_or_part, _CONTAINERS):
                self.spend(len(value_or_part))
                rest.extend(value_or_part)
                if isinstance(value_or_part, dict):
                    rest.extend(value_or_part.values())
            elif isinstance(value_or_part, int) and abs(value_or_part) > MAX_NUMBER:
                raise RenderError("a number is too large")
            elif isinstance(value_or_part, float) and not isfinite(value_or_part):
                raise RenderError(NOT_FINITE)
        return value

    def charged(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, charged for its arguments and for each item of an iterator."""

        @wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.charge((arguments, options))
            result = function(*arguments, **options)
            return self.counted(result) if isinstance(result, Iterator) else result

        return wrapped

    def counted(self, items: Iterable[Any], cost: int = 1) -> Iterator[Any]:
        """Yield the items, each charged with the cost of processing it."""
        for item in items:
            self.spend(cost)
            yield item


def check_length(length: int) -> None:
    """Raise RenderError for a text that is longer than any message could be."""
    if length > MAX_LENGTH:
        raise RenderError(f"the template makes more than {MAX_LENGTH} characters")
