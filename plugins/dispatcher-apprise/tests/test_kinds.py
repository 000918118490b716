"""Kinds of content: texts and files, whatever a service makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

import dispatcher_apprise
from dispatcher import Content, Contents, Transport, hookimpl
from dispatcher.testing import message, plan, upload
from dispatcher_apprise.settings import AppriseSettings
from dispatcher_apprise.transport import AppriseTransport


class Poll(Content):
    question: str


class Pigeon(AppriseTransport):
    name: ClassVar[str] = "pigeon"
    contents: ClassVar[Contents] = {"poll": Poll}


class Loft:
    @hookimpl
    def dispatcher_transports(self) -> list[type[Transport]]:
        return [Pigeon]


@pytest.mark.parametrize("kind", ["image", "video", "audio", "document"])
def test_a_file_of_any_kind_is_a_file(kind: str) -> None:
    sender, file = AppriseTransport(AppriseSettings()), upload()
    made = message(to="ops", **{kind: {"source": "prices.pdf"}})
    attached = {"file": file.reference, "name": "prices.pdf", "type": "application/pdf"}
    built = sender.build(made, file)
    assert built == {"to": "ops", "body": "", "attach": [attached]}
    assert list(sender.check(built, file)) == []


def test_another_kind_is_an_error_that_says_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'manifest = 1\n[[messages]]\nid = "a"\nto = "ops"\npoll = { question = "Lunch?" }\n'
    )
    [problem] = plan(path, dispatcher_apprise, Loft(), transport="apprise").problems
    assert problem.message == 'transport "apprise" has no content "poll"; "pigeon" has it'
