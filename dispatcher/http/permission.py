"""A last check whether a request may still be sent.

Between the sender's own check and the first byte, a connection is made and other threads may run.
So it is checked again directly before each piece is written; a gateway ignores a
request that is not complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def guarded(check: Callable[[], None]) -> Iterator[None]:
    """Run `check` before anything is sent in this context; nothing is sent if it raises."""
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


def require_permission() -> None:
    """Raise what the check of this context raises, if there is one."""
    check = _check.get()
    if check is not None:
        check()
