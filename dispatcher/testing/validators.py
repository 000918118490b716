"""The contract of `dispatcher_validate_message`, as tests."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from dispatcher.models import Attachment, Message
from dispatcher.registry import Registry
from dispatcher.testing import corpus
from dispatcher.testing.hooks import HookContract
from dispatcher.testing.purity import watched

Good = Message | tuple[Message, Attachment | None]
Bad = tuple[Message, str | None] | tuple[Message, Attachment | None, str | None]


class ValidatorContract(HookContract):
    """Derive a test class from it: `class TestChecks(ValidatorContract)`.

    `good`: messages to which it does not object, alone or with what their source is.
    `bad`: messages to which it objects, with what their source is, if anything, and the key at
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
