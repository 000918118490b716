"""Transports for a gateway of carrier pigeons, each with one fault but the first; see test_faults.

They are written on the standard library alone, as a third party's may be.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import Enum
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import (
    AccountRefused,
    Attachment,
    Bubble,
    Content,
    Contents,
    DeliveryError,
    DeliveryStatus,
    Media,
    MediaId,
    Message,
    NotSent,
    OutcomeUnknown,
    Payload,
    Problem,
    Receipt,
    Refused,
    Upload,
    encode,
)
from dispatcher.http.files import opened
from dispatcher.testing import Reply, TransportContract

Headers = Mapping[str, str]


class PigeonSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PIGEON_")

    base_url: str = "http://127.0.0.1:9"
    token: SecretStr = SecretStr("")
    read_timeout: float = 0.3


class Pigeon:
    """Without fault."""

    name: ClassVar[str] = "pigeon"
    Settings: ClassVar[type[BaseSettings]] = PigeonSettings

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        file = attachment.reference if isinstance(attachment, Upload) else None
        return {"to": message.to, "body": message.content.model_dump(), "file": file}

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        return []

    def send(self, payload: Payload) -> Receipt:
        return Receipt(id=self.post("/messages", encode(payload), {}))

    def upload(self, file: Upload) -> MediaId:
        with opened(file) as stream:
            return MediaId(id=self.post_file(file, stream))

    def post_file(self, file: Upload, stream: Any) -> str:
        try:
            return self.post("/files", stream, {"Content-Length": str(file.size)})
        except OutcomeUnknown as error:
            raise NotSent(error.text) from None

    def post(self, path: str, body: Any, headers: Headers) -> str:
        """Post once; the id in the answer."""
        connection = HTTPConnection(urlsplit(self.settings.base_url).netloc, timeout=5)
        try:
            connection.connect()
        except OSError:
            raise NotSent("no connection") from None
        connection.sock.settimeout(self.settings.read_timeout)
        try:
            connection.request("POST", path, body, {**self.auth_headers(), **headers})
            response = connection.getresponse()
            return self.read(response.status, response.headers, response.read())
        except (OSError, HTTPException):
            raise OutcomeUnknown("the connection broke") from None
        finally:
            connection.close()

    def auth_headers(self) -> Headers:
        return {"X-Token": self.settings.token.get_secret_value()}

    def read(self, status: int, headers: Any, body: bytes) -> str:
        """The id in an answer, or the outcome."""
        if 200 <= status < 300:
            return self.accepted_id(body)
        if status == 429:
            waits = headers.get("Retry-After", "")
            wait = float(waits) if waits.isdigit() else None
            raise NotSent("too many", throttled=True, retry_after=wait)
        raise self.outcome(status)(f"the gateway said {status}")

    def outcome(self, status: int) -> type[DeliveryError]:
        return {401: AccountRefused, 400: Refused, 301: Refused}.get(status, OutcomeUnknown)

    def accepted_id(self, body: bytes) -> str:
        try:
            identifier = json.loads(body)["id"]
        except (ValueError, LookupError, TypeError, RecursionError):
            identifier = None
        if not isinstance(identifier, str) or not identifier.strip():
            raise OutcomeUnknown("the answer has no id")
        return identifier.replace(self.settings.token.get_secret_value(), "***")


class Contract(TransportContract):
    """What holds for all of them."""

    kind: ClassVar[type[Pigeon]] = Pigeon
    token = "marker-token-2b7e"
    accepted = Reply(200, {"id": "m1"})
    accepted_id = "m1"
    uploaded = Reply(200, {"id": "f1"})
    uploaded_id = "f1"
    refused = (Reply(400, {"error": "no such bird"}),)
    account_refused = (Reply(401, {"error": "who are you"}),)
    not_sent = ()
    throttled = (Reply(429, {}, {"Retry-After": "7"}),)
    unknown = (Reply(418, {"error": "tea"}),)
    patience = 1.0

    def make(self, url: str) -> Pigeon:
        return self.kind(PigeonSettings(base_url=url, token=SecretStr(self.token)))


class TestFaultless(Contract):
    pass


class TestRetries(Contract):
    class kind(Pigeon):
        def send(self, payload: Payload) -> Receipt:
            try:
                return super().send(payload)
            except OutcomeUnknown:
                return super().send(payload)


class TestHopes(Contract):
    class kind(Pigeon):
        def outcome(self, status: int) -> type[DeliveryError]:
            return NotSent if status >= 500 else super().outcome(status)


class TestGivesUp(Contract):
    class kind(Pigeon):
        def outcome(self, status: int) -> type[DeliveryError]:
            return Refused if 300 <= status < 400 else super().outcome(status)


class TestFollows(Contract):
    class kind(Pigeon):
        def read(self, status: int, headers: Any, body: bytes) -> str:
            if 300 <= status < 400:
                elsewhere = urlsplit(headers["Location"])
                there = self.settings.model_copy(update={"base_url": f"http://{elsewhere.netloc}"})
                return type(self)(there).post(elsewhere.path, b"{}", {})
            return super().read(status, headers, body)


class TestTellsInErrors(Contract):
    class kind(Pigeon):
        def read(self, status: int, headers: Any, body: bytes) -> str:
            try:
                return super().read(status, headers, body)
            except Refused as error:
                raise Refused(f"{error.text}: {body.decode()} to {self.auth_headers()}") from None


class TestTellsInCauses(Contract):
    class kind(Pigeon):
        def send(self, payload: Payload) -> Receipt:
            try:
                raise LookupError(str(self.auth_headers()))
            except LookupError:
                return super().send(payload)


class TestTellsLogs(Contract):
    class kind(Pigeon):
        def auth_headers(self) -> Headers:
            headers = super().auth_headers()
            logging.getLogger("pigeon").debug("we are %s", headers)
            return headers


class TestTellsInRepr(Contract):
    class kind(Pigeon):
        def __repr__(self) -> str:
            return f"Pigeon({self.settings.token.get_secret_value()})"


class TestEchoes(Contract):
    class kind(Pigeon):
        def read(self, status: int, headers: Any, body: bytes) -> str:
            if status == 400:
                raise Refused(body.decode())
            return super().read(status, headers, body)


class TestSwallows(Contract):
    class kind(Pigeon):
        def post_file(self, file: Upload, stream: Any) -> str:
            return super().post_file(file, stream.read())


class TestTrustsFiles(Contract):
    class kind(Pigeon):
        def upload(self, file: Upload) -> MediaId:
            with file.open() as stream:
                return MediaId(id=self.post_file(file, stream.read(file.size).ljust(file.size)))


class TestLosesUploads(Contract):
    class kind(Pigeon):
        def post_file(self, file: Upload, stream: Any) -> str:
            return self.post("/files", stream, {"Content-Length": str(file.size)})


class TestBelieves(Contract):
    class kind(Pigeon):
        def accepted_id(self, body: bytes) -> str:
            return "m1"


class TestWaits(Contract):
    class kind(Pigeon):
        def __init__(self, settings: Any) -> None:
            super().__init__(settings.model_copy(update={"read_timeout": 30}))


class TestHurries(Contract):
    class kind(Pigeon):
        def read(self, status: int, headers: Any, body: bytes) -> str:
            return super().read(status, {}, body)


class TestOverlooksTheBody(Contract):
    """Without fault, if it were not for the second reply."""

    throttled = (*Contract.throttled, Reply(429, {"error": {"retryAfter": 7}}))


class TestCounts(Contract):
    class kind(Pigeon):
        numbers = count()

        def build(self, message: Message, attachment: Attachment | None) -> Payload:
            return {**super().build(message, attachment), "number": next(self.numbers)}


class TestScribbles(Contract):
    class kind(Pigeon):
        def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
            payload["checked"] = True
            return []


class TestAsks(Contract):
    class kind(Pigeon):
        def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", 9), timeout=0.1).close()
            return []


class TestNeedsTheToken(Contract):
    class kind(Pigeon):
        def __init__(self, settings: Any) -> None:
            super().__init__(settings)
            if not self.auth_headers()["X-Token"]:
                raise LookupError("no token")


class TestRaisesItsOwn(Contract):
    class kind(Pigeon):
        def send(self, payload: Payload) -> Receipt:
            try:
                return super().send(payload)
            except DeliveryError:
                raise RuntimeError("oh") from None


class InlinePigeon(Pigeon):
    """Without fault; files are sent with their messages."""

    uploads: ClassVar[str] = "inline"

    def send(self, payload: Payload, file: Upload | None = None) -> Receipt:
        if file is None:
            return super().send(payload)
        with opened(file) as stream:
            return Receipt(id=self.post_with(payload, file, stream))

    def post_with(self, payload: Payload, file: Upload, stream: Any) -> str:
        headers = {"X-To": payload["to"], "Content-Length": str(file.size)}
        return self.post("/messages", stream, headers)


class InlineContract(Contract):
    kind = InlinePigeon
    uploaded = None


class TestInlineFaultless(InlineContract):
    pass


class TestInlineSwallows(InlineContract):
    class kind(InlinePigeon):
        def post_with(self, payload: Payload, file: Upload, stream: Any) -> str:
            return super().post_with(payload, file, stream.read())


class TestInlineHopes(InlineContract):
    class kind(InlinePigeon):
        def post_with(self, payload: Payload, file: Upload, stream: Any) -> str:
            try:
                return super().post_with(payload, file, stream)
            except OutcomeUnknown as error:
                raise NotSent(error.text) from None


class TestInlineForgetsTheFile(InlineContract):
    class kind(InlinePigeon):
        def build(self, message: Message, attachment: Attachment | None) -> Payload:
            return {**super().build(message, attachment), "file": None}

        def post_with(self, payload: Payload, file: Upload, stream: Any) -> str:
            return self.post("/messages", encode(payload), {})


class TestInlineTrustsFiles(InlineContract):
    class kind(InlinePigeon):
        def send(self, payload: Payload, file: Upload | None = None) -> Receipt:
            if file is None:
                return super().send(payload)
            with file.open() as stream:
                content = stream.read(file.size).ljust(file.size)
                return Receipt(id=self.post_with(payload, file, content))


class TestInlineEchoes(InlineContract):
    class kind(InlinePigeon):
        def post_with(self, payload: Payload, file: Upload, stream: Any) -> str:
            try:
                return super().post_with(payload, file, stream)
            except AccountRefused as error:
                raise AccountRefused(f"{error.text} to {self.auth_headers()}") from None


class TestTakesNoFiles(Contract):
    uploaded = None


class TestSpeaksNoHttp(Contract):
    http = False


class Poll(Content):
    question: str = Field(examples=["Lunch, {{ name }}?"])
    options: list[str] = Field(examples=[["yes", "no"]])


class Sticker(Media):
    emoji: str = Field(examples=["😃"])


class Polls(Contract):
    """A transport that can send neither a text nor a file."""

    class kind(Pigeon):
        contents: ClassVar[Contents] = {"poll": Poll}


class TestHasOnlyPolls(Polls):
    pass


class TestHasStickers(Contract):
    class kind(Pigeon):
        contents: ClassVar[Contents] = {"sticker": Sticker, "poll": Poll}

        def upload(self, file: Upload, message: Message) -> MediaId:  # type: ignore[override]
            assert isinstance(message.content, Sticker)
            return super().upload(file)


class TestSendsStickersInline(InlineContract):
    class kind(InlinePigeon):
        contents: ClassVar[Contents] = {"sticker": Sticker}

    examples: ClassVar = {"sticker": {"source": "a.webp", "emoji": "😃"}}


class Unexplained(Poll):
    end: int


class Flag(Enum):
    PLAIN = "plain"
    STRIPED = "striped"


class Signal(Content):
    """What JSON has texts and lists for."""

    flag: Flag = Field(examples=["plain"])
    masts: set[str] = Field(examples=[["fore", "main"]])
    position: tuple[float, float] = Field(examples=[[56.95, 24.1]])


class TestHasSignals(Contract):
    class kind(Pigeon):
        contents: ClassVar[Contents] = {"signal": Signal}

        def build(self, message: Message, attachment: Attachment | None) -> Payload:
            return {"to": message.to, "body": message.content.model_dump(mode="json")}


class TestForgetsThatItIsJson(TestHasSignals):
    class kind(Pigeon):
        contents: ClassVar[Contents] = {"signal": Signal}


class TestLacksAnExample(Polls):
    class kind(Pigeon):
        contents: ClassVar[Contents] = {"poll": Unexplained}


class TestHasAnExample(TestLacksAnExample):
    examples: ClassVar = {"poll": {"question": "Lunch?", "options": [], "end": 5}}


class TestRefusesItsExample(Polls):
    class kind(Polls.kind):
        def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
            return [Problem(message="no polls today")]


class TestMakesNoJson(Polls):
    class kind(Polls.kind):
        def build(self, message: Message, attachment: Attachment | None) -> Payload:
            return {**super().build(message, attachment), "options": {"yes", "no"}}


class TestShowsNothing(Polls):
    class kind(Pigeon):
        class Silent(Poll):
            def summary(self) -> str:
                return None  # type: ignore[return-value]

        contents: ClassVar[Contents] = {"poll": Silent}


class TestShowsATable(Polls):
    class kind(Pigeon):
        class Odd(Poll):
            def bubble(self) -> Bubble:
                return {"text": self.question}  # type: ignore[return-value]

        contents: ClassVar[Contents] = {"poll": Odd}


class TestPostsPollsTwice(Polls):
    class kind(Polls.kind):
        def send(self, payload: Payload) -> Receipt:
            super().send(payload)
            return super().send(payload)


class Informed(Contract):
    """A transport whose gateway says which messages have arrived."""

    webhooks: ClassVar = ({"arrived": ["m1", "m2"]},)


class TestHasStatuses(Informed):
    class kind(Pigeon):
        def statuses(self, body: Any) -> Iterable[DeliveryStatus]:
            arrived = body.get("arrived") if isinstance(body, dict) else None
            for each in arrived if isinstance(arrived, list) else ():
                if isinstance(each, str) and each:
                    yield DeliveryStatus(id=each, status="delivered")


class TestBelievesWebhooks(Informed):
    class kind(Pigeon):
        def statuses(self, body: Any) -> Iterable[DeliveryStatus]:
            return [DeliveryStatus(id="m1", status="delivered")]


class TestTrustsWebhooks(Informed):
    class kind(Pigeon):
        def statuses(self, body: Any) -> Iterable[DeliveryStatus]:
            return [DeliveryStatus(id=each, status="delivered") for each in body["arrived"]]


class TestOverlooksWebhooks(Informed):
    class kind(Pigeon):
        def statuses(self, body: Any) -> Iterable[DeliveryStatus]:
            return []


class TestForgets(TransportContract):
    token = accepted_id = "m1"

    def make(self, url: str) -> Pigeon:
        return Pigeon(PigeonSettings(base_url=url))


class TestGetsNoIds(Contract):
    """Without fault, at a gateway that says yes and no more."""

    class kind(Pigeon):
        numbers = count(1)

        def accepted_id(self, body: bytes) -> str:
            return f"message-{next(self.numbers)}"

    answers_with_id = False
    uploaded = None
    accepted = Reply(204)


class TestOpensASession(Contract):
    """Without fault, at a gateway that wants to be greeted first."""

    class kind(Pigeon):
        def send(self, payload: Payload) -> Receipt:
            self.post("/session", b"", {})
            return super().send(payload)

    aside: ClassVar = {"/session": Reply(200, {"id": "s1"})}
