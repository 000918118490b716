"""The contract of `dispatcher_resolve_source`, as tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from dispatcher.errors import SourceError
from dispatcher.models import Attachment
from dispatcher.registry import Registry
from dispatcher.testing.hooks import HookContract, require_content, told
from dispatcher.testing.purity import watched

Expected = Attachment | Callable[[Attachment], bool]
# What people write, and what breaks parsers: whoever does not know a source says None.
_ODD = (
    *("", " ", "\x00", "a\nb", "a" * 5000, "../" * 99),
    *". .. / ~ % 😃 ..\\..\\a http:// :// : a:b //host/a file:///etc/passwd https://[::1 ſ3://a".split(),
)


class SourceContract(HookContract):
    """Derive a test class from it: `class TestDrive(SourceContract)`.

    `mine`: sources, each with what it is, or a function that says whether an answer is right.
    `foreign`: sources of others, for which it answers None. `bad`: its own, but unusable.
    `files`: what lies beside the manifest, by path. `reads`: folders that it may read besides.

        plugin = dispatcher_drive
        mine = {"drive:x": Link(url="https://drive.example.com/x")}
        foreign = ("a.pdf", "https://example.com/a.pdf")
        bad = ("drive:",)
    """

    mine: ClassVar[Mapping[str, Expected] | Sequence[tuple[str, Expected]]]
    foreign: ClassVar[Sequence[str]]
    bad: ClassVar[Sequence[str]]
    files: ClassVar[Mapping[str, bytes]] = {}
    reads: ClassVar[Sequence[Path]] = ()

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        """The manifest's folder, with `files` in it."""
        folder = tmp_path / "manifests"
        folder.mkdir()
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    def test_its_own_are_resolved(
        self, asked: Registry, base: Path, mine: tuple[str, Expected]
    ) -> None:
        source, expected = mine
        found = asked.resolve_source(source, base)
        assert found is not None, f'it does not know "{source}"'
        if callable(expected):
            assert expected(found), f'"{source}" is {found!r}'
        else:
            assert told(found) == told(expected), f'"{source}" is {found!r}'

    def test_files_are_what_they_say(
        self, asked: Registry, base: Path, mine: tuple[str, Expected]
    ) -> None:
        require_content(asked.resolve_source(mine[0], base))

    def test_others_are_left_to_others(self, asked: Registry, base: Path, foreign: str) -> None:
        found = asked.resolve_source(foreign, base)
        assert found is None, f'"{foreign}" is not its own, but it made {found!r} of it'

    def test_bad_ones_are_explained(self, asked: Registry, base: Path, bad: str) -> None:
        with pytest.raises(SourceError) as caught:
            asked.resolve_source(bad, base)
        sentence = str(caught.value)
        assert len(sentence.split()) > 1, f'"{sentence}" explains nothing'
        assert "\n" not in sentence, "the sentence has several lines"

    def test_it_is_pure(self, asked: Registry, base: Path, mine: tuple[str, Expected]) -> None:
        self._require_pure(asked, base, mine[0])

    def test_it_is_pure_for_others(self, asked: Registry, base: Path, foreign: str) -> None:
        self._require_pure(asked, base, foreign)

    def test_it_is_pure_for_bad_ones(self, asked: Registry, base: Path, bad: str) -> None:
        self._require_pure(asked, base, bad)

    @pytest.mark.parametrize("source", _ODD, ids=range(len(_ODD)))
    def test_it_survives_any_source(self, asked: Registry, base: Path, source: str) -> None:
        self._require_pure(asked, base, source)

    def _require_pure(self, asked: Registry, base: Path, source: str) -> None:
        with watched() as watch:
            first, second = (_answer(asked, source, base) for _ in range(2))
        watch.require_pure(base, *self.reads)
        assert first == second, "it answers differently when it is asked again"


def _answer(asked: Registry, source: str, base: Path) -> object:
    try:
        return told(asked.resolve_source(source, base))
    except SourceError as error:
        return str(error)
