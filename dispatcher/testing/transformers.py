"""The contract of `dispatcher_transform_payload`, as tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from dispatcher.models import Message, Payload, decode, seal
from dispatcher.registry import Registry
from dispatcher.testing import corpus, making
from dispatcher.testing.hooks import HookContract
from dispatcher.testing.purity import watched

Case = tuple[Payload, Payload] | tuple[Payload, Payload, Message]


class TransformerContract(HookContract):
    """Derive a test class from it: `class TestFooter(TransformerContract)`.

    `cases`: a payload, what becomes of it and, where it matters, the message. `untouched`: payloads
    that it leaves as they are. `idempotent`: whether doing it twice is doing it once.

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
        return making.message()

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
            # Raises, with the plugin's name, if it fails, answers, or leaves what is not JSON.
            _transformed(asked, payload, self.message())

    def test_it_survives_any_message(self, asked: Registry, cases: Case) -> None:
        for message, _ in corpus.MESSAGES.values():
            payload, *_ = self._read(cases)
            _transformed(asked, payload, message)

    def _read(self, case: Case) -> tuple[Payload, Payload, Message]:
        payload, expected, *message = case
        return payload, expected, message[0] if message else self.message()


def _transformed(asked: Registry, payload: Payload, message: Message) -> Payload:
    """What the plugin makes of a payload. Raises PluginError, also for a changed recipient."""
    return decode(asked.transform_payload(seal(payload), message))
