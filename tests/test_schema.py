"""The JSON Schemas for editors: their rules, and what they tell of each key."""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher.builtin.greenapi.transport import GreenApiSettings
from dispatcher.config.json_schema import configuration_schema
from dispatcher.manifest import message_table, validation
from dispatcher.manifest.json_schema import manifest_schema
from dispatcher.manifest.kinds import Kinds
from dispatcher.models import STANDARD_CONTENTS
from dispatcher.toml.file import TomlFile
from tests.support.cases import cases
from tests.support.project import Project
from tests.support.requirements import require

MANIFEST = manifest_schema({"greenapi": STANDARD_CONTENTS})
CONFIGURATION = configuration_schema({"greenapi": GreenApiSettings}, {}, ["threads"])
SCHEMAS = pytest.mark.parametrize("schema", [MANIFEST, CONFIGURATION], ids=["manifest", "config"])
Table = dict[str, Any]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --------------------------------------------------------------------------- what the keys tell


def keys(schema: Table) -> Iterator[tuple[str, Table]]:
    """Every key of every table, and what the schema says of it."""
    tables = {"": schema, **schema["$defs"]}
    tables |= {
        f"{name}.{key}": value
        for name in ("transports", "plugins")
        for key, value in schema["$defs"].get(name, {}).get("properties", {}).items()
    }
    for name, table in tables.items():
        for key, value in table.get("properties", {}).items():
            yield f"{name}.{key}".lstrip("."), value


@SCHEMAS
def test_it_is_a_schema(schema: Table) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@SCHEMAS
def test_every_key_has_a_description(schema: Table) -> None:
    assert [name for name, key in keys(schema) if not key.get("description")] == []


@SCHEMAS
def test_every_key_has_examples_which_are_valid(schema: Table) -> None:
    for name, key in keys(schema):
        if "not" in key or name.endswith(("plugins", "transports", "transports.greenapi")):
            continue  # secrets, and tables of plugins
        assert key["examples"], name
        validator = jsonschema_rs.validator_for({"$defs": schema["$defs"], **key})
        assert all(map(validator.is_valid, key["examples"])), name


# ------------------------------------------------------------------------- rules between the keys

_TO, _RECIPIENTS = {"to": "79001234567"}, {"recipients": "a.csv"}
_ADDRESSED = [{}, _TO, _RECIPIENTS, {**_TO, **_RECIPIENTS}]
_TEXTS: list[Table] = [{}, {"body": "x"}, {"file": "f"}, {"body": "x", "file": "f"}]
_SOURCE, _LINK, _ID = {"source": "s"}, {"link": "https://a.example/b"}, {"id": "1"}
_PROVIDER = {"provider": {"name": "p"}}
_MEDIA: list[Table] = [
    *({}, _SOURCE, _LINK, _ID, _PROVIDER, {"caption": "c"}),
    *({**_SOURCE, **_PROVIDER}, {**_LINK, **_PROVIDER}, {**_ID, **_PROVIDER}, {**_SOURCE, **_ID}),
]
_CONTENTS: list[Table] = [
    {},
    *({"text": each} for each in _TEXTS),
    *({"image": each} for each in _MEDIA),
    {"text": _TEXTS[1], "image": _SOURCE},
    {"image": _PROVIDER, "document": _LINK},
    {"document": _SOURCE},
]
_OTHERS: list[Table] = [
    *({}, {"type": "text"}, {"type": "image"}),
    *({"preview_url": True}, {"type": "document", "preview_url": False}),
]


def _joined(*tables: list[Table]) -> list[Table]:
    return [
        {key: value for table in chosen for key, value in table.items()}
        for chosen in itertools.product(*tables)
    ]


def _is_wrong_by_itself(defaults: Table) -> bool:
    """The schema refuses defaults that no message could use; `validate` if one does use them."""
    media = defaults.get("image", {})
    return (
        len(defaults.get("text", {})) > 1
        or {"to", "recipients"} <= defaults.keys()
        or ("id" in media and bool({"provider", "source"} & media.keys()))
    )


def test_the_rules_between_keys_are_those_of_validate() -> None:
    """Of each message that can be made of these pieces, below each defaults."""
    validator = jsonschema_rs.validator_for(MANIFEST)
    messages = [{"id": "a", **each} for each in _joined(_ADDRESSED, _CONTENTS, _OTHERS)]
    defaults = _joined(_ADDRESSED, _CONTENTS, [{}, {"preview_url": True}])
    usable = [each for each in defaults if not _is_wrong_by_itself(each)]
    kinds = Kinds({"greenapi": STANDARD_CONTENTS})
    assert len(usable) > 80
    for below, message in itertools.product(usable, messages):
        manifest = {"manifest": 1, "defaults": below, "messages": [message]}
        merged = message_table.merge_defaults(below, message, kinds, "greenapi")
        file = TomlFile(Path("a.toml"), "", manifest, Path.cwd())
        broken = [
            *validation.check(file, kinds, "greenapi")[1],
            *message_table.check(merged, kinds, "greenapi"),
        ]
        assert validator.is_valid(manifest) == (not broken), (below, message, broken)


def test_defaults_that_no_message_could_use_are_refused() -> None:
    validator = jsonschema_rs.validator_for(MANIFEST)
    message = {"id": "a", **_TO, "text": {"body": "x"}}
    for defaults in _joined(_ADDRESSED, _CONTENTS):
        manifest = {"manifest": 1, "defaults": defaults, "messages": [message]}
        assert validator.is_valid(manifest) == (not _is_wrong_by_itself(defaults)), defaults


# ------------------------------------------------------------------------------------- patterns

_WRITTEN = [
    *("", " ", "\t\n", "a", "a b", "ä", "é", "п", "名", "😃", "a/b", "-a", "a\\b", "_", "a\u200b"),
    *("{{ x }}", "{% if x %}\x07{% endif %}", "{# x #}", "{ x }", "\x07", "a\x7f", "a\u0085"),
    *("https://a.example/b", "HTTP://a", "http:// a", "https://{{ x }}", "ftp://a", "{{ x }}://a"),
    *("a.csv", "a.CSV.gz", "a.jsonl", "a.xlsx", ".csv", ";", "|", "ab", '"', "15m", "1h30m", "0s"),
    *("10/s", "0.5/min", "10/y", "Europe/Moscow", "UTC", "Etc/GMT+3", "a/b/c", "name/id"),
]


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(found := schema.get("pattern"), str):
            yield found
        for each in schema.values():
            yield from _patterns(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _patterns(each)


def test_every_engine_reads_the_patterns_alike() -> None:
    """That of Rust, in which Tombi and Taplo are written, and that of JavaScript."""
    patterns = sorted({*_patterns(MANIFEST), *_patterns(CONFIGURATION)})
    assert len(patterns) > 8
    rust = [
        [jsonschema_rs.is_valid({"pattern": each}, text) for text in _WRITTEN] for each in patterns
    ]
    node = shutil.which("node")
    require(node, "node")
    script = (
        "const [patterns, texts] = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "const test = each => texts.map(text => new RegExp(each, 'u').test(text));"
        "console.log(JSON.stringify(patterns.map(test)));"
    )
    done = subprocess.run(
        [str(node), "-e", script],
        input=json.dumps([patterns, _WRITTEN]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == rust


# ------------------------------------------------------------------------------- dispatcher.toml


class _Nested(BaseSettings):
    port: int = 1


class Pinned(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PINNED_", extra="forbid")

    pin: SecretStr
    host: _Nested = _Nested()


class Odd(BaseSettings):
    model_config = SettingsConfigDict(arbitrary_types_allowed=True)

    thing: Exception | None = None


@cases(
    "settings, right",
    ({}, True),
    ({"country": "RU", "timezone": "Europe/Moscow"}, True),
    ({"country": "XX"}, False),
    ({"delivery": {"deadline": "1h30m", "workers": 8}}, True),
    ({"delivery": {"deadline": "90"}}, False),
    ({"delivery": {"deadline": "0s"}}, False),
    ({"delivery": {"engine": "celery"}}, False),
    ({"transport": "gren"}, False),
    ({"transports": {"greenapi": {"rate": "10/s", "read_timeout": 5}}}, True),
    ({"transports": {"greenapi": {"rate": "fast"}}}, False),
    ({"transports": {"greenapi": {"token": "x"}}}, False),
    ({"transports": {"gren": {}}}, False),
    ({"plugins": {"pinned": {"host": {"port": 2}}}}, True),
    ({"plugins": {"pinned": {"host": {"port": "x"}}}}, False),
    ({"plugins": {"pinned": {"pin": "1234"}}}, False),
    ({"plugins": {"odd": {"thing": 1}}}, True),
    ({"plugins": {"other": {}}}, False),
    ({"profiles": {"staging": {"transports": {"greenapi": {"rate": "1/s"}}}}}, True),
    ({"profiles": {"staging": {"profiles": {}}}}, False),
)
def test_the_configuration(settings: Table, right: bool) -> None:
    plugins = {"pinned": Pinned, "odd": Odd}
    schema = configuration_schema({"greenapi": GreenApiSettings}, plugins, ["threads"])
    assert jsonschema_rs.is_valid(schema, settings) == right


def test_a_secret_is_described_as_one_of_the_environment() -> None:
    schema = configuration_schema({"greenapi": GreenApiSettings}, {"pinned": Pinned}, [])
    token = schema["$defs"]["transports"]["properties"]["greenapi"]["properties"]["token"]
    pin = schema["$defs"]["plugins"]["properties"]["pinned"]["properties"]["pin"]
    assert token["description"].endswith("Never here: set GREENAPI_TOKEN in the environment.")
    assert pin["description"] == "Never here: set PINNED_PIN in the environment."


# ------------------------------------------------------------------------------------ the command


@cases("option", [], ["--config"])
def test_check_finds_a_file_that_is_out_of_date(project: Project, option: list[str]) -> None:
    printed = project.call("schema", *option)
    assert (printed.code, printed.stdout[-2:]) == (0, "}\n")
    assert printed.stdout == project.call("schema", *option).stdout
    project.write("my schema.json", json.dumps(json.loads(printed.stdout)))
    result = project.call("schema", *option, "--check", "my schema.json")
    assert (result.code, result.stdout, result.stderr) == (0, "", "")
    anew = " ".join(["dispatcher schema", *option, "> 'my schema.json'"])
    for content in ("{}", "", printed.stdout.replace("greenapi", "gren")):
        project.write("my schema.json", content)
        result = project.call("schema", "--check", "my schema.json", *option)
        result.refused(f"write it anew: {anew}\n", code=1)
    (project.folder / "my schema.json").unlink()
    project.call("schema", *option, "--check", "my schema.json").refused(anew, code=1)


def test_what_is_no_file_with_json_is_no_schema(project: Project) -> None:
    os.mkfifo(project.folder / "pipe.json")
    project.write("deep.json", "[" * 100_000)
    for name in ("pipe.json", "deep.json"):
        project.call("schema", "--check", name).refused(f"{name} is not the schema", code=1)
    project.write("dispatcher.toml", "#:schema pipe.json\n")
    assert "pipe.json, which" in project.call("doctor").stdout


def test_config_with_a_file_names_the_configuration(project: Project) -> None:
    project.write("other.toml", "")
    of_manifests = project.call("schema").stdout
    of_configuration = project.call("schema", "--config").stdout
    assert project.call("schema", "--config", "other.toml").stdout == of_manifests
    for arguments in (
        ["--config", "other.toml", "schema", "--config"],
        ["schema", "--config", "other.toml", "--config"],
    ):
        assert project.call(*arguments).stdout == of_configuration
    result = project.call("schema", "--config", "--config", "other.toml", "--check", "x.json")
    result.refused("anew: dispatcher schema --config --config other.toml > x.json", code=1)
