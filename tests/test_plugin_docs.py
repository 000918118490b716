"""docs/plugins.md, the hooks and the code say the same, and every example does what it says."""

import importlib.util
import inspect
import logging
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from pydantic_settings import SettingsConfigDict

import dispatcher
from dispatcher import Link, Outcome, SourceError, hookspecs
from dispatcher.http.responses import BY_STATUS
from dispatcher.http.settings import HttpSettings
from dispatcher.models import Failure, decode, encode
from dispatcher.registry import Registry, build_registry
from dispatcher.registry.conformance import HOOKS
from dispatcher.testing import Reply, ScriptedGateway, TransportContract, message, upload
from tests.support.cases import cases

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)[^\n]*\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))


def example(text: str) -> str:
    [code] = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(code)


def module(code: str, folder: Path, name: str) -> ModuleType:
    (path := folder / f"{name}.py").write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Registry]:
    """A registry with the example of a hook's section."""

    def load(hook: str) -> Registry:
        plugin = module(example(SECTIONS[hook]), tmp_path, f"example_{hook}")
        registry = build_registry(plugins=[("example", plugin)], third_party=False)
        registry.require_healthy()
        return registry

    return load


def test_every_hook_has_a_section_headed_by_its_signature_in_the_order_of_the_pipeline() -> None:
    headings = re.findall(r"^### `(dispatcher_.*)`$", PAGE, re.MULTILINE)
    specs = {name: inspect.signature(getattr(hookspecs, name)) for name in HOOKS}
    signatures = {name: f"{name}{spec}".replace("'", "") for name, spec in specs.items()}
    assert sorted(headings) == sorted(signatures.values())
    assert headings.index(signatures["dispatcher_resolve_source"]) == 0


def test_resolver(load: Callable[[str], Registry]) -> None:
    registry = load("dispatcher_resolve_source")
    found = registry.resolve_source("drive:a.png", Path())
    assert found == Link(url="https://drive.example.com/a.png", provider="drive")
    assert registry.resolve_source("a.png", Path()) is None
    with pytest.raises(SourceError, match="which file"):
        registry.resolve_source("drive:", Path())


def test_addresses_of_a_transport(tmp_path: Path) -> None:
    text = PAGE[PAGE.index("Who can be written to") :]
    [code, *_] = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    courier = module(code, tmp_path, "example_courier").Courier()
    assert courier.address("@News", None) == dispatcher.Address("@news", "channel")
    assert courier.address("8 (900) 123-45-67", "RU").to == "79001234567"
    with pytest.raises(dispatcher.AddressError, match="neither a @channel nor"):
        courier.address("a@b", None)


def test_every_member_that_a_transport_may_have_is_in_the_table() -> None:
    rows = PAGE.partition("| it may have |")[2].partition("\n\n")[0]
    named = {
        each
        for row in re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
        for each in re.findall(r"`(\w+)", row)
    }
    members = {name for name in vars(dispatcher.BaseTransport) if not name.startswith("_")}
    assert named == members - {"upload"}  # which one must have


def test_the_table_of_statuses_is_the_one_that_counts() -> None:
    rows = re.findall(r"^\| ([0-9, ]+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    told = {int(each): outcome for statuses, outcome in rows for each in statuses.split(", ")}
    assert told == {status: outcome.__name__ for status, outcome in BY_STATUS.items()}


def test_the_settings_name_the_gateway_as_is_said() -> None:
    class CarrierSettings(HttpSettings):
        gateway: ClassVar[str] = "Carrier"
        model_config = SettingsConfigDict(env_prefix="CARRIER_")

    with pytest.raises(dispatcher.ConfigError) as raised:
        CarrierSettings().credentials()
    assert str(raised.value) in " ".join(PAGE.split())


def test_validator(load: Callable[[str], Registry]) -> None:
    registry = load("dispatcher_validate_message")
    [problem] = registry.validate_message(message(text={"body": "It is free of charge"}), None)
    assert (problem.where, problem.severity) == ("text.body", "error")
    assert registry.validate_message(message(), None) == []


def test_transformer(load: Callable[[str], Registry]) -> None:
    registry = load("dispatcher_transform_payload")
    payload = encode({"text": {"body": "Hello!"}})
    changed = registry.transform_payload(payload, message(transport="greenapi"))
    assert decode(changed) == {"text": {"body": "Hello!\n\nReply STOP to unsubscribe."}}
    assert registry.transform_payload(payload, message(transport="pigeon")) == payload


def test_transport(load: Callable[[str], Registry]) -> None:
    kind = load("dispatcher_transports").transport("pigeon")
    pigeon = kind(kind.Settings())
    payload = pigeon.build(message(to="79001234567", text={"body": "Hello!"}), None)
    assert payload == {"to": "79001234567", "text": "Hello!"}
    assert list(pigeon.check(payload, None)) == []
    assert [pigeon.send(payload).id for _ in range(2)] == ["pigeon-1", "pigeon-2"]


def test_told(load: Callable[[str], Registry], caplog: pytest.LogCaptureFixture) -> None:
    registry = load("dispatcher_message_finished")
    outcome = Outcome(status="failed", error=Failure(code="7", text="no such number"))
    with caplog.at_level(logging.ERROR):
        assert registry.message_finished(message(), outcome) == []
        assert registry.message_finished(message(), Outcome(status="sent")) == []
    assert caplog.messages == [f"{message().key}: no such number"]


def test_engine(load: Callable[[str], Registry]) -> None:
    engine = load("dispatcher_engines").engine("one-by-one")
    waits, delivered = iter([0.0, None, None]), []

    def deliver(each: object) -> float | None:
        delivered.append(each)
        return next(waits)

    first, second = message(id="first"), message(id="second")
    engine.run([first, second], deliver, 1, lambda: False)
    assert delivered == [first, first, second]
    engine.run([first], deliver, 1, lambda: True)
    assert len(delivered) == 3


def test_command(load: Callable[[str], Registry]) -> None:
    [command] = load("dispatcher_commands").commands()
    assert CliRunner().invoke(command).output == "moo\n"


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = example(PAGE[PAGE.index("A plugin with settings") : PAGE.index("## The order")])
    plugin = module(code, tmp_path, "dispatcher_signature").Signature
    monkeypatch.setenv("SIGNATURE_TEXT", "Acme")
    registry = build_registry(plugins=[("signature", plugin)], third_party=False)
    registry.require_healthy()
    changed = registry.transform_payload(encode({"text": {"body": "Hello!"}}), message())
    assert decode(changed)["text"]["body"] == "Hello!\nAcme"


@cases("word", "NotSent", "Refused", "AccountRefused", "OutcomeUnknown")
def test_every_outcome_is_explained(word: str) -> None:
    assert f"raises `{word}`" in PAGE
    assert word in dispatcher.__all__


def test_what_the_page_says_can_be_imported() -> None:
    table = re.findall(r"^\| `(dispatcher\.http\.\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(table) == 5
    for name, names in table:
        found = importlib.import_module(name)
        first = re.match(r"`(\w+)", names)
        assert hasattr(found, first[1]), names


def test_a_transport_that_sends_files_with_their_messages(tmp_path: Path) -> None:
    text = PAGE[PAGE.index("### Files") :]
    heron = module(example(text.partition("### Kinds")[0]), tmp_path, "example_heron").Heron

    class TestHeron(TransportContract):
        token = "secret-token-1234"
        accepted = Reply(200, {"id": "m1"})
        accepted_id = "m1"

        def make(self, url: str) -> Any:
            return heron(heron.Settings(base_url=url, token=self.token))

    contract = TestHeron()
    with ScriptedGateway(contract.accepted) as gateway:
        file = upload()
        assert contract.send_inline(contract.make(gateway.url), file).id == "m1"
        [request] = gateway.requests
        assert b"%PDF-1.7 prices" in request.body
        assert file.reference.encode() not in request.body
