"""What a test class declares of a transport, and what the tests of its contract begin with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import pytest
from pydantic import ValidationError

from dispatcher.errors import DeliveryError
from dispatcher.models import (
    Attachment,
    Contents,
    Link,
    Media,
    MediaId,
    Message,
    Payload,
    Receipt,
    Upload,
)
from dispatcher.testing import corpus, factories
from dispatcher.testing.contract_cases import cases, declared, skipped
from dispatcher.testing.corpus import Planned
from dispatcher.testing.gateway import Fault, Raw, Reply, Request, ScriptedGateway, Step
from dispatcher.transports import INLINE, Transport, optional, takes_two

Carry: TypeAlias = Callable[[Transport, Upload], object]

URL = "http://127.0.0.1:9"  # nothing is sent there

STATUSES = (200, 201, 302, 400, 401, 403, 404, 422, 429, 500, 503)

_LISTS = ("refused", "account_refused", "not_sent", "throttled", "unknown")
_INLINE = 'its files are sent with their messages: uploads = "inline"'
_SEPARATE = 'its files are uploaded: uploads = "separate"'
_NOT_HTTP = "it does not speak HTTP: http = False"

# After none of these does anybody know whether the message was accepted.
BREAKS: dict[str, Step] = {
    **{fault.name.lower().replace("_", "-"): fault for fault in Fault},
    "not-http": Raw(b"hello\r\n\r\n"),
    "cut-in-the-status": Raw(b"HTTP/1.1 20"),
}
# Libraries warn of it, and show the URL.
BAD_HEADERS = Raw(b"HTTP/1.1 401 No\r\nX: y\r\nno header\r\n\r\n")
USELESS: dict[str, Any] = {
    "empty": b"",
    "no-object": "[]",
    "no-id": {},
    "broken-json": '{"id": "m1", "messages": [{"id": "m1',
    "html": "<html><body>Welcome to this network! Please sign in.</body></html>",
    "deep": "[" * 100_000,
    "not-utf-8": b'{"id": "\xff\xfe',
}


class TransportSetup:
    """What a test class declares; what is missing fails the tests that need it, () skips them.

    `token` is what no error, log or repr may show; None if there is none.
    `accepted` is the response to an accepted message, `accepted_id` the id in it.
    `answers_with_id` is False if the gateway returns no id, and every 2xx is a success.
    `uploaded` and `uploaded_id` are the same for a file that is uploaded; None if it takes none, or
    sends them with their messages (`uploads = "inline"`).
    `refused`, `account_refused`, `not_sent`, `throttled`, `unknown` are responses that mean this,
    with their texts, so that it shows whether those reveal a token. `throttled` are `NotSent` with
    `throttled=True`. A wait that one of these asks for, in seconds, must be in the error: in the
    header Retry-After, or in the body as `retry_after`.
    `http` is False for a transport that does not speak HTTP/1.1 to the URL that `make` gets; then
    only its interface is tested.
    `patience` is the seconds within which it must stop waiting for a response.
    `examples` are messages' tables by the names of their kinds, `{"poll": {"question": "…"}}`, of
    kinds for which the examples of the model's fields make no message.
    `to` is whom the messages are for, as `build` gets it.
    `webhooks` are bodies that its gateway posts to say what became of messages, if the transport
    has `statuses`.
    `aside` has responses to requests that are neither messages nor files, by path, for example
    those that open a session.
    """

    token: ClassVar[str | None]
    accepted: ClassVar[Reply]
    accepted_id: ClassVar[str]
    answers_with_id: ClassVar[bool] = True
    uploaded: ClassVar[Reply | None]
    uploaded_id: ClassVar[str]
    refused: ClassVar[Sequence[Reply]]
    account_refused: ClassVar[Sequence[Reply]]
    not_sent: ClassVar[Sequence[Reply]]
    throttled: ClassVar[Sequence[Reply]]
    unknown: ClassVar[Sequence[Reply]]
    http: ClassVar[bool] = True
    patience: ClassVar[float] = 10
    examples: ClassVar[Mapping[str, Any]] = {}
    to: ClassVar[str] = factories.TO
    webhooks: ClassVar[Sequence[Any]] = ()
    aside: ClassVar[Mapping[str, Step]] = {}

    def make(self, url: str) -> Transport:
        """Return a transport with `token` for a gateway at `url`, with short timeouts."""
        raise NotImplementedError("the contract needs make(self, url)")

    def make_without_credentials(self) -> Transport:
        """Return the same transport without any settings from the environment."""
        made: Transport = self._class(self._class.Settings())
        return made

    def payload(self) -> Payload:
        """Return what is sent in the tests: by default, the example of the first kind."""
        return self.make(URL).build(*self.example(next(iter(self.contents))))

    @cached_property
    def _class(self) -> Any:
        """The transport's class; of the many that are made, one tells."""
        return type(self.make(URL))

    @property
    def contents(self) -> Contents:
        """The transport's kinds of content."""
        contents: Contents = optional(self._class, "contents")
        return contents

    def example(self, kind: str) -> Planned:
        """Return a message of a kind, and its attachment; fail the test if there is no example."""
        table = self.examples.get(kind, corpus.example(self.contents[kind]))
        try:
            message = self._message(kind, table)
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, (kind, *found["loc"])))
            pytest.fail(
                f"there is no example of {kind}: {where}: {found['msg']}; give the model's fields "
                f'`examples=[…]`, or this class `examples = {{"{kind}": {{…}}}}`',
                pytrace=False,
            )
        return message, self._attachment(message.media)

    def _message(self, kind: str, table: Any) -> Message:
        model, name = self.contents[kind], self._class.name
        content = factories.content(model, table)
        return factories.message(type=kind, content=content, to=self.to, transport=name)

    def _attachment(self, media: Media | None) -> Attachment | None:
        """Return what a file resolves to, as in a plan."""
        if media is None:
            return None
        if media.link is not None:
            return Link(url=media.link, provider=media.provider.name if media.provider else None)
        return MediaId(id=media.id) if media.id is not None else self.file()

    def file(self) -> Upload:
        """Return a small file, which is uploaded in the tests."""
        return factories.upload()

    def file_message(self, file: Upload) -> Message:
        """Return a message whose source is a file: by default a document, or what has a file.

        Skips the test if no kind is a file.
        """
        kinds = [kind for kind, model in self.contents.items() if issubclass(model, Media)]
        if not kinds:
            pytest.skip("none of its kinds is a file: no model in contents is a Media")
        kind = "document" if "document" in kinds else kinds[0]
        table = {**self.examples.get(kind, corpus.example(self.contents[kind]))}
        for other in Media.exactly_one_of:
            table.pop(other, None)
        return self._message(kind, {**table, "source": file.filename})

    def file_payload(self, file: Upload) -> Payload:
        """Return what is sent for it."""
        return self.make(URL).build(self.file_message(file), file)

    def received(self, request: Request) -> bytes:
        """Return the part of a request that is the file; in a form, there may be more around it."""
        return request.body

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test for each response that was listed."""
        for name in {*_LISTS, "listed"} & {*metafunc.fixturenames}:
            metafunc.parametrize(name, self._cases(name))
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", [*self.contents])
        if "case" in metafunc.fixturenames:
            known = corpus.messages(self._class)
            metafunc.parametrize("case", [*known, *self.contents])

    def _cases(self, name: str) -> Iterable[Any]:
        if not self.http:
            return [skipped(_NOT_HTTP, name)]
        if name == "listed":
            return [case for each in _LISTS for case in self._cases(each)]
        return cases(self, name, lambda reply: f"-{reply.status}")

    @pytest.fixture(autouse=True)
    def _surroundings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep the developer's account, proxies and certificates out of every test."""
        config = getattr(self._class.Settings, "model_config", {})
        prefix = str(config.get("env_prefix", "")).lower()
        for name in list(os.environ):
            ours = bool(prefix) and name.lower().startswith(prefix)
            if ours or name.lower().endswith(("_proxy", "_ca_bundle")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("NETRC", os.devnull)

    @pytest.fixture
    def gateway(self) -> Iterator[ScriptedGateway]:
        """The gateway to which the transport speaks; it accepts everything until it is scripted."""
        if not self.http:
            pytest.skip(_NOT_HTTP)
        accepted = declared(self, "accepted")
        with ScriptedGateway(accepted, aside=self.aside, patience=self.patience) as gateway:
            yield gateway

    @pytest.fixture
    def transport(self, gateway: ScriptedGateway) -> Iterator[Transport]:
        """The transport under test; closed at the end if it can be."""
        made = self.make(gateway.url)
        close = getattr(made, "close", None)
        if close is None:
            yield made
        else:
            with closing(made):  # type: ignore[type-var] # it has `close`
                yield made

    @pytest.fixture
    def planned(self, case: str) -> Planned:
        """A message and what its source resolved to: of the corpus, or the example of a kind."""
        return corpus.messages(self._class).get(case) or self.example(case)

    @pytest.fixture
    def takes_files(self) -> None:
        """Skips the test if no message has a file."""
        self.file_message(self.file())

    @pytest.fixture
    def inline(self, takes_files: None) -> None:
        """Skips the test unless its files are sent with their messages."""
        if not self._sends_inline:
            pytest.skip(_SEPARATE)

    @pytest.fixture
    def carry(self, request: pytest.FixtureRequest, takes_files: None) -> Carry:
        """Brings a file to the gateway, as the transport does: uploaded, or with its message."""
        if self._sends_inline:
            return lambda transport, file: self.send_inline(transport, file)
        request.getfixturevalue("gateway").script(request.getfixturevalue("uploaded_reply"))
        return self.upload

    def upload(self, transport: Transport, file: Upload) -> MediaId:
        """Upload a file as the core does."""
        takes_message = takes_two(transport.upload, "message")
        return transport.upload(file, *([self.file_message(file)] if takes_message else []))

    def send_inline(self, transport: Any, file: Upload) -> Receipt:
        """Send a file with its message as the core does."""
        receipt: Receipt = transport.send(self.file_payload(file), file)
        return receipt

    @property
    def _sends_inline(self) -> bool:
        uploads: str = optional(self._class, "uploads")
        return uploads == INLINE

    @pytest.fixture
    def secret(self) -> str:
        """The token."""
        token: str | None = declared(self, "token")
        if token is None:
            pytest.skip("it has no token: token = None")
        return token

    @pytest.fixture
    def uploaded_reply(self, takes_files: None) -> Reply:
        """The response to an upload."""
        if self._sends_inline:
            pytest.skip(_INLINE)
        reply: Reply | None = declared(self, "uploaded")
        if reply is None:
            pytest.skip("it takes no uploads: uploaded = None")
        return reply


def failure(action: Callable[[], object]) -> DeliveryError:
    """Return the `DeliveryError` with which an attempt ends; anything else fails the test."""
    try:
        result = action()
    except DeliveryError as error:
        return error
    except Exception as error:
        kind = type(error).__name__
        pytest.fail(f"it raised {kind}, which is no outcome: {error}")
    pytest.fail(f"it returned {result!r}, but nothing says that this was accepted")


def outcome(action: Callable[[], object]) -> type[DeliveryError]:
    """Return the class of that error."""
    return type(failure(action))


def attempt(action: Callable[[], object]) -> None:
    """Do it, however it ends."""
    with suppress(DeliveryError):
        action()


def without_id(value: Any, identifier: str) -> Iterator[Any]:
    """Yield a JSON body without a usable id in place of the id; yields nothing if it has none."""
    others: list[Any] = [None, "", " ", {}, [], True]
    for instead in others:
        if (body := _replaced(value, identifier, instead)) != value:
            yield body


def _replaced(value: Any, old: str, new: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    return new if str(value) == old else value


def with_words(value: Any, words: str) -> Any:
    """Return a body with more words in each of its texts."""
    if isinstance(value, dict):
        return {key: with_words(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [with_words(each, words) for each in value]
    return f"{value} {words}" if isinstance(value, str) else value


def require_one(gateway: ScriptedGateway) -> None:
    """Fail unless exactly one request was made."""
    made = gateway.attempts
    assert made == 1, f"it made {made} requests for one message, which may arrive twice"
