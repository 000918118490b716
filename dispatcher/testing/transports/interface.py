"""Name, settings, `build` and `check`: everything that planning needs, and no network."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from dispatcher.errors import ConfigError
from dispatcher.models import Attachment, Message, Problem, encode
from dispatcher.testing import corpus, making, saying
from dispatcher.testing.purity import watched
from dispatcher.testing.transports.situation import URL, Situation
from dispatcher.transports import optional, own


class Interface(Situation):
    """It can be named, loaded and planned with."""

    @pytest.fixture(params=corpus.MESSAGES.values(), ids=[*corpus.MESSAGES])
    def planned(self, request: pytest.FixtureRequest) -> tuple[Message, Attachment | None]:
        """A message and what its source is."""
        case: tuple[Message, Attachment | None] = request.param
        return case

    def test_it_has_a_name_and_settings(self) -> None:
        kind: Any = type(self.make(URL))
        name = getattr(kind, "name", None)
        assert isinstance(name, str), "`name` must be a text of the class"
        assert name.strip(), "`name` is empty"
        assert issubclass(kind.Settings, BaseSettings), (
            "`Settings` must be BaseSettings of pydantic"
        )

    def test_it_loads_without_credentials(self) -> None:
        bare = self.make_without_credentials()
        bare.build(making.message(), None)
        require = own(bare, "require_credentials")
        if require is not None and saying.said(self, "token") is not None:
            with pytest.raises(ConfigError):
                require()

    def test_it_plans_without_settings_if_it_says_so(self) -> None:
        kind: Any = type(self.make(URL))
        if not optional(kind, "plans_without_settings"):
            pytest.skip("it does not say plans_without_settings")
        bare = kind()
        list(bare.check(bare.build(making.message(), None), None))

    def test_build_is_pure(self, planned: tuple[Message, Attachment | None]) -> None:
        message, attachment = planned
        transport, before = self.make(URL), copy.deepcopy(planned)
        with watched() as watch:
            first = copy.deepcopy(transport.build(message, attachment))
            second = transport.build(message, attachment)
        watch.require_pure()
        assert first == second, "build answers differently when it is asked again"
        assert encode(first) == encode(second), "build writes its keys in another order"
        assert planned == before, "build changed its arguments"

    def test_check_is_pure(self, planned: tuple[Message, Attachment | None]) -> None:
        transport, attachment = self.make(URL), planned[1]
        payload = transport.build(*planned)
        before = copy.deepcopy(payload)
        with watched() as watch:
            first = list(transport.check(payload, attachment))
            second = list(transport.check(payload, attachment))
        watch.require_pure()
        assert first == second, "check answers differently when it is asked again"
        assert all(isinstance(each, Problem) for each in first), f"check gave {first!r}"
        assert payload == before, "check changed the payload"

    def test_check_survives_what_plugins_leave(self) -> None:
        transport = self.make(URL)
        payloads = corpus.odd(transport.build(making.message(), None))
        for payload in payloads:
            found = list(transport.check(payload, None))
            assert all(isinstance(each, Problem) for each in found), f"check gave {found!r}"

    def test_a_file_stands_in_the_payload_as_its_reference(self, uploaded_reply: object) -> None:
        file = self.file()
        message = making.message(document={"source": file.filename})
        payload = self.make(URL).build(message, file)
        assert file.reference in _texts(json.loads(encode(payload))), (
            "the core finds no place for the media id: put upload.reference, whole, where it goes"
        )


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
