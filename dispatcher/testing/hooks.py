"""What the contracts of hooks have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from dispatcher.models import Attachment, Upload
from dispatcher.registry import Registry, build_registry
from dispatcher.testing import saying

_LISTS = ("mine", "foreign", "bad", "good", "cases", "untouched")


class HookContract:
    """`plugin`: the module or object that is tested, alone."""

    plugin: object

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each case that an author listed."""
        for name in _LISTS:
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, saying.cases(self, name, saying.untitled))

    @pytest.fixture
    def asked(self) -> Registry:
        """The plugin in a registry of its own, which checks what it answers and names its hooks."""
        registry = build_registry([], [("plugin", saying.said(self, "plugin"))], third_party=False)
        registry.require_healthy()
        return registry


def told(answer: Any) -> Any:
    """What can be compared of an answer: streams, and how they are opened, never are the same."""
    return answer.model_dump(exclude={"open"}) if isinstance(answer, Upload) else answer


def require_content(attachment: Attachment | None) -> None:
    """Fail unless a file is what it says, each time it is opened."""
    if not isinstance(attachment, Upload):
        return
    for _ in range(2):
        assert _measured(attachment) == (attachment.size, attachment.sha256), (
            "open() gives something else than size and sha256 say; it must give all, each time"
        )


def _measured(file: Upload) -> tuple[int, str]:
    with file.open() as stream:
        digest, size = hashlib.sha256(), 0
        for piece in _pieces(stream):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _pieces(stream: Any) -> Iterator[bytes]:
    yield from iter(lambda: stream.read(65_536), b"")
