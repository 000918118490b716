"""Good manifests: what may stand in them, what each message becomes, and under which key."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import cases
from tests.support.project import EXAMPLES, Files, Project

Table = dict[str, Any]
Plan = Callable[..., list[Table]]

TO = "79001234567"
OTHER = "79001234568"
GROUP = "79001234567-1581234048"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Write files, plan them, and give the messages that would be sent."""
    project = Project(tmp_path)

    def plan(files: Files, *arguments: str, code: int = 0) -> list[Table]:
        project.write_all(files)
        ended = project.call("plan", "--json", *(arguments or (".",)))
        assert (ended.code, ended.stderr) == (code, "")
        return ended.planned

    return plan


def toml(value: object) -> str:
    """A value of JSON as TOML, a table in one line."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def manifest(*messages: Mapping[str, Any], **tables: Any) -> str:
    """A manifest with the messages `m0`, `m1`, … and other tables before them."""
    entries = [{"id": f"m{index}", **message} for index, message in enumerate(messages)]
    data = {"manifest": 1, **tables, "messages": entries}
    return "".join(f"{key} = {toml(value)}\n" for key, value in data.items())


def texts(planned: list[Table]) -> list[str]:
    return [each["payload"]["text"]["body"] for each in planned]


# -------------------------------------------------------------------- the gateway's own bodies

MEDIA: dict[str, list[Table]] = {
    "image": [{"caption": "your-image-caption"}],
    "video": [{"caption": "your-video-caption"}],
    "audio": [],
    "document": [
        {"caption": "your-document-caption", "filename": "your-document-filename"},
        {"filename": "your-document-filename"},
    ],
}
LINK = {"link": "https://the-url", "provider": {"name": "provider-name"}}
# docs/greenapi-v1.md, "Request".
BODIES: list[Table] = [
    {"to": TO, "type": "text", "text": {"body": "I use Green-API to send this message to you!"}},
    {"to": GROUP, "type": "text", "text": {"body": "I use Green-API to send this message!"}},
    {"to": TO, "text": {"body": "no type, several URLs: https://a.example http://b.example 😃"}},
    {"to": TO, "text": {"body": "https://a.example"}, "preview_url": True},
    {"to": TO, "text": {"body": "https://a.example"}, "preview_url": False},
    {"to": TO, "text": {"body": "😃" * 4096}, "recipient_type": "individual"},
    {"to": GROUP, "text": {"body": "*bold* _italic_\n~struck~"}, "recipient_type": "group"},
    *(
        {"recipient_type": kind, "to": to, "type": type, type: {**origin, **more}}
        for kind, to in (("individual", TO), ("group", GROUP))
        for type, extras in MEDIA.items()
        for origin in ({"id": "your-media-id"}, {"link": "http://the-url"}, LINK)
        for more in ({}, *extras)
    ),
]


@pytest.mark.parametrize("body", BODIES)
@cases("place", "messages", "defaults")
def test_every_body_of_the_gateway_is_a_message(plan: Plan, body: Table, place: str) -> None:
    """Also as what all messages have in common; only the type is never common."""
    type = body.get("type", "text")
    common = {key: value for key, value in body.items() if key != "type"}
    text = manifest({}, defaults=common) if place == "defaults" else manifest(body)
    [planned] = plan({"m.toml": text})
    kind = "group" if "-" in body["to"] else "individual"
    assert planned["payload"] == {"recipient_type": kind, "type": type, **body}
    assert planned["key"] == f"default/m/m0/1/{body['to']}"
    assert (planned["status"], planned["upload"]) == ("new", None)


def test_the_examples_that_come_along(plan: Plan) -> None:
    planned = plan({}, str(EXAMPLES))
    assert {each["status"] for each in planned} == {"new"}
    names = {each["key"].split("/")[1] for each in planned}
    assert names == {"1-hello", "spring-sale", "3-media", "4-recipients"}


# --------------------------------------------------------------------------------- keys, transport


@cases(
    "head, message, arguments, key",
    ({}, {}, [], f"default/m/m0/1/{TO}"),
    ({"name": "spring-sale"}, {}, [], f"default/spring-sale/m0/1/{TO}"),
    ({"name": "Весна_2026.v1@+"}, {}, [], f"default/Весна_2026.v1@+/m0/1/{TO}"),
    ({}, {"id": "price-list"}, [], f"default/m/price-list/1/{TO}"),
    ({}, {"revision": 2}, [], f"default/m/m0/2/{TO}"),
    ({"defaults": {"revision": 3}}, {}, [], f"default/m/m0/3/{TO}"),
    ({"defaults": {"revision": 3}}, {"revision": 4}, [], f"default/m/m0/4/{TO}"),
    ({}, {"to": GROUP}, [], f"default/m/m0/1/{GROUP}"),
    ({}, {"to": "+7 900 123-45-67"}, [], f"default/m/m0/1/{TO}"),
    ({"repeat": "run"}, {}, [".", "--run", "2026-01-31"], f"2026-01-31/m/m0/1/{TO}"),
)
def test_keys(plan: Plan, head: Table, message: Table, arguments: list[str], key: str) -> None:
    text = manifest({"to": TO, "text": {"body": "x"}, **message}, **head)
    assert [each["key"] for each in plan({"m.toml": text}, *arguments)] == [key]


@cases(
    "repeat, given, run",
    ("monthly", "catching-up", "catching-up"),
    ("daily", "2026-11-28", "2026-11-28"),
    ("weekly", "2026-W48", "2026-W48"),
    ("weekly", "2026-11-28", "2026-W48"),
    ("weekly", "2027-01-01", "2026-W53"),
    ("monthly", "2026-11", "2026-11"),
    ("monthly", "2026-11-28", "2026-11"),
    ("run", "2026-11-8", "2026-11-8"),
)
def test_the_name_of_a_day_is_also_that_of_its_week_and_its_month(
    plan: Plan, repeat: str, given: str, run: str
) -> None:
    text = manifest({"to": TO, "text": {"body": "x"}}, repeat=repeat)
    [planned] = plan({"m.toml": text}, ".", "--run", given)
    assert planned["key"] == f"{run}/m/m0/1/{TO}"


@cases(
    "repeat, given",
    *(("daily", each) for each in ("2026-11-8", "2026-11-31", "２026-11-28", "2026-W48")),
    *(("weekly", each) for each in ("2026-W54", "2025-W53", "2026-W1", "2026-11", "28.11.2026")),
    *(("monthly", each) for each in ("2026-13", "2026-1", "2026-W48")),
)
def test_a_name_that_is_no_day_would_be_one_more_run(
    project: Project, repeat: str, given: str
) -> None:
    project.texts("a", head=f'repeat = "{repeat}"\n')
    kind = {"daily": "day", "weekly": "week", "monthly": "month"}[repeat]
    why = f'm.toml:2:10: error: --run {given}: repeat = "{repeat}" has a run for each {kind}, like '
    project.call("send", "--run", given).refused(why)
    project.has_sent_nothing()


@pytest.mark.parametrize("given", range(6))
def test_the_nearest_word_on_the_transport_counts(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, given: int
) -> None:
    """Message, defaults, manifest, flag, environment, configuration: each hides what follows."""
    names = ["greenapi" if given == place else "pigeon" for place in range(6)]
    said = [{"transport": name} if place >= given else {} for place, name in enumerate(names)]
    text = manifest({"to": TO, "text": {"body": "x"}, **said[0]}, **said[2], defaults=said[1])
    flag = ["--transport", names[3]] if said[3] else []
    if said[4]:
        monkeypatch.setenv("DISPATCHER_TRANSPORT", names[4])
    files = {"m.toml": text, "dispatcher.toml": f"transport = {toml(names[5])}\n"}
    assert len(plan(files, ".", *flag)) == 1


# --------------------------------------------------------------------------------------- recipients


def test_a_list_of_recipients_keeps_its_order(plan: Plan) -> None:
    to = ["+7 900 123-45-68", GROUP, TO]
    planned = plan({"m.toml": manifest({"to": to, "text": {"body": "x"}})})
    assert [each["payload"]["to"] for each in planned] == [OTHER, GROUP, TO]
    kinds = [each["payload"]["recipient_type"] for each in planned]
    assert kinds == ["individual", "group", "individual"]


ROWS: dict[str, bytes] = {
    "plain.csv": b"to,name,note\n79001234567,Ann,x\n79001234568,Bob,y\n",
    "bom.csv": "to,name,note\n79001234567,Ann,x\n79001234568,Bob,y\n".encode("utf-8-sig"),
    "crlf.csv": b"to,name,note\r\n79001234567,Ann,x\r\n79001234568,Bob,y\r\n",
    "mac.csv": b"to,name,note\r79001234567,Ann,x\r79001234568,Bob,y\r",
    "order.csv": b"name,note,to\nAnn,x,79001234567\nBob,y,79001234568",
    "blank.csv": b" to , name ,note\n\n+7 900 123-45-67,Ann,x\n\n79001234568,Bob,y\n\n",
    "quoted.csv": b'"to","name","note"\n"79001234567","Ann","x"\n"79001234568","Bob","y"\n',
    "plain.jsonl": (
        b'{"to": "79001234567", "name": "Ann", "note": "x"}\n'
        b'{"to": "79001234568", "name": "Bob", "note": "y"}\n'
    ),
    "bom.jsonl": (
        b'\xef\xbb\xbf{"to": "79001234567", "name": "Ann", "note": "x"}\r\n'
        b'\r\n   \r\n{"name": "Bob", "note": "y", "to": "+7 900 123-45-68"}'
    ),
    "UPPER.CSV": b"to,name,note\n79001234567,Ann,x\n79001234568,Bob,y\n",
}


@pytest.mark.parametrize("name", ROWS)
def test_files_of_recipients(plan: Plan, name: str) -> None:
    text = manifest({"recipients": name, "text": {"body": "{{ name }}: {{ note }}"}})
    planned = plan({"m.toml": text, name: ROWS[name]})
    assert texts(planned) == ["Ann: x", "Bob: y"]
    assert [each["payload"]["to"] for each in planned] == [TO, OTHER]


def test_quotes_and_line_breaks_in_a_csv_field(plan: Plan) -> None:
    rows = 'to,name,city\n79001234567,"Ann ""the\nbest"", really","Нижний, Новгород"\n'
    text = manifest({"recipients": "r.csv", "text": {"body": "{{ name }} / {{ city }}"}})
    planned = plan({"m.toml": text, "r.csv": rows})
    assert texts(planned) == ['Ann "the\nbest", really / Нижний, Новгород']


def test_json_lines_keep_lists_and_tables(plan: Plan) -> None:
    row = {"to": TO, "order": {"items": ["a", "b"], "sum": 2.5}, "paid": True, "none": None}
    body = "{{ order.items | join(', ') }}: {{ order.sum }}{% if paid and not none %} ✓{% endif %}"
    text = manifest({"recipients": "r.jsonl", "text": {"body": body}})
    assert texts(plan({"m.toml": text, "r.jsonl": json.dumps(row)})) == ["a, b: 2.5 ✓"]


def test_recipients_of_several_messages_may_be_the_same_people(plan: Plan) -> None:
    message = {"recipients": "r.csv", "text": {"body": "x"}}
    planned = plan({"m.toml": manifest(message, message), "r.csv": f"to\n{TO}\n{OTHER}\n"})
    keys = [each["key"].removeprefix("default/m/") for each in planned]
    assert keys == [f"m0/1/{TO}", f"m0/1/{OTHER}", f"m1/1/{TO}", f"m1/1/{OTHER}"]


def test_a_row_is_no_template(plan: Plan) -> None:
    """What comes from elsewhere is data, also if it looks like a template."""
    text = manifest({"recipients": "r.csv", "text": {"body": "{{ name }}"}}, vars={"x": "y"})
    planned = plan({"m.toml": text, "r.csv": f"to,name\n{TO},{{{{ x }}}}{{% if %}}\n"})
    assert texts(planned) == ["{{ x }}{% if %}"]


# ---------------------------------------------------------------------------- variables, defaults


@cases(
    "places, value",
    ("file", "file"),
    ("file defaults", "defaults"),
    ("file defaults message", "message"),
    ("file defaults message row", "row"),
    ("file row", "row"),
    ("file message", "message"),
    ("defaults message", "message"),
)
def test_the_nearest_variable_counts(plan: Plan, places: str, value: str) -> None:
    row, file, defaults, message = (
        {"x": place} if place in places.split() else {}
        for place in ("row", "file", "defaults", "message")
    )
    entry = {"text": {"body": "{{ x }}"}, "recipients": "r.jsonl", "vars": message}
    text = manifest(entry, vars=file, defaults={"vars": defaults})
    rows = json.dumps({"to": TO, **row})
    assert texts(plan({"m.toml": text, "r.jsonl": rows})) == [value]


def test_variables_of_all_places_come_together(plan: Plan) -> None:
    """Also those that are called like keys of a message."""
    message = {
        "to": TO,
        "text": {"body": "{{ link }} {{ id }} {{ source }} {{ body }} {{ file }}"},
        "vars": {"id": "2", "source": "3"},
    }
    defaults = {"vars": {"link": "1", "body": "4"}}
    planned = plan({"m.toml": manifest(message, defaults=defaults, vars={"file": "5", "id": "x"})})
    assert texts(planned) == ["1 2 3 4 5"]


IMAGE = {"image": {"link": "https://a.example", "caption": "c"}}
LINKED = {"link": "https://a.example"}
D, M = {"text": {"body": "d"}}, {"text": {"body": "m"}}
PROVIDER_D, PROVIDER_M = {"provider": {"name": "d"}}, {"provider": {"name": "m"}}
PREVIEW, NO_PREVIEW = {"preview_url": True}, {"preview_url": False}
# The defaults, the message, and what is sent.
MERGED: dict[str, tuple[Table, Table, Table]] = {
    "a whole content": (D, {}, D),
    "replaced": (D, M, M),
    "merged": (
        {"image": {"caption": "d"}},
        {"image": {"id": "1"}},
        {"image": {"id": "1", "caption": "d"}},
    ),
    "a link replaces an id": (
        {"image": {"caption": "d", "id": "1"}},
        {"image": LINKED},
        {"image": {"caption": "d", **LINKED}},
    ),
    "a source replaces a link": (
        {"image": LINKED},
        {"image": {"source": "https://b.example"}},
        {"image": {"link": "https://b.example"}},
    ),
    "a body replaces a file": ({"text": {"file": "t.txt"}}, M, M),
    "a file replaces a body": (D, {"text": {"file": "t.txt"}}, {"text": {"body": "from a file"}}),
    "of its own content only": ({**D, "video": {"id": "1"}}, IMAGE, IMAGE),
    "a preview does not apply to an image": (PREVIEW, IMAGE, IMAGE),
    "but to a text": (PREVIEW, M, {**M, **PREVIEW}),
    "unless it says otherwise": (PREVIEW, {**M, **NO_PREVIEW}, {**M, **NO_PREVIEW}),
    "a provider": ({"image": PROVIDER_D}, {"image": LINKED}, {"image": {**LINKED, **PROVIDER_D}}),
    "another provider": (
        {"image": PROVIDER_D},
        {"image": {**LINKED, **PROVIDER_M}},
        {"image": {**LINKED, **PROVIDER_M}},
    ),
}


@cases("defaults, message, payload", *MERGED.values(), ids=MERGED)
def test_defaults_of_the_content(
    plan: Plan, defaults: Table, message: Table, payload: Table
) -> None:
    text = manifest({"to": TO, **message}, defaults=defaults)
    [planned] = plan({"m.toml": text, "t.txt": "from a file"})
    [type] = {"text", "image"} & payload.keys()
    envelope = {"recipient_type": "individual", "to": TO, "type": type}
    assert planned["payload"] == {**envelope, **payload}


@cases(
    "defaults, message, to",
    ({"to": TO}, {}, [TO]),
    ({"to": [TO, OTHER]}, {}, [TO, OTHER]),
    ({"to": [TO, OTHER]}, {"to": GROUP}, [GROUP]),
    ({"to": TO}, {"recipients": "r.csv"}, [OTHER]),
    ({"recipients": "r.csv"}, {}, [OTHER]),
    ({"recipients": "r.csv"}, {"to": [TO]}, [TO]),
)
def test_default_recipients(plan: Plan, defaults: Table, message: Table, to: list[str]) -> None:
    text = manifest({"text": {"body": "x"}, **message}, defaults=defaults)
    planned = plan({"m.toml": text, "r.csv": f"to\n{OTHER}\n"})
    assert [each["payload"]["to"] for each in planned] == to


# ------------------------------------------------------------------------------- texts and sources


@cases(
    "content, body",
    ("Hi {{ name }}\n", "Hi Ann\n"),
    ("Hi {{ name }}\r\nYours\r\n", "Hi Ann\nYours\n"),
    ("Hi {{ name | upper }}\r\nYours\r\n", "Hi ANN\nYours\n"),
    ("no template\r\n", "no template\n"),
    ("  Привет 😃\n\n", "  Привет 😃\n\n"),
)
def test_a_text_in_a_file(plan: Plan, content: str, body: str) -> None:
    text = manifest({"to": TO, "text": {"file": "texts/t.txt"}}, vars={"name": "Ann"})
    files = {"sub/m.toml": text, "sub/texts/t.txt": content}
    assert texts(plan(files)) == [body]


def test_a_text_may_be_long_while_it_is_a_template(plan: Plan) -> None:
    body = "{# " + "a remark " * 1000 + "#}x{% if no %}" + "y" * 5000 + "{% endif %}"
    text = manifest({"to": TO, "text": {"body": body}}, vars={"no": False})
    assert texts(plan({"m.toml": text})) == ["x"]


def test_a_file_is_uploaded_and_stands_in_the_payload_by_its_content(plan: Plan) -> None:
    message = {"to": [TO, OTHER], "document": {"source": "files/{{ x }}.pdf", "filename": "p.pdf"}}
    text = manifest(message, vars={"x": "prices"})
    planned = plan({"sub/m.toml": text, "sub/files/prices.pdf": b"%PDF"})
    sha256 = hashlib.sha256(b"%PDF").hexdigest()
    for each in planned:
        assert each["payload"]["document"] == {"id": f"upload:sha256:{sha256}", "filename": "p.pdf"}
        file = {"filename": "prices.pdf", "mime_type": "application/pdf"}
        assert each["upload"] == {**file, "size": 4, "sha256": sha256}
    assert len(planned) == 2


@cases("source", "https://a.example/x.png", "HTTP://A.example/ж.png?a=b#c")
@cases("provider", {}, {"provider": {"name": "p"}})
def test_a_url_is_sent_as_a_link(plan: Plan, source: str, provider: Table) -> None:
    [planned] = plan({"m.toml": manifest({"to": TO, "image": {"source": source, **provider}})})
    assert planned["payload"]["image"] == {"link": source, **provider}
    assert planned["upload"] is None


def test_every_string_of_a_content_is_a_template(plan: Plan) -> None:
    content = {
        "link": "https://{{ x }}.example",
        "provider": {"name": "p-{{ x }}"},
        "caption": "{{ x | upper }}",
        "filename": "{{ x }}.pdf",
    }
    text = manifest({"to": "{{ phone }}", "document": content}, vars={"x": "a", "phone": TO})
    [planned] = plan({"m.toml": text})
    assert planned["payload"]["to"] == TO
    assert planned["payload"]["document"] == {
        "link": "https://a.example",
        "provider": {"name": "p-a"},
        "caption": "A",
        "filename": "a.pdf",
    }


@cases("roots", "", "[files]\nroots = ['shared', '/nowhere']\n")
def test_files_may_come_from_the_manifests_folder_or_from_a_root(plan: Plan, roots: str) -> None:
    """Without `roots` a manifest in a folder below may use what all manifests share."""
    folder = "shared" if roots else "manifests"
    message = {"to": TO, "text": {"file": f"../../{folder}/t.txt"}}
    files = {"manifests/a/m.toml": manifest(message), f"{folder}/t.txt": "shared"}
    assert texts(plan({"dispatcher.toml": roots, **files}, "manifests")) == ["shared"]


def test_links_within_the_folder_are_followed(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "t.txt").symlink_to("real.txt")
    text = manifest({"to": TO, "text": {"file": "t.txt"}})
    assert texts(plan({"m.toml": text, "real.txt": "real"})) == ["real"]


# ------------------------------------------------------------------------------- files and folders

SIMPLE = manifest({"to": TO, "text": {"body": "x"}})
FOLDERS: Files = {
    "dispatcher.toml": "",
    "b.toml": SIMPLE,
    "a.toml": SIMPLE,
    "sub/deeper/c.toml": SIMPLE,
    "sub/deeper/dispatcher.toml": "not a manifest",
    "sub/.hidden.toml": "not a manifest",
    ".git/d.toml": "not a manifest",
    "sub/.venv/lib/e.toml": "not a manifest",
    "notes.txt": "not a manifest",
    "f.toml/g.toml": SIMPLE,
}


@cases(
    "arguments, names",
    (["."], "a b g c"),
    (["sub"], "c"),
    (["sub", "a.toml"], "c a"),
    (["b.toml", "a.toml"], "b a"),
    (["a.toml", "./a.toml", "sub/../a.toml", "b.toml"], "a b"),
    ([".", "a.toml"], "a b g c"),
    (["link.toml", "a.toml"], "a"),
    (["f.toml"], "g"),
)
def test_files_and_folders(plan: Plan, tmp_path: Path, arguments: list[str], names: str) -> None:
    if "link.toml" in arguments:
        (tmp_path / "link.toml").symlink_to("a.toml")
    planned = plan(FOLDERS, *arguments)
    assert [each["key"].split("/")[1] for each in planned] == names.split()


@cases("folder", ".", "sub", "sub/deeper")
def test_without_a_path_the_configuration_says_where(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    plan({**FOLDERS, "dispatcher.toml": "manifests = 'sub/deeper'\n"}, "a.toml")
    (tmp_path / "sub/deeper/dispatcher.toml").unlink()
    monkeypatch.chdir(tmp_path / folder)
    [planned] = plan({}, "--payloads")
    assert planned["key"] == f"default/c/m0/1/{TO}"


def test_a_manifest_may_be_called_anything_if_it_is_named(plan: Plan) -> None:
    named = manifest({"to": TO, "text": {"body": "x"}}, name="good")
    [planned] = plan({"my file (1).txt": named}, "my file (1).txt")
    assert planned["key"] == f"default/good/m0/1/{TO}"


def test_the_same_manifest_plans_the_same(plan: Plan) -> None:
    files = {"m.toml": manifest({"recipients": "plain.csv", "text": {"body": "{{ name }}"}})}
    assert plan({**files, "plain.csv": ROWS["plain.csv"]}) == plan({})
