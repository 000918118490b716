"""The contracts of hooks, as tests: sources, transformers, validators."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dispatcher.errors import SourceError
from dispatcher.models import Attachment, Message, Payload, Upload, decode, seal
from dispatcher.registry import Registry, build_registry
from dispatcher.testing import corpus, factories
from dispatcher.testing.contract_cases import cases, declared
from dispatcher.testing.purity import watched

Expected = Attachment | Callable[[Attachment], bool]
Case = tuple[Payload, Payload] | tuple[Payload, Payload, Message]
Good = Message | tuple[Message, Attachment | None]
Bad = tuple[Message, str | None] | tuple[Message, Attachment | None, str | None]

_LISTS = ("mine", "foreign", "bad", "good", "cases", "untouched")
# What people write, and what breaks parsers; for an unknown source the result is None.
_ODD = (
    *("", " ", "\x00", "a\nb", "a" * 5000, "../" * 99),
    *". .. / ~ % 😃 ..\\..\\a http:// :// : a:b //host/a file:///etc/passwd https://[::1 ſ3://a".split(),
)


class HookContract:
    """What the contracts of hooks share; `plugin` is the module or object that is tested."""

    plugin: object

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test for each case that an author listed."""
        for name in _LISTS:
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, cases(self, name))

    @pytest.fixture
    def asked(self) -> Registry:
        """The plugin in a registry of its own, which checks what it returns and names its hooks."""
        registry = build_registry([], [("plugin", declared(self, "plugin"))], third_party=False)
        registry.require_healthy()
        return registry


class SourceContract(HookContract):
    """Derive a test class from it: `class TestDrive(SourceContract)`.

    `mine` has sources, each with what it is, or a function that says whether a result is right.
    `foreign` are sources of others, for which it returns None. `bad` are its own, but unusable.
    `files` has the files beside the manifest, by path. `reads` are other folders it may read.

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
            assert _comparable(found) == _comparable(expected), f'"{source}" is {found!r}'

    def test_files_are_what_they_say(
        self, asked: Registry, base: Path, mine: tuple[str, Expected]
    ) -> None:
        _require_content(asked.resolve_source(mine[0], base))

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
            first, second = (_resolved(asked, source, base) for _ in range(2))
        watch.require_pure(base, *self.reads)
        assert first == second, "it answers differently when it is asked again"


class TransformerContract(HookContract):
    """Derive a test class from it: `class TestFooter(TransformerContract)`.

    Each of `cases` has a payload, what becomes of it and, where it matters, the message.
    `untouched` are payloads that it does not change. `idempotent` says whether a second time
    changes nothing more.

        plugin = dispatcher_footer
        cases = (({"text": {"body": "Hi"}}, {"text": {"body": "Hi\\n\\nReply STOP"}}),)
        untouched = ({"image": {"id": "f1"}},)
        idempotent = False
    """

    cases: ClassVar[Sequence[Case]]
    untouched: ClassVar[Sequence[Payload]]
    idempotent: ClassVar[bool]

    def message(self) -> Message:
        """The message to which the payloads belong."""
        return factories.message()

    def test_it_changes_what_it_should(self, asked: Registry, cases: Case) -> None:
        payload, expected, message = self._read(cases)
        assert _transformed(asked, payload, message) == expected

    def test_it_leaves_others_alone(self, asked: Registry, untouched: Payload) -> None:
        assert _transformed(asked, untouched, self.message()) == untouched

    def test_it_is_pure(self, asked: Registry, cases: Case) -> None:
        payload, _, message = self._read(cases)
        with watched() as watch:  # a change of the message is an error of its own
            once, again = (_transformed(asked, payload, message) for _ in range(2))
        watch.require_pure()
        assert once == again, "it makes different things of the same payload"

    def test_it_is_idempotent(self, asked: Registry, cases: Case) -> None:
        if not self.idempotent:
            pytest.skip("it need not be: idempotent = False")
        payload, expected, message = self._read(cases)
        for _ in range(2):
            payload = _transformed(asked, payload, message)
        assert payload == expected, "the second time it changed more"

    def test_it_survives_any_payload(self, asked: Registry) -> None:
        for payload in corpus.payloads():
            # Raises, with the plugin's name, if it fails, returns anything, or leaves what is not
            # JSON.
            _transformed(asked, payload, self.message())

    def test_it_survives_any_message(self, asked: Registry, cases: Case) -> None:
        for message, _ in corpus.MESSAGES.values():
            payload, *_ = self._read(cases)
            _transformed(asked, payload, message)

    def _read(self, case: Case) -> tuple[Payload, Payload, Message]:
        payload, expected, *message = case
        return payload, expected, message[0] if message else self.message()


class ValidatorContract(HookContract):
    """Derive a test class from it: `class TestChecks(ValidatorContract)`.

    `good` are messages to which it does not object, alone or with what their source is.
    `bad` are messages to which it objects, with what their source is, if anything, and the key at
    which the problem shows.

        plugin = dispatcher_words
        good = (message(),)
        bad = ((message(text={"body": "free of charge"}), "text.body"),)
    """

    good: ClassVar[Sequence[Good]]
    bad: ClassVar[Sequence[Bad]]

    def test_good_ones_pass(self, asked: Registry, good: Good) -> None:
        message, attachment = good if isinstance(good, tuple) else (good, None)
        assert asked.validate_message(message, attachment) == []

    def test_bad_ones_are_found(self, asked: Registry, bad: Any) -> None:
        message, *attachment, where = bad
        found = asked.validate_message(message, attachment[0] if attachment else None)
        assert where in [each.where for each in found], f"nothing at {where}, but {found}"
        [name] = {plugin.signed("") for plugin in asked.plugins}
        sentences = [each.message.removesuffix(name) for each in found]
        assert all(len(each.split()) > 1 for each in sentences), f"{sentences} explain nothing"

    @pytest.mark.parametrize("case", corpus.MESSAGES.values(), ids=[*corpus.MESSAGES])
    def test_it_is_pure(self, asked: Registry, case: tuple[Message, Attachment | None]) -> None:
        before = copy.deepcopy(case)
        with watched() as watch:
            first, second = (asked.validate_message(*case) for _ in range(2))
        watch.require_pure()
        assert first == second, "it answers differently when it is asked again"
        assert case == before, "it changed its arguments"

    def test_it_survives_a_source_that_is_nothing(self, asked: Registry) -> None:
        for message, _ in corpus.MESSAGES.values():
            asked.validate_message(message, None)


def _resolved(asked: Registry, source: str, base: Path) -> object:
    try:
        return _comparable(asked.resolve_source(source, base))
    except SourceError as error:
        return str(error)


def _transformed(asked: Registry, payload: Payload, message: Message) -> Payload:
    """Return a payload as the plugin changes it.

    Raises PluginError, also for a changed recipient.
    """
    return decode(asked.transform_payload(seal(payload), message))


def _comparable(answer: Any) -> Any:
    """Return a result without what is never the same: how a file is opened."""
    return answer.model_dump(exclude={"open"}) if isinstance(answer, Upload) else answer


def _require_content(attachment: Attachment | None) -> None:
    """Fail unless a file has the content it claims, each time it is opened."""
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
