"""Files that are sent with their messages, and what an upload knows of its message."""

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dispatcher import MediaId, Message, PluginError, Receipt, Upload
from dispatcher.builtin.threads import Threads
from dispatcher.config import DeliverySettings
from dispatcher.delivery import Delivery
from dispatcher.delivery.rate_file import RateFile
from dispatcher.delivery.rate_limiter import RateLimiter, SharedRateLimiter
from dispatcher.inputs import Inputs
from dispatcher.journal import Journal, open_journal
from dispatcher.models import Outcome, Payload
from dispatcher.planning import PlannedMessage
from dispatcher.testing import Reply, Request, ScriptedGateway, registry
from tests.support.cases import cases
from tests.support.messages import FILE, PlannedTransport, planned
from tests.support.plugins import Hooks
from tests.support.project import Project

BOT = """
from dispatcher import Media, Receipt, hookimpl
from dispatcher.http.responses import ErrorMap
from dispatcher.http.settings import HttpSettings, Url
from dispatcher.http.transport import HttpTransport

class BotSettings(HttpSettings):
    model_config = {"env_prefix": "BOT_"}
    base_url: Url = "https://bot.example.com"
    rate: str = "100000/s"

class Bot(HttpTransport):
    name = "bot"
    Settings = BotSettings
    uploads = "inline"

    def build(self, message, attachment):
        payload = {"chat": message.to, "silent": True}
        if message.media:
            fields = message.media.file_fields(attachment)
            return {**payload, message.type: fields.get("id") or fields.get("link")}
        return {**payload, "text": message.content.body}

    def check(self, payload, attachment):
        return []

    def send(self, payload, file=None):
        route = self.route(f"{self.settings.base_url}/send", "base_url", ("id",), ErrorMap())
        if file is None:
            return Receipt(id=self.post_json(route, payload))
        [name] = [key for key, value in payload.items() if value == file.reference]
        fields = {key: value for key, value in payload.items() if key != name}
        return Receipt(id=self.post_form(route, file, name, fields))

@hookimpl
def dispatcher_transports():
    return [Bot]
"""


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with ScriptedGateway(Reply(200, {"id": "m1"})) as gateway:
        yield gateway


@pytest.fixture
def bot(project: Project, gateway: ScriptedGateway) -> Project:
    project.install("bot", BOT)
    project.config('transport = "bot"\n')
    project.environment |= {"BOT_BASE_URL": gateway.url, "BOT_TOKEN": "bot-token-12345"}
    return project


def a_file(project: Project, content: bytes = b"%PDF-1.7 prices", **options: str) -> None:
    project.write("manifests/prices.pdf", content)
    project.manifest('[[messages]]\nid = "a"\nto = "79001234567"\ndocument.source = "prices.pdf"\n')


def parts(request: Request) -> dict[str, bytes]:
    """The fields of a form, by name."""
    from email import message_from_bytes
    from email.policy import HTTP

    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body, policy=HTTP)
    assert not form.defects
    names = [part.get_param("name", header="content-disposition") for part in form.iter_parts()]
    contents = [part.get_payload(decode=True) for part in form.iter_parts()]
    return dict(zip(map(str, names), contents, strict=True))  # type: ignore[arg-type] # bytes


def test_a_file_leaves_in_the_request_of_its_message(bot: Project, gateway: Any) -> None:
    a_file(bot)
    sent = bot.call("send", "--json")
    assert (sent.code, sent.results["a"]["id"]) == (0, "m1"), sent.stderr
    [request] = gateway.requests
    assert parts(request) == {
        "chat": b"79001234567",
        "silent": b"true",
        "document": b"%PDF-1.7 prices",
    }
    assert bot.call("send", "--json").statuses == {"a": "skipped"}
    assert len(gateway.requests) == 1


def test_a_message_without_a_file_is_sent_without_one(bot: Project, gateway: Any) -> None:
    bot.texts("a")
    assert bot.call("send").code == 0
    assert gateway.requests[0].json() == {"chat": "79001234567", "silent": True, "text": "I am a"}


def test_another_content_of_the_file_is_another_message(bot: Project) -> None:
    a_file(bot)
    assert bot.call("send").code == 0
    a_file(bot, b"%PDF-1.7 other")
    assert bot.planned() == ["changed"]


@cases(
    "reply, status",
    (Reply(200, {}), "unknown"),
    (Reply(500), "unknown"),
    (Reply(422), "failed"),
)
def test_an_answer_means_what_it_means_for_a_message(
    bot: Project, gateway: Any, reply: Reply, status: str
) -> None:
    a_file(bot)
    gateway.script(reply)
    assert bot.call("send", "--json").statuses == {"a": status}
    assert bot.statuses() == {"a": status}
    assert gateway.attempts == 1


# Below, without a manifest.


class Inline(PlannedTransport):
    """Keeps what it is given; reads no file by itself."""

    uploads: ClassVar = "inline"

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None]] = []

    def send(self, payload: Payload, file: Upload | None = None) -> Receipt:
        content = None
        if file is not None:
            with file.open() as stream:
                content = stream.read()
        self.sent.append((payload["id"], content))
        return Receipt(id="1")


class ByKind(PlannedTransport):
    """Its media ids are of one kind of message."""

    def __init__(self) -> None:
        self.uploads_of: list[str] = []
        self.sent: list[Any] = []

    def upload(self, file: Upload, message: Message) -> MediaId:
        self.uploads_of.append(message.type)
        return MediaId(id=f"{message.type}-id")

    def send(self, payload: Payload) -> Receipt:
        self.sent.append(payload["media"])
        return Receipt(id="1")


class Plain(ByKind):
    """The same for all kinds."""

    def upload(self, file: Upload) -> MediaId:  # type: ignore[override] # as transports had it
        self.uploads_of.append("any")
        return MediaId(id="any-id")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


Deliver = Callable[..., dict[str, Outcome]]


@pytest.fixture
def deliver(journal: Journal, tmp_path: Path) -> Deliver:
    """Deliver a plan with a transport, and return the outcomes by message id."""

    def deliver(
        transport: Any, *plan: PlannedMessage, inputs: Inputs | None = None, stopped: str = ""
    ) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        with RateFile(tmp_path / "pace.db") as file:
            limiter = RateLimiter(SharedRateLimiter(file))
            delivery = Delivery(
                journal,
                lambda name: transport,
                DeliverySettings(workers=1, attempts=1),
                limiter,
                lambda message, outcome: outcomes.update({message.id: outcome}),
                inputs=inputs,
            )
            summary = delivery.run(list(plan), Threads(), len(plan))
        assert stopped in str(summary.stopped)
        return outcomes

    return deliver


def test_a_file_that_changed_on_the_disk_ends_the_run(deliver: Deliver, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"planned")
    file = Upload.from_path(path)
    path.write_bytes(b"changed")
    transport = Inline()
    assert not deliver(transport, planned("a", file=file), stopped="has changed since it was check")
    assert transport.sent == []


@cases("content", b"fou", b"five!", b"nine", b"")
def test_a_file_from_elsewhere_is_compared_before_it_is_sent(
    deliver: Deliver, content: bytes
) -> None:
    transport = Inline()
    file = FILE.model_copy(update={"open": lambda: io.BytesIO(content)})
    outcomes = deliver(transport, planned("a", file=file), planned("b"))
    assert transport.sent == [("b", None)]
    assert outcomes["a"].status == "failed"
    assert outcomes["a"].error is not None
    assert outcomes["a"].error.text == "the file is not the one that was planned"


def test_a_file_that_cannot_be_read_fails_its_message(deliver: Deliver) -> None:
    def missing() -> Any:
        raise OSError("no such bucket")

    outcomes = deliver(
        Inline(), planned("a", file=FILE.model_copy(update={"open": missing})), planned("b")
    )
    assert {id: each.status for id, each in outcomes.items()} == {"a": "failed", "b": "sent"}
    assert "the file cannot be read: OSError: no such bucket" in str(outcomes["a"].error)


def test_a_file_is_sent_only_if_the_payload_has_its_reference(deliver: Deliver) -> None:
    transport = Inline()
    without = planned("b")._replace(upload=FILE)  # a plugin took it out
    deliver(transport, planned("a", file=FILE), without)
    assert transport.sent == [("a", b"four"), ("b", None)]


PICTURE = {"image": {"source": "a.pdf"}}
DOCUMENT = {"document": {"source": "a.pdf"}}


@cases("transport, uploads", (ByKind, ["image", "document"]), (Plain, ["any"]))
def test_an_upload_that_knows_its_message_is_made_for_each_kind(
    deliver: Deliver, transport: type[ByKind], uploads: list[str]
) -> None:
    made = transport()
    kinds = [PICTURE, DOCUMENT, PICTURE, DOCUMENT]
    plan = [planned(f"m{n}", file=FILE, **kind) for n, kind in enumerate(kinds)]
    deliver(made, *plan)
    assert made.uploads_of == uploads
    assert made.sent == [f"{kind}-id" for kind in (uploads * 4)[:4]]


@cases("transport, uploads", (ByKind, ["document"]), (Plain, []))
def test_ids_of_journals_from_before_are_used_where_nothing_changed(
    deliver: Deliver, journal: Journal, transport: type[ByKind], uploads: list[str]
) -> None:
    from datetime import UTC, datetime, timedelta

    key = hashlib.sha256(f"{FILE.sha256}\n{FILE.mime_type}\n.pdf".encode()).hexdigest()
    expires = datetime.now(UTC) + timedelta(days=1)
    journal.remember_upload("planned:one", key, MediaId(id="old", expires_at=expires))
    made = transport()
    deliver(made, planned("a", file=FILE, **DOCUMENT))
    assert made.uploads_of == uploads


class Mute(PlannedTransport):
    uploads: ClassVar[Any] = "inline"
    name: ClassVar[str] = "mute"

    def send(self, payload: Payload) -> Receipt:
        return Receipt(id="1")


class Wrong(Inline):
    uploads: ClassVar[Any] = "inlined"
    name: ClassVar[str] = "wrong"


@cases(
    "kind, why",
    (Mute, r'send of Mute takes no file, but uploads = "inline"; make it send\(self, payload, fi'),
    (Wrong, """uploads of Wrong is 'inlined', not "separate" or "inline\""""),
)
def test_an_author_who_forgot_half_of_it_is_told(kind: type, why: str) -> None:
    with pytest.raises(PluginError, match=why):
        registry(Hooks(transports=lambda: [kind])).transports()
