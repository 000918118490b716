"""Plugins with one fault each, and one of each kind without; see test_hook_faults."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from socket import gethostbyname
from typing import Any

from dispatcher import Attachment, Link, Message, Payload, Problem, SourceError, Upload, hookimpl
from dispatcher.testing import SourceContract, TransformerContract, ValidatorContract, message

NUMBERS = count()
FOOTER = "\n\nReply STOP"


class Drive:
    """Without fault."""

    @hookimpl
    def dispatcher_resolve_source(self, source: str, base: Path) -> Attachment | None:
        if not source.startswith("drive:"):
            return None
        name = source.removeprefix("drive:")
        if not name:
            raise SourceError("a drive's file has a name")
        return self.found(name, base)

    def found(self, name: str, base: Path) -> Attachment | None:
        return Link(url=f"https://drive.example.com/{name}")


class DriveContract(SourceContract):
    Plugin: type = Drive
    plugin = property(lambda self: self.Plugin())
    mine = (("drive:x", Link(url="https://drive.example.com/x")),)
    foreign = ("a.pdf", "https://example.com/a.pdf")
    bad = ("drive:",)


class TestDrive(DriveContract):
    pass


class TestNetwork(DriveContract):
    class Plugin(Drive):
        def found(self, name: str, base: Path) -> Attachment | None:
            with suppress(OSError):
                gethostbyname("localhost")
            return super().found(name, base)


class TestElsewhere(DriveContract):
    class Plugin(Drive):
        def found(self, name: str, base: Path) -> Attachment | None:
            Path("/etc/hosts").read_bytes()
            return super().found(name, base)


class TestWrites(DriveContract):
    class Plugin(Drive):
        def found(self, name: str, base: Path) -> Attachment | None:
            (base / "cache").write_text(name)
            return super().found(name, base)


class TestChanging(DriveContract):
    class Plugin(Drive):
        def found(self, name: str, base: Path) -> Attachment | None:
            return Link(url=f"https://drive.example.com/{name}?{next(NUMBERS)}")

    mine = (("drive:x", lambda answer: isinstance(answer, Link)),)


class TestOneStream(DriveContract):
    class Plugin(Drive):
        def found(self, name: str, base: Path) -> Attachment | None:
            made = Upload.from_path(base / "a.pdf")
            stream = io.BytesIO(b"%PDF")
            return made.model_copy(update={"open": lambda: stream})

    files = {"a.pdf": b"%PDF"}  # noqa: RUF012
    mine = (("drive:x", lambda answer: isinstance(answer, Upload)),)


class TestGreedy(DriveContract):
    class Plugin:
        @hookimpl
        def dispatcher_resolve_source(self, source: str) -> Attachment | None:
            return Link(url=f"https://drive.example.com/{source.split(':')[1]}")


class Footer:
    """Without fault."""

    @hookimpl
    def dispatcher_transform_payload(self, payload: Payload, message: Message) -> None:
        text = payload.get("text")
        if isinstance(text, dict) and isinstance(text.get("body"), str):
            self.change(text, message)

    def change(self, text: dict[str, Any], message: Message) -> None:
        text["body"] = text["body"].removesuffix(FOOTER) + FOOTER


class FooterContract(TransformerContract):
    Plugin: type = Footer
    plugin = property(lambda self: self.Plugin())
    cases = (({"text": {"body": "Hi"}}, {"text": {"body": f"Hi{FOOTER}"}}),)
    untouched = ({"image": {"id": "f1"}},)
    idempotent = True


class TestFooter(FooterContract):
    pass


class TestTwice(FooterContract):
    class Plugin(Footer):
        def change(self, text: dict[str, Any], message: Message) -> None:
            text["body"] += FOOTER


class TestScribbles(FooterContract):
    class Plugin(Footer):
        def change(self, text: dict[str, Any], message: Message) -> None:
            super().change(text, message)
            message.vars["seen"] = True


class TestTrusts(FooterContract):
    class Plugin:
        @hookimpl
        def dispatcher_transform_payload(self, payload: Payload) -> None:
            if "text" in payload:
                payload["text"]["body"] += FOOTER


class TestReturns(FooterContract):
    class Plugin(Footer):
        @hookimpl
        def dispatcher_transform_payload(self, payload: Payload) -> Payload:  # type: ignore[override]
            return payload


class Words:
    """Without fault."""

    @hookimpl
    def dispatcher_validate_message(self, message: Message) -> Iterable[Problem]:
        if message.text and "free" in message.text.body:
            yield Problem(message=self.sentence(), where="text.body")

    def sentence(self) -> str:
        return 'do not write "free"'


class WordsContract(ValidatorContract):
    Plugin: type = Words
    plugin = property(lambda self: self.Plugin())
    good = (message(),)
    bad = ((message(text={"body": "free"}), "text.body"),)


class TestWords(WordsContract):
    pass


class TestAssumesText(WordsContract):
    class Plugin:
        @hookimpl
        def dispatcher_validate_message(self, message: Message) -> Iterable[Problem]:
            if "free" in message.text.body:  # type: ignore[union-attr]
                yield Problem(message='do not write "free"', where="text.body")


class TestMute(WordsContract):
    class Plugin(Words):
        def sentence(self) -> str:
            return "no"


class TestLateImport(WordsContract):
    """Without fault: it loads what it needs when it is asked."""

    class Plugin(Words):
        def sentence(self) -> str:
            from xmlrpc import server

            return f'do not write "free" on a {server.__name__}'
