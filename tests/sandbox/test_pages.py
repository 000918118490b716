"""The pages for people, as they come over HTTP; tests/browser/ looks at them."""

import json
import re
import shutil
import socket
import subprocess

from dispatcher.sandbox.inbox.pages import PAGE, Query, curl, query_of, view_of
from dispatcher.sandbox.process import SandboxProcess
from dispatcher.sandbox.store import Database, Store
from tests.support.cases import cases
from tests.support.requirements import require

from .client import EVENTS, GROUP, PERSON, Client, connect, message_bytes

OTHER = "79007654321"


def kept(database: Database, *chats: str, most: int = 10_000) -> Store:
    """One numbered text to each of these."""
    messages = Store(database, most)
    for number, to in enumerate(chats):
        payload = {"to": to, "text": {"body": f"text {number}"}}
        messages.add(payload, json.dumps(payload), [])
    return messages


def numbers(messages: Store, wanted: Query) -> list[int]:
    texts = [json.loads(each.body)["text"]["body"] for each in view_of(messages, wanted).messages]
    return [int(text.removeprefix("text ")) for text in texts]


def test_the_chat_with_the_newest_message_is_first_and_open(database: Database) -> None:
    view = view_of(kept(database, PERSON, OTHER, GROUP, OTHER, PERSON), Query())

    assert [chat.to for chat in view.chats] == [PERSON, OTHER, GROUP]
    assert (view.chat, len(view.messages), view.unread) == (PERSON, 2, 5)


def test_a_long_chat_comes_in_pages(database: Database) -> None:
    messages = kept(database, *[PERSON] * (2 * PAGE + 5))
    shown: list[int] = []
    before = None

    while True:
        wanted = Query(chat=PERSON, before=before)
        shown = numbers(messages, wanted) + shown
        before = view_of(messages, wanted).earlier
        if before is None:
            break

    assert shown == list(range(2 * PAGE + 5))


def test_many_chats_come_in_pages(database: Database) -> None:
    messages = kept(database, *(str(number) for number in range(PAGE + 1)))

    assert view_of(messages, Query()).more_chats
    assert len(view_of(messages, Query(chats=PAGE + 1)).chats) == PAGE + 1


def test_a_chat_ends_with_its_last_message(database: Database) -> None:
    messages = kept(database, OTHER, PERSON, PERSON, most=2)

    assert [chat.to for chat in view_of(messages, Query()).chats] == [PERSON]
    assert view_of(messages, Query(chat=OTHER)).messages == []


@cases("q", "TEXT 1", "1", "+7 (900) 765-43-21", "79007654321")
def test_search_finds_texts_and_numbers(q: str, database: Database) -> None:
    view = view_of(kept(database, PERSON, OTHER, GROUP), Query(q=q))

    assert OTHER in [chat.to for chat in view.chats]
    assert len(view.messages) == 1


def test_every_type_of_the_contract_can_be_searched_for(client: Client) -> None:
    schemas = client.request("GET", "/api/openapi.json").json()["components"]["schemas"]
    types = schemas["Message"]["properties"]["type"]["enum"]

    assert re.findall(r'<option value="(\w+)"', client.request("GET", "/").text) == types
    assert {f"{type.capitalize()}Message" for type in types} <= set(schemas)


@cases(
    "query, wanted",
    ({}, Query()),
    ({"chat": "", "q": " ", "before": ""}, Query()),
    ({"type": "sticker", "chats": "-1"}, Query()),
    ({"q": "x" * 999}, Query(q="x" * 200)),
)
def test_what_cannot_be_asked_is_left_out(query: dict[str, str], wanted: Query) -> None:
    assert query_of(query) == wanted


def test_a_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(client: Client) -> None:
    client.text("https://example.com/ in a text")
    id = client.text("x").json()["messages"][0]["id"]

    for path in ("/", "/help", "/inbox/refused", f"/inbox/messages/{id}"):
        answer = client.request("GET", path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for attribute in ("src", "href", "action"):
            page = answer.text.replace('<a href="https://example.com/"', "")
            assert f'{attribute}="http' not in page


@cases(
    "content_type, extension, served",
    ("image/png", "png", "image/png"),
    ("audio/ogg; codecs=opus", "ogg", "audio/ogg"),
    ("text/html", "html", "application/octet-stream"),
    ("image/svg+xml", "svg", "application/octet-stream"),
    ("application/pdf", "pdf", "application/octet-stream"),
    ("text/javascript", "js", "application/octet-stream"),
)
def test_a_browser_never_runs_a_file(
    content_type: str, extension: str, served: str, client: Client
) -> None:
    id = client.uploaded(b"<script>alert(1)</script>", extension, content_type)

    headers = client.request("GET", f"/inbox/files/{id}").headers

    assert headers["Content-Type"] == served
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_file_that_is_gone_is_told(client: Client) -> None:
    id = client.uploaded(b"a file", "png", "image/png")
    client.post({"to": PERSON, "type": "image", "image": {"id": id}})
    assert "expired or removed" not in client.request("GET", "/").text

    client.request("DELETE", f"/v1/media/{id}")

    assert "The file is not here: expired or removed" in client.request("GET", "/").text


def test_a_part_of_a_file_can_be_asked_for(client: Client) -> None:
    id = client.uploaded(b"0123456789", "mp4", "video/mp4")

    part = client.request("GET", f"/inbox/files/{id}", headers={"Range": "bytes=2-4"})

    assert (part.status_code, part.content) == (206, b"234")


@cases("path", "/inbox/files/x", "/inbox/messages/x", "/static/inbox/../x")
def test_what_is_not_there(path: str, client: Client) -> None:
    assert client.request("GET", path).status_code == 404


def test_reading_a_chat_is_remembered(client: Client) -> None:
    client.text()
    client.text(to=GROUP)
    assert "(2) Sandbox" in client.request("GET", "/").text

    assert client.request("POST", f"/api/chats/{PERSON}/read").json() == {"unread": 0}
    assert "(1) Sandbox" in client.request("GET", "/").text
    assert client.request("POST", "/api/chats/1/read").status_code == 404


def test_events_tell_the_state_and_every_change(client: Client, sandbox: SandboxProcess) -> None:
    with connect(sandbox.url) as stream:
        stream.sendall(EVENTS)
        first = version(stream)
        client.text()
        second = version(stream)
        sandbox.faults([{"fault": "stall"}])
        third = version(stream)

    assert len({first, second, third}) == 3
    assert f'data-version="{third}"' in client.request("GET", "/").text


def version(stream: socket.socket) -> str:
    """The next version that a stream of events tells."""
    received = b""
    while not (found := re.search(rb"data: (\S+)\n\n", received)):
        received += stream.recv(4096)
    return found[1].decode()


def test_no_more_than_so_many_pages_at_once(client: Client, sandbox: SandboxProcess) -> None:
    streams = [connect(sandbox.url) for _ in range(51)]
    for stream in streams:
        stream.sendall(EVENTS)
    answers = [stream.recv(4096).split()[1] for stream in streams]
    for stream in streams:
        stream.close()

    assert answers.count(b"200") == 50
    assert answers.count(b"503") == 1
    assert client.text().status_code == 201


def test_the_curl_command_posts_the_same_again(client: Client, sandbox: SandboxProcess) -> None:
    require(shutil.which("curl"), "curl")
    client.text('it\'s "quoted" $HOME `id` \\ 😃\n@file')
    [message] = sandbox.messages()

    command = curl(sandbox.url, message["body"])
    environment = {"GREENAPI_TOKEN": "any", "PATH": "/usr/bin:/bin"}
    subprocess.run(command, shell=True, check=True, capture_output=True, env=environment)

    assert sandbox.latest()["body"] == message["body"]


def test_refusals_are_kept_without_their_tokens(client: Client) -> None:
    client.text("", headers={"Authorization": "Bearer top-secret"})
    client.request("POST", "/v1/messages", data=b"\xff<script>" + b"x" * 20_000)
    client.request("POST", "/v1/messages", headers={"Authorization": ""}, data=message_bytes())
    client.upload(b"a file", extension=None)

    page = client.request("GET", "/inbox/refused").text
    assert re.findall(r"<h2>(\d+):", page) == ["7200", "1041", "1011", "1030"]
    assert "POST /v1/media" in page
    assert "top-secret" not in page
    assert "\ufffd&lt;script&gt;" in page
    assert "x" * 9_000 in page
    assert "x" * 10_000 not in page


def test_of_a_long_path_the_start_is_kept(client: Client) -> None:
    client.request("GET", f"/v1/media/{'x' * 2_000}", headers={"Authorization": "Basic x"})

    page = client.request("GET", "/inbox/refused").text
    asked = "GET /v1/media/"
    assert asked + "x" * (500 - len(asked)) in page
    assert "x" * 500 not in page


def test_the_newest_refusals_are_kept(client: Client) -> None:
    for number in range(60):
        client.text(f"text {number}", to="nobody")

    page = client.request("GET", "/inbox/refused").text
    assert "50 of 60" in page
    assert re.findall(r"text (\d+)", page) == [str(number) for number in range(59, 9, -1)]


def test_nothing_was_refused(client: Client) -> None:
    assert "refused nothing" in client.request("GET", "/inbox/refused").text
