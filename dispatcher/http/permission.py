"""A last question before a request leaves: may it still?

Between a sender's own look at that and the first byte lie a connection to be made and other threads
that are served first. So it is asked again directly before each piece is written; a request without
its last piece is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def guarded(check: Callable[[], None]) -> Iterator[None]:
    """Let nothing leave, in this context, for which `check` raises an error."""
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


def require_permission() -> None:
    """Raise what the check raises, if there is one."""
    check = _check.get()
    if check is not None:
        check()
